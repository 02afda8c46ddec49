//! Frames and values are found wherever a file has them.

use std::io::Read;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use proptest::prelude::*;

use super::{FrameError, Frames};
use crate::bulk::{BadTagPath, Content, TagPath};
use crate::made::{self, Image, Stored, stored};
use crate::pixels::PixelError;

fn frames(stored: &Stored) -> Result<Vec<Vec<u8>>, FrameError> {
    let frames = Frames::of(&stored.path, &stored.file)?;
    let numbers = 1..=frames.count();
    numbers
        .map(|number| frames.read(&stored.path, &stored.file, number))
        .collect()
}

const TWO: Image = Image {
    frames: 2,
    ..Image::GREY
};

#[test]
fn native_frames_are_little_endian_everywhere() {
    let pixels: Vec<u8> = (0..24).collect();
    for syntax in [
        made::EXPLICIT,
        made::IMPLICIT,
        made::BIG_ENDIAN,
        made::DEFLATED,
    ] {
        let stored = stored(&made::native(syntax, TWO, &pixels));
        assert_eq!(
            frames(&stored).unwrap(),
            [&pixels[..12], &pixels[12..]],
            "{syntax}"
        );
        let frames = Frames::of(&stored.path, &stored.file).unwrap();
        assert!(!frames.encapsulated());
        for number in [0, 3, u32::MAX] {
            let found = frames.read(&stored.path, &stored.file, number);
            assert!(matches!(
                found,
                Err(FrameError::NoSuchFrame { count: 2, .. })
            ));
        }
    }
}

#[test]
fn the_whole_of_native_pixel_data_is_little_endian() {
    let pixels: Vec<u8> = (0..240).collect();
    let image = Image {
        rows: 20,
        columns: 6,
        ..Image::GREY
    };
    for syntax in [made::EXPLICIT, made::BIG_ENDIAN, made::DEFLATED] {
        let stored = stored(&made::native(syntax, image, &pixels));
        let at = TagPath::top(tags::PIXEL_DATA);
        let content = Content::of(&stored.path, &stored.file, &at)
            .unwrap()
            .unwrap();
        assert_eq!(content.length(), 240);
        // Read in pieces that are no multiple of a word.
        let mut read = Vec::new();
        let mut content = content;
        let mut piece = [0; 7];
        loop {
            let length = content.read(&mut piece).unwrap();
            if length == 0 {
                break;
            }
            read.extend_from_slice(&piece[..length]);
        }
        assert_eq!(read, pixels, "{syntax}");
    }
}

/// Bytes of a big endian OW stand in words, so a frame of an odd number of bytes begins within one.
#[test]
fn frames_of_an_odd_length_in_words() {
    let image = Image {
        rows: 1,
        columns: 3,
        frames: 3,
        allocated: 8,
        stored: 8,
        ..Image::GREY
    };
    let mut elements = image.elements();
    elements.push((tags::PIXEL_DATA, VR::OW, (1..=10).collect()));
    let stored = stored(&made::file(made::BIG_ENDIAN, elements));
    assert_eq!(frames(&stored).unwrap(), [[1, 2, 3], [4, 5, 6], [7, 8, 9]]);
}

#[test]
fn frames_of_one_bit_a_pixel_begin_within_a_byte() {
    let image = Image {
        rows: 3,
        columns: 3,
        frames: 3,
        allocated: 1,
        stored: 1,
        ..Image::GREY
    };
    let frames_of = |bits: [u16; 3]| {
        let all = bits
            .iter()
            .rev()
            .fold(0_u32, |all, bits| (all << 9) | u32::from(*bits));
        all.to_le_bytes()
    };
    let bits = [0b1_0101_0101, 0b0_1111_0000, 0b1_0000_0001];
    let stored = stored(&made::native(made::EXPLICIT, image, &frames_of(bits)));
    let read = frames(&stored).unwrap();
    for (frame, bits) in read.iter().zip(bits) {
        assert_eq!(frame.len(), 2);
        assert_eq!(u16::from_le_bytes([frame[0], frame[1]]) & 0x1FF, bits);
    }
}

/// Three frames of which the second has two fragments.
const FRAGMENTS: [&[u8]; 4] = [
    &[0xFF, 0xD8, 1, 1],
    &[0xFF, 0xD8, 2, 2],
    &[3, 3],
    &[0xFF, 0xD8, 4, 4],
];
const JOINED: [&[u8]; 3] = [
    &[0xFF, 0xD8, 1, 1],
    &[0xFF, 0xD8, 2, 2, 3, 3],
    &[0xFF, 0xD8, 4, 4],
];
const THREE: Image = Image {
    frames: 3,
    ..Image::GREY
};

#[test]
fn fragments_are_joined_by_a_table_or_by_what_they_begin_with() {
    let offsets = [0_u32, 12, 34];
    let basic = offsets.map(u32::to_le_bytes).concat();
    let mut extended = THREE.elements();
    let long = offsets.map(|it| u64::from(it).to_le_bytes()).concat();
    extended.push((tags::EXTENDED_OFFSET_TABLE, VR::OV, long));
    // Offsets that point nowhere are not believed.
    let wrong = [0_u32, 11, 34].map(u32::to_le_bytes).concat();
    let made = |elements, table: &[u8]| {
        stored(&made::encapsulated(made::JPEG, elements, table, &FRAGMENTS))
    };
    for stored in [
        made(THREE.elements(), &basic),
        made(extended, &[]),
        made(THREE.elements(), &[]),
        made(THREE.elements(), &wrong),
    ] {
        assert_eq!(frames(&stored).unwrap(), JOINED);
        assert!(
            Frames::of(&stored.path, &stored.file)
                .unwrap()
                .encapsulated()
        );
    }
    // Without a table and without beginnings there is no telling.
    let untold: [&[u8]; 4] = [&[1, 1], &[2, 2], &[3, 3], &[4, 4]];
    let stored = stored(&made::encapsulated(
        made::RLE,
        THREE.elements(),
        &[],
        &untold,
    ));
    assert!(matches!(frames(&stored), Err(FrameError::Together(_))));
}

#[test]
fn one_frame_may_have_many_fragments_and_each_frame_one() {
    let one = made::encapsulated(made::RLE, Image::GREY.elements(), &[], &[&[1, 1], &[2, 2]]);
    assert_eq!(frames(&stored(&one)).unwrap(), [[1, 1, 2, 2]]);
    let each = made::encapsulated(made::RLE, TWO.elements(), &[], &[&[1, 1], &[2, 2]]);
    assert_eq!(frames(&stored(&each)).unwrap(), [[1, 1], [2, 2]]);
}

#[test]
fn what_is_no_image_or_a_broken_one() {
    let none = stored(&made::file(made::EXPLICIT, vec![]));
    assert!(matches!(frames(&none), Err(FrameError::NoPixels)));
    let short = stored(&made::native(made::EXPLICIT, TWO, &[0; 22]));
    assert!(matches!(
        frames(&short),
        Err(FrameError::Pixels(PixelError::TooShort))
    ));
    for (image, error) in [
        (Image { rows: 0, ..TWO }, PixelError::Impossible("size")),
        (
            Image { samples: 2, ..TWO },
            PixelError::Impossible("Samples per Pixel"),
        ),
        (
            Image {
                allocated: 12,
                ..TWO
            },
            PixelError::Impossible("Bits Allocated"),
        ),
        (
            Image { stored: 17, ..TWO },
            PixelError::Impossible("Bits Stored"),
        ),
        (
            Image {
                frames: 2_000_000,
                ..TWO
            },
            PixelError::TooLarge,
        ),
        (
            Image {
                rows: 65535,
                columns: 65535,
                ..TWO
            },
            PixelError::TooLarge,
        ),
    ] {
        let stored = stored(&made::native(made::EXPLICIT, image, &[0; 24]));
        match frames(&stored) {
            Err(FrameError::Pixels(found)) => assert_eq!(found, error),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn values_by_their_place() {
    let path: TagPath = "00400555/0/0040A30A".parse().unwrap();
    let inner = made::file(
        made::EXPLICIT,
        vec![made::text(tags::NUMERIC_VALUE, VR::DS, "1.5 ")],
    );
    // The item's bytes, behind preamble, mark and the transfer syntax.
    let inner = &inner[inner.len() - 12..];
    let item = [&[0xFE, 0xFF, 0x00, 0xE0, 12, 0, 0, 0], inner].concat();
    let mut file = made::file(made::EXPLICIT, vec![]);
    file.extend([0x40, 0x00, 0x55, 0x05, b'S', b'Q', 0, 0, 20, 0, 0, 0]);
    file.extend(item);
    let stored = stored(&file);
    let content = Content::of(&stored.path, &stored.file, &path).unwrap();
    let mut text = String::new();
    content.unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "1.5 ");
    for absent in [
        "00400555/1/0040A30A",
        "00400555/0/0040A30B",
        "00400555",
        "7FE00010",
    ] {
        let content = Content::of(&stored.path, &stored.file, &absent.parse().unwrap());
        assert!(content.unwrap().is_none(), "{absent}");
    }
    for bad in [
        "",
        "7FE0001",
        "7FE0001G",
        "00400555/0",
        "00400555/x/0040A30A",
        "/7FE00010",
        "+7FE0010",
    ] {
        assert_eq!(bad.parse::<TagPath>(), Err(BadTagPath), "{bad}");
    }
}

proptest! {
    #[test]
    fn places_are_read_as_they_are_written(
        items in proptest::collection::vec((any::<u16>(), any::<u16>(), any::<u32>()), 0..5),
        group: u16,
        element: u16,
    ) {
        let items: Vec<_> = items.into_iter().map(|(g, e, item)| (Tag(g, e), item)).collect();
        let path = TagPath::within(&items, Tag(group, element));
        prop_assert_eq!(path.to_string().parse(), Ok(path));
    }

    /// Bits of native frames come out as they went in, wherever a frame begins.
    #[test]
    fn bits_of_frames(rows in 1..6_u16, columns in 1..9_u16, seed: [u8; 32]) {
        let image = Image { rows, columns, frames: 4, allocated: 1, stored: 1, ..Image::GREY };
        let size = usize::from(rows) * usize::from(columns);
        let stored = stored(&made::native(made::EXPLICIT, image, &seed));
        let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (at % 8) & 1;
        for (index, frame) in frames(&stored).unwrap().iter().enumerate() {
            for at in 0..size {
                prop_assert_eq!(bit(frame, at), bit(&seed, index * size + at));
            }
        }
    }
}
