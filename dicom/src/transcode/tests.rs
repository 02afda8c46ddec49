//! Pixels come out of every transfer syntax as they went in, and broken streams are refused.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use dicom_core::VR;
use dicom_dictionary_std::tags;
use proptest::prelude::*;

use super::codec::Broken;
use super::*;
use crate::json;
use crate::made::{self, Image, native, stored};
use crate::phantoms::{self, Detail};
use crate::pixels::Sample;

/// Everything that is written.
fn targets() -> impl Iterator<Item = &'static str> {
    WRITTEN.iter().map(|(uid, _)| *uid)
}

fn transcoded(bytes: &[u8], to: &str) -> Result<Vec<u8>, TranscodeError> {
    let stored = stored(bytes);
    let mut out = Vec::new();
    transcode(&stored.path, to, &mut out)?;
    Ok(out)
}

fn decoded(bytes: &[u8]) -> Vec<Decoded> {
    let stored = stored(bytes);
    let frames = Frames::of(&stored.path, &stored.file).unwrap();
    let numbers = 1..=frames.count();
    let frame = |number| decode(&stored.path, &stored.file, &frames, number).unwrap();
    numbers.map(frame).collect()
}

/// What a file says, but for what belongs to its encoding.
fn said(bytes: &[u8]) -> serde_json::Value {
    let file = walk::whole(bytes).unwrap();
    let mut said: serde_json::Value =
        serde_json::from_str(&json::metadata(&file, &|at| at.to_string())).unwrap();
    // OB or OW, as the transfer syntax wants.
    said.as_object_mut().unwrap().remove("7FE00010");
    said
}

#[test]
fn what_is_possible_and_what_is_chosen() {
    use made::{BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, JPEG, JPEG_2000, JPEG_LOSSLESS, RLE};
    assert!(can(EXPLICIT, RLE) && can(JPEG, EXPLICIT) && can(JPEG_2000, JPEG_LOSSLESS));
    assert!(!can(EXPLICIT, JPEG) && !can(EXPLICIT, JPEG_2000) && !can("1.2.3", EXPLICIT));
    // What nobody decodes may still be given as it is.
    assert!(can("1.2.3", "1.2.3"));
    assert_eq!(choose(JPEG, &[EXPLICIT, JPEG]), Some(JPEG));
    assert_eq!(
        choose(JPEG, &[RLE, DEFLATED, IMPLICIT, EXPLICIT]),
        Some(EXPLICIT)
    );
    assert_eq!(choose(EXPLICIT, &[JPEG, RLE, BIG_ENDIAN]), Some(BIG_ENDIAN));
    assert_eq!(choose(EXPLICIT, &[JPEG_2000, JPEG]), None);
    assert_eq!(choose("1.2.3", &[EXPLICIT]), None);
    assert_eq!(choose(EXPLICIT, &[]), None);
}

#[test]
fn phantoms_there_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let phantoms = phantoms::write(dir.path(), "test", now, Detail::Small).unwrap();
    for (phantom, name) in [(0, "IM0001.dcm"), (2, "IM0002.dcm"), (3, "IM0001.dcm")] {
        let path = phantoms[phantom].folder.join(name);
        let original = fs::read(&path).unwrap();
        for to in targets() {
            let there = transcoded(&original, to).unwrap();
            assert_eq!(walk::whole(&there).unwrap().transfer_syntax_uid, to);
            assert_eq!(said(&there), said(&original), "{name} in {to}");
            assert_eq!(decoded(&there), decoded(&original), "{name} in {to}");
            let back = transcoded(&there, made::EXPLICIT).unwrap();
            assert_eq!(said(&back), said(&original));
            assert_eq!(decoded(&back), decoded(&original));
        }
    }
    // A report has no pixels: it is written otherwise, but not compressed.
    let report = fs::read(phantoms[1].folder.join("IM0009.dcm")).unwrap();
    for to in [made::IMPLICIT, made::BIG_ENDIAN, made::DEFLATED] {
        let there = transcoded(&report, to).unwrap();
        assert_eq!(said(&there), said(&report), "{to}");
        assert_eq!(
            said(&transcoded(&there, made::EXPLICIT).unwrap()),
            said(&report)
        );
    }
    let refused = transcoded(&report, made::RLE);
    assert!(matches!(
        refused,
        Err(TranscodeError::Frame(FrameError::NoPixels))
    ));
}

#[test]
fn a_file_that_is_as_wanted_is_copied() {
    let file = native(made::EXPLICIT, Image::GREY, &[7; 12]);
    assert_eq!(transcoded(&file, made::EXPLICIT).unwrap(), file);
    // Even one that nobody decodes.
    let file = made::encapsulated("1.2.3.4", Image::GREY.elements(), &[], &[&[1, 2]]);
    assert_eq!(transcoded(&file, "1.2.3.4").unwrap(), file);
    let refused = transcoded(&file, made::EXPLICIT);
    assert!(matches!(refused, Err(TranscodeError::Unsupported { .. })));
}

#[test]
fn colours_by_plane_and_colours_left_out() {
    let planes = Image {
        rows: 1,
        columns: 2,
        planar: true,
        ..Image::COLOUR
    };
    let rle = transcoded(
        &native(made::EXPLICIT, planes, &[1, 2, 3, 4, 5, 6]),
        made::RLE,
    )
    .unwrap();
    assert_eq!(decoded(&rle)[0].bytes, [1, 3, 5, 2, 4, 6]);
    let said = walk::whole(&rle).unwrap().data;
    assert_eq!(said.number(tags::PLANAR_CONFIGURATION), Some(0.0));

    // Two pixels, four bytes.
    let halves = Image {
        photometric: "YBR_FULL_422",
        ..planes
    };
    let file = native(
        made::EXPLICIT,
        Image {
            planar: false,
            ..halves
        },
        &[10, 20, 128, 129],
    );
    let rle = transcoded(&file, made::RLE).unwrap();
    assert_eq!(decoded(&rle)[0].bytes, [10, 128, 129, 20, 128, 129]);
    let said = walk::whole(&rle).unwrap().data;
    assert_eq!(
        said.ascii(tags::PHOTOMETRIC_INTERPRETATION).unwrap(),
        "YBR_FULL"
    );
}

#[test]
fn lossy_jpeg_becomes_rgb_and_stays_lossy() {
    let (rows, columns) = (16, 24);
    let colour = |at: usize| [(at * 3 % 256) as u8, 90, 200 - (at / 3) as u8];
    let rgb: Vec<u8> = (0..rows * columns).flat_map(colour).collect();
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 98);
    let kind = jpeg_encoder::ColorType::Rgb;
    encoder
        .encode(&rgb, columns as u16, rows as u16, kind)
        .unwrap();
    let image = Image {
        rows: rows as u16,
        columns: columns as u16,
        photometric: "YBR_FULL_422",
        ..Image::COLOUR
    };
    let file = made::encapsulated(made::JPEG, image.elements(), &[], &[&jpeg]);
    let explicit = transcoded(&file, made::EXPLICIT).unwrap();
    let pixels = &decoded(&explicit)[0];
    assert_eq!(pixels.photometric, "RGB");
    let off = pixels
        .bytes
        .iter()
        .zip(&rgb)
        .map(|(a, b)| u32::from(a.abs_diff(*b)));
    assert!(off.sum::<u32>() / (rgb.len() as u32) < 6);
    let said = walk::whole(&explicit).unwrap().data;
    assert_eq!(said.ascii(tags::PHOTOMETRIC_INTERPRETATION).unwrap(), "RGB");
    assert_eq!(said.ascii(tags::LOSSY_IMAGE_COMPRESSION).unwrap(), "01");
    assert_eq!(said.ascii(tags::SOP_INSTANCE_UID).unwrap(), "1.2.3.4");
}

#[test]
fn signed_values_keep_their_sign() {
    let image = Image {
        rows: 1,
        columns: 4,
        stored: 12,
        signed: true,
        ..Image::GREY
    };
    let values = [-2048_i16, -1, 0, 2047];
    let file = native(
        made::BIG_ENDIAN,
        image,
        &values.map(i16::to_le_bytes).concat(),
    );
    for to in targets() {
        let there = decoded(&transcoded(&file, to).unwrap());
        let numbers: Vec<_> = there[0].values().collect();
        assert_eq!(numbers, values.map(f64::from), "{to}");
    }
}

#[test]
fn values_without_what_else_is_in_their_bits() {
    let decoded = Decoded {
        rows: 1,
        columns: 2,
        samples: 1,
        bits_allocated: 16,
        bits_stored: 10,
        high_bit: 11,
        sample: Sample::Signed,
        photometric: "MONOCHROME2".to_owned(),
        bytes: [0xF003_u16 | (5 << 2), 0xF000 | (0x3FF << 2)]
            .map(u16::to_le_bytes)
            .concat(),
    };
    assert_eq!(decoded.values().collect::<Vec<_>>(), [5.0, -1.0]);
    let float = Decoded {
        bits_allocated: 32,
        bits_stored: 32,
        high_bit: 31,
        sample: Sample::Float,
        bytes: [0.5_f32, -3.25].map(f32::to_le_bytes).concat(),
        ..decoded
    };
    assert_eq!(float.values().collect::<Vec<_>>(), [0.5, -3.25]);
}

#[test]
fn streams_that_claim_another_size() {
    let image = Image {
        rows: 16384,
        columns: 16384,
        ..Image::GREY
    };
    let size = |side: u32| {
        let numbers = [side, side, 0, 0, side, side, 0, 0]
            .map(u32::to_be_bytes)
            .concat();
        let begin = [0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0];
        [&begin[..], &numbers, &[0, 1, 15, 1, 1]].concat()
    };
    let jpeg = |marker: u8, bits: u8| {
        [&[
            0xFF, 0xD8, 0xFF, marker, 0, 11, bits, 0x10, 0, 0x10, 0, 1, 1, 0x11, 0,
        ][..]]
        .concat()
    };
    let refused = |syntax, stream: &[u8], why| {
        let stored = stored(&made::encapsulated(
            syntax,
            image.elements(),
            &[],
            &[stream],
        ));
        match frame(&stored.path, 1) {
            Err(TranscodeError::Codec { number: 1, broken }) => assert_eq!(broken, Broken(why)),
            other => panic!("{other:?}"),
        }
    };
    refused(
        made::JPEG_2000,
        &size(65535),
        "JPEG 2000: an image of another size",
    );
    refused(made::JPEG_2000, &[0; 64], "JPEG 2000: no codestream");
    refused(made::JPEG, &jpeg(0xC0, 8), "JPEG: an image of another size");
    refused(
        made::JPEG,
        &[0xFF, 0xD8, 0xFF, 0xD9],
        "JPEG: no frame header",
    );
    refused(made::RLE, &[0; 64], "RLE: another number of segments");
    let image = Image {
        rows: 4096,
        columns: 4096,
        ..Image::GREY
    };
    let stored = stored(&made::encapsulated(
        made::JPEG,
        image.elements(),
        &[],
        &[&jpeg(0xC1, 12)],
    ));
    let why = frame(&stored.path, 1).unwrap_err().to_string();
    assert_eq!(
        why,
        "frame 1: JPEG: lossy of more than 8 bits is not supported"
    );
}

/// The example of ISO 14495-1 annex H.3: 4 x 4 pixels of 8 bits.
const JPEG_LS: [u8; 57] = [
    0xFF, 0xD8, 0xFF, 0xF7, 0x00, 0x0B, 0x08, 0x00, 0x04, 0x00, 0x04, 0x01, 0x01, 0x11, 0x00, 0xFF,
    0xDA, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0xC0, 0x00, 0x00, 0x6C, 0x80, 0x20, 0x8E,
    0x01, 0xC0, 0x00, 0x00, 0x57, 0x40, 0x00, 0x00, 0x6E, 0xE6, 0x00, 0x00, 0x01, 0xBC, 0x18, 0x00,
    0x00, 0x05, 0xD8, 0x00, 0x00, 0x91, 0x60, 0xFF, 0xD9,
];
const FOUR_BY_FOUR: Image = Image {
    rows: 4,
    columns: 4,
    allocated: 8,
    stored: 8,
    ..Image::GREY
};

#[test]
fn the_example_of_the_jpeg_ls_standard() {
    let uid = "1.2.840.10008.1.2.4.80";
    let file = made::encapsulated(uid, FOUR_BY_FOUR.elements(), &[], &[&JPEG_LS]);
    let wanted = [
        0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145,
    ];
    assert_eq!(decoded(&file)[0].bytes, wanted);
}

#[test]
fn nothing_is_written_of_what_cannot_be_transcoded() {
    let image = Image {
        allocated: 1,
        stored: 1,
        ..Image::GREY
    };
    let bits = native(made::EXPLICIT, image, &[0; 2]);
    let broken = made::encapsulated(made::RLE, Image::GREY.elements(), &[], &[&[0; 70]]);
    for (file, to) in [(bits, made::RLE), (broken, made::EXPLICIT)] {
        let mut out = Vec::new();
        let refused = transcode(&stored(&file).path, to, &mut out);
        assert!(matches!(refused, Err(TranscodeError::Codec { .. })));
        assert!(out.is_empty());
    }
}

/// An icon in an item is decoded with the image around it.
#[test]
fn images_within_items_are_decoded_too() {
    let pixels = |image: Image, byte: u8| {
        let bytes = vec![byte; image.bytes()];
        let rle = transcoded(&native(made::EXPLICIT, image, &bytes), made::RLE).unwrap();
        let rle = stored(&rle);
        let frames = Frames::of(&rle.path, &rle.file).unwrap();
        frames.read(&rle.path, &rle.file, 1).unwrap()
    };
    let icon = Image {
        rows: 1,
        columns: 2,
        allocated: 8,
        stored: 8,
        ..Image::GREY
    };
    let item = made::encapsulated(made::RLE, icon.elements(), &[], &[&pixels(icon, 9)]);
    let item = &item[128 + 4 + 8 + 20..];
    let item = [
        &[0xFE, 0xFF, 0x00, 0xE0],
        &(item.len() as u32).to_le_bytes()[..],
        item,
    ]
    .concat();
    let mut elements = Image::GREY.elements();
    elements.push((tags::ICON_IMAGE_SEQUENCE, VR::SQ, item));
    let file = made::encapsulated(made::RLE, elements, &[], &[&pixels(Image::GREY, 3)]);
    let explicit = stored(&transcoded(&file, made::EXPLICIT).unwrap());
    let frames = Frames::of(&explicit.path, &explicit.file).unwrap();
    assert_eq!(
        frames.read(&explicit.path, &explicit.file, 1).unwrap(),
        [3; 12]
    );
    let item = &explicit.file.data.items(tags::ICON_IMAGE_SEQUENCE)[0];
    let frames = Frames::within(&explicit.path, &explicit.file, item).unwrap();
    assert!(!frames.encapsulated());
    assert_eq!(
        frames.read(&explicit.path, &explicit.file, 1).unwrap(),
        [9, 9]
    );
}

#[test]
fn an_image_that_no_file_can_hold() {
    let image = Image {
        rows: 16384,
        columns: 16384,
        frames: 16,
        ..Image::GREY
    };
    let file = made::encapsulated(made::RLE, image.elements(), &[], &[&[0; 64][..]; 16]);
    assert!(matches!(
        transcoded(&file, made::EXPLICIT),
        Err(TranscodeError::TooLarge)
    ));
}

/// Images of any kind, with values that are smooth, repeat themselves, or are noise.
fn images() -> impl Strategy<Value = (Image, Vec<u8>)> {
    let kinds = proptest::sample::select(vec![(1, 8), (1, 16), (1, 32), (3, 8), (3, 16)]);
    let shape = (
        1..12_u16,
        1..40_u16,
        1..4_u32,
        kinds,
        any::<bool>(),
        any::<bool>(),
    );
    shape.prop_flat_map(
        |(rows, columns, frames, (samples, allocated), signed, planar)| {
            let image = Image {
                rows,
                columns,
                frames,
                samples,
                allocated,
                stored: allocated,
                signed,
                planar,
                photometric: if samples == 1 { "MONOCHROME2" } else { "RGB" },
            };
            let bytes = image.bytes();
            let noise = proptest::collection::vec(any::<u8>(), bytes);
            let runs = proptest::collection::vec((any::<u8>(), 1..300_usize), bytes / 100 + 1);
            let runs = runs.prop_map(move |runs| {
                let run = |(byte, length)| std::iter::repeat_n(byte, length);
                let mut all: Vec<u8> = runs.into_iter().flat_map(run).collect();
                all.resize(bytes, 0xFF);
                all
            });
            let smooth = any::<u8>().prop_map(move |step| {
                (0..bytes)
                    .map(|at| (at * usize::from(step) / 37) as u8)
                    .collect()
            });
            (Just(image), prop_oneof![noise, runs, smooth])
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_pixels_there_and_back((image, bytes) in images()) {
        let original = native(made::EXPLICIT, image, &bytes);
        let pixels = decoded(&original);
        for to in targets() {
            let there = transcoded(&original, to);
            if to == made::JPEG_LOSSLESS && image.allocated == 32 {
                let refused = matches!(there, Err(TranscodeError::Codec { .. }));
                prop_assert!(refused);
                continue;
            }
            let there = there.unwrap();
            prop_assert_eq!(decoded(&there), pixels.clone(), "{}", to);
            let back = transcoded(&there, made::BIG_ENDIAN).unwrap();
            prop_assert_eq!(decoded(&back), pixels.clone(), "{}", to);
        }
    }

    #[test]
    fn tampered_jpeg_ls_is_decoded_or_refused(
        changes in proptest::collection::vec((4..57_usize, any::<u8>()), 1..8),
        cut in 10..100_usize,
    ) {
        let mut stream = JPEG_LS.to_vec();
        changes.iter().for_each(|(at, byte)| stream[*at] = *byte);
        stream.truncate(cut);
        let image = stored(&native(made::EXPLICIT, FOUR_BY_FOUR, &[0; 16]));
        let frames = Frames::of(&image.path, &image.file).unwrap();
        if let Ok((decoded, _)) = codec::decode(Syntax::JpegLs, frames.image(), &stream) {
            prop_assert_eq!(decoded.len(), 16);
        }
        // None of its refusals may come from a panic.
        let refused = codec::decode(Syntax::JpegLs, frames.image(), &stream).err();
        prop_assert_ne!(refused, Some(Broken("the codec gave up")));
    }

    /// Compressed streams that were tampered with are decoded or refused, and never to another size.
    #[test]
    fn tampered_streams_are_decoded_or_refused(
        (image, bytes) in images(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<proptest::sample::Index>(),
    ) {
        for to in [made::RLE, made::JPEG_LOSSLESS] {
            let Ok(there) = transcoded(&native(made::EXPLICIT, image, &bytes), to) else {
                continue;
            };
            let there = stored(&there);
            let frames = Frames::of(&there.path, &there.file).unwrap();
            let mut stream = frames.read(&there.path, &there.file, 1).unwrap();
            for (at, byte) in &changes {
                let at = at.index(stream.len());
                stream[at] = *byte;
            }
            stream.truncate(cut.index(stream.len() * 2).max(1));
            let syntax = Syntax::read(to).unwrap();
            if let Ok((decoded, _)) = codec::decode(syntax, frames.image(), &stream) {
                prop_assert_eq!(decoded.len() as u64, frames.image().frame_bytes());
            }
        }
    }
}
