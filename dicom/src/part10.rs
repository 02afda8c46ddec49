//! The beginning of a Part 10 file: preamble and file meta information (PS3.10 section 7.1), for data
//! sets that come without them.

use crate::write::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};

/// What a file says before its data set. The same arguments always give the same bytes, so an object
/// that is sent twice becomes the same file.
pub fn beginning(sop_class: &str, sop_instance: &str, transfer_syntax: &str) -> Vec<u8> {
    let mut meta = Vec::with_capacity(256);
    element(&mut meta, 0x0001, b"OB", &[0, 1]);
    let texts = [
        (0x0002, b"UI", sop_class),
        (0x0003, b"UI", sop_instance),
        (0x0010, b"UI", transfer_syntax),
        (0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
        (0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
    ];
    for (number, vr, text) in texts {
        element(&mut meta, number, vr, text.as_bytes());
    }
    let mut file = vec![0; 128];
    file.extend(b"DICM");
    let length = u32::try_from(meta.len()).unwrap_or(u32::MAX);
    element(&mut file, 0x0000, b"UL", &length.to_le_bytes());
    file.extend(meta);
    file
}

/// An element of group 0002, in explicit VR little endian, padded to an even length.
fn element(out: &mut Vec<u8>, number: u16, vr: &[u8; 2], value: &[u8]) {
    let padded = value.len().next_multiple_of(2);
    out.extend(0x0002_u16.to_le_bytes());
    out.extend(number.to_le_bytes());
    out.extend(vr);
    match vr {
        b"OB" => {
            out.extend([0, 0]);
            out.extend(u32::try_from(padded).unwrap_or(0).to_le_bytes());
        }
        _ => out.extend(u16::try_from(padded).unwrap_or(0).to_le_bytes()),
    }
    out.extend(value);
    if padded > value.len() {
        out.push(if vr == b"UI" { 0 } else { b' ' });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk;

    #[test]
    fn it_can_be_read() {
        let mut file = beginning("1.2.840.10008.5.1.4.1.1.2", "2.25.1", "1.2.840.10008.1.2.1");
        let length = file.len() as u64;
        file.extend([8, 0, 0x60, 0, b'C', b'S', 2, 0, b'C', b'T']);
        let read = walk::whole(&file).unwrap();
        assert_eq!(read.transfer_syntax_uid, "1.2.840.10008.1.2.1");
        assert_eq!(read.data_offset, length);
        assert_eq!(read.data.elements().count(), 1);
    }
}
