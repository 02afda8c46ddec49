//! Header extensions: what they are and how long, not what they say.

use std::io::{self, Read};
use std::path::Path;

use super::header::{Header, NIFTI1_BYTES, NIFTI2_BYTES};
use super::{ByteOrder, Extension, Format, Layout, Named, codes, stored};

/// More extensions than this are not listed.
const MAX_LISTED: usize = 1_000;
/// Nor is anything beyond this many bytes; CIFTI's are the longest, of some megabytes.
const MAX_BYTES: u64 = 256 << 20;

/// The extensions of a header, and what is wrong with them.
pub(super) struct Listed {
    pub(super) extensions: Vec<Extension>,
    pub(super) problem: Option<String>,
}

/// Lists them. They stand behind four bytes of which the first says whether there are any, and end
/// where the voxels begin, or with the header's file.
pub(super) fn list(path: &Path, header: &Header) -> io::Result<Listed> {
    let mut listed = Listed {
        extensions: Vec::new(),
        problem: None,
    };
    let start = match header.format {
        Format::Analyze75 => return Ok(listed),
        Format::Nifti1 => NIFTI1_BYTES as u64,
        Format::Nifti2 => NIFTI2_BYTES as u64,
    };
    let end = match header.layout {
        Layout::Single => stored::offset(header),
        Layout::Pair => u64::MAX,
    };
    let mut input = stored::open(path)?.take(MAX_BYTES);
    skip(&mut input, start)?;
    if array::<4>(&mut input).is_none_or(|flag| flag[0] == 0) {
        return Ok(listed);
    }
    let mut position = start + 4;
    while position < end {
        let Some([size, ecode]) = sizes(&mut input, header.byte_order) else {
            let cut = header.layout == Layout::Single;
            listed.problem = cut.then(|| "The header extensions are cut off.".to_owned());
            break;
        };
        let length = u64::try_from(size).unwrap_or(0);
        // Sixteen bytes are the unit, in which the first eight say what follows.
        if length < 16 || length % 16 != 0 || length > end - position {
            let problem =
                format!("A header extension says that it is {size} bytes long, which cannot be.");
            listed.problem = Some(problem);
            break;
        }
        let there = skip(&mut input, length - 8)?;
        if there < length - 8 {
            listed.problem = Some("A header extension is cut off.".to_owned());
            break;
        }
        if listed.extensions.len() >= MAX_LISTED {
            listed.problem = Some(format!(
                "There are more than {MAX_LISTED} header extensions."
            ));
            break;
        }
        listed.extensions.push(Extension {
            kind: Named {
                code: ecode,
                name: codes::extension(ecode).to_owned(),
            },
            size: length,
        });
        position += length;
    }
    Ok(listed)
}

/// `esize` and `ecode`; `None` at the end.
fn sizes(input: &mut impl Read, order: ByteOrder) -> Option<[i32; 2]> {
    let bytes = array::<8>(input)?;
    let number = |at: usize| {
        let four = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        match order {
            ByteOrder::Little => i32::from_le_bytes(four),
            ByteOrder::Big => i32::from_be_bytes(four),
        }
    };
    Some([number(0), number(4)])
}

fn array<const N: usize>(input: &mut impl Read) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// How many bytes were there to be skipped. A damaged stream ends where it is damaged; whether it is
/// whole is looked at elsewhere.
fn skip(input: &mut impl Read, length: u64) -> io::Result<u64> {
    let mut there = 0;
    let mut buffer = [0; 8 * 1024];
    while there < length {
        let wanted = usize::try_from(length - there)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        match input.read(&mut buffer[..wanted]) {
            Ok(0) => break,
            Ok(read) => there += read as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => match error.kind() {
                io::ErrorKind::InvalidData
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::UnexpectedEof => break,
                _ => return Err(error),
            },
        }
    }
    Ok(there)
}
