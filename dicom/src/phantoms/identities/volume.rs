//! NIfTI and Analyze files with identities in their text fields and names.

use super::people::{Person, Random};

/// A volume with planted identities.
#[derive(Debug, Clone)]
pub struct PlantedVolume {
    /// Its file name, which names the patient.
    pub name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// Where the image begins in it; the whole rest is the image.
    pub image: usize,
    /// Texts of which none may be left.
    pub identities: Vec<String>,
}

/// A NIfTI-1, a NIfTI-2 and an Analyze header for each patient. The same seed gives the same bytes.
pub fn volumes(seed: u64, patients: usize) -> Vec<PlantedVolume> {
    let mut volumes = Vec::new();
    for number in 0..patients {
        let mut random = Random::new(seed, number as u64);
        let person = Person::new(&mut random, number);
        volumes.extend([nifti_1(&person), nifti_2(&person), analyze(&person)]);
    }
    volumes
}

fn put(header: &mut [u8], at: usize, bytes: &[u8], longest: usize) {
    let length = bytes.len().min(longest);
    header[at..at + length].copy_from_slice(&bytes[..length]);
}

fn planted(person: &Person, name: String, mut bytes: Vec<u8>, image: usize) -> PlantedVolume {
    if image > 0 {
        bytes.extend((0..4 * 4 * 4_u32).flat_map(|value| (value as i16).to_le_bytes()));
    }
    PlantedVolume {
        name,
        image: if image > 0 { image } else { bytes.len() },
        bytes,
        identities: person.identities(),
    }
}

/// Four by four by four 16-bit numbers, behind an extension that holds a name.
fn nifti_1(person: &Person) -> PlantedVolume {
    let mut header = vec![0; 352 + 64];
    put(&mut header, 0, &348_i32.to_le_bytes(), 4);
    put(&mut header, 14, person.family.as_bytes(), 18);
    for (at, number) in [(40, 3_i16), (42, 4), (44, 4), (46, 4), (70, 4), (72, 16)] {
        put(&mut header, at, &number.to_le_bytes(), 2);
    }
    put(&mut header, 108, &416_f32.to_le_bytes(), 4);
    put(
        &mut header,
        148,
        format!("{} {}", person.name(), person.birth_date).as_bytes(),
        80,
    );
    put(&mut header, 228, person.id.as_bytes(), 24);
    put(&mut header, 328, person.given.as_bytes(), 16);
    put(&mut header, 344, b"n+1\0", 4);
    header[348] = 1;
    put(&mut header, 352, &64_i32.to_le_bytes(), 4);
    put(&mut header, 356, &6_i32.to_le_bytes(), 4);
    put(&mut header, 360, person.mail.as_bytes(), 56);
    planted(
        person,
        format!("{}_{}_T1.nii", person.family, person.id),
        header,
        416,
    )
}

fn nifti_2(person: &Person) -> PlantedVolume {
    let mut header = vec![0; 544];
    put(&mut header, 0, &540_i32.to_le_bytes(), 4);
    put(&mut header, 4, b"n+2\0\r\n\x1A\n", 8);
    put(&mut header, 14, &16_i16.to_le_bytes(), 2);
    for (at, number) in [(16, 3_i64), (24, 4), (32, 4), (40, 4), (168, 544)] {
        put(&mut header, at, &number.to_le_bytes(), 8);
    }
    put(&mut header, 240, person.name().as_bytes(), 80);
    put(&mut header, 320, person.accession.as_bytes(), 24);
    put(&mut header, 508, person.given.as_bytes(), 16);
    planted(person, format!("{}.nii", person.accession), header, 544)
}

fn analyze(person: &Person) -> PlantedVolume {
    let mut header = vec![0; 348];
    put(&mut header, 0, &348_i32.to_le_bytes(), 4);
    put(&mut header, 148, person.name().as_bytes(), 80);
    put(&mut header, 253, b"\x10\0\x20\0\x30\0", 10);
    put(&mut header, 283, person.other_id.as_bytes(), 10);
    put(&mut header, 293, person.study_date.as_bytes(), 10);
    planted(person, format!("{}.hdr", person.family), header, 0)
}
