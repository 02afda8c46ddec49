//! Pictures show what the image says.

use std::time::{Duration, UNIX_EPOCH};

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::*;
use crate::made::{self, Element, Image, stored, text};
use crate::phantoms::{self, Detail};

fn shown(elements: Vec<Element>, appearance: &Appearance) -> Result<Picture, RenderError> {
    let stored = stored(&made::file(made::EXPLICIT, elements));
    frame(&stored.path, 1, appearance)
}

/// A row of grey values of 16 bits, with more elements.
fn row(values: &[i16], photometric: &'static str, more: Vec<Element>) -> Vec<Element> {
    let image = Image {
        rows: 1,
        columns: values.len() as u16,
        signed: true,
        photometric,
        ..Image::GREY
    };
    let pixels = values.iter().flat_map(|it| it.to_le_bytes()).collect();
    let mut elements = image.elements();
    elements.push((tags::PIXEL_DATA, VR::OW, pixels));
    elements.extend(more);
    elements
}

fn grey(values: &[i16], more: Vec<Element>) -> Vec<u8> {
    shown(row(values, "MONOCHROME2", more), &Appearance::default())
        .unwrap()
        .bytes
}

fn window(center: &str, width: &str, function: &str) -> Vec<Element> {
    vec![
        text(tags::WINDOW_CENTER, VR::DS, center),
        text(tags::WINDOW_WIDTH, VR::DS, width),
        text(tags::VOILUT_FUNCTION, VR::CS, function),
    ]
}

fn us(tag: Tag, number: i16) -> Element {
    (tag, VR::US, number.to_le_bytes().to_vec())
}

/// The example of PS3.3 section C.11.2.1.2.1: center 2048, width 4096 leaves 12 bits as they are.
#[test]
fn windows_of_three_kinds() {
    let values = [-1, 0, 1, 2047, 2048, 4094, 4095, 4096];
    let linear = grey(&values, window("2048", "4096", "LINEAR"));
    assert_eq!(linear, [0, 0, 0, 127, 128, 255, 255, 255]);
    // Width 1 is a threshold: at center - 0.5.
    assert_eq!(grey(&[9, 10], window("10", "1", "")), [0, 255]);
    let exact = grey(&[0, 50, 75, 100, 150], window("100", "100", "LINEAR_EXACT"));
    assert_eq!(exact, [0, 0, 64, 128, 255]);
    let sigmoid = grey(&[0, 100, 125, 1000], window("100", "100", "SIGMOID"));
    assert_eq!(sigmoid, [5, 128, 186, 255]);
}

#[test]
fn a_callers_window_after_the_rescaling() {
    let rescaled = vec![
        text(tags::RESCALE_SLOPE, VR::DS, "2"),
        text(tags::RESCALE_INTERCEPT, VR::DS, "-1000"),
        text(tags::WINDOW_CENTER, VR::DS, "5000"),
        text(tags::WINDOW_WIDTH, VR::DS, "10"),
    ];
    let window = Window {
        center: 0.0,
        width: 200.0,
        function: Function::LinearExact,
    };
    let appearance = Appearance {
        window: Some(window),
        viewport: None,
    };
    let elements = row(&[450, 500, 550], "MONOCHROME1", rescaled);
    assert_eq!(
        shown(elements.clone(), &appearance).unwrap().bytes,
        [255, 127, 0]
    );
    for (width, function) in [
        (0.5, Function::Linear),
        (0.0, Function::Sigmoid),
        (f64::NAN, Function::Linear),
    ] {
        let window = Some(Window {
            center: 0.0,
            width,
            function,
        });
        let refused = shown(
            elements.clone(),
            &Appearance {
                window,
                viewport: None,
            },
        );
        assert!(matches!(refused, Err(RenderError::Asked(_))));
    }
}

#[test]
fn without_a_window_all_but_the_padding() {
    let padding = vec![us(tags::PIXEL_PADDING_VALUE, -2000)];
    assert_eq!(grey(&[-2000, 10, 60, 110], padding), [0, 0, 128, 255]);
    let range = vec![
        us(tags::PIXEL_PADDING_VALUE, -2000),
        us(tags::PIXEL_PADDING_RANGE_LIMIT, 20),
    ];
    assert_eq!(grey(&[-2000, 10, 60, 110], range), [0, 0, 0, 255]);
    // An impossible window is none.
    assert_eq!(grey(&[5, 10], window("3", "0", "")), [0, 255]);
    assert_eq!(grey(&[5, 5], vec![]), [128, 128]);
}

/// A sequence of one item, as an element for [`made::file`].
fn table(sequence: Tag, first: i16, entries: &[u16]) -> Element {
    let words = |words: &[u16]| {
        words
            .iter()
            .flat_map(|it| it.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let descriptor = words(&[entries.len() as u16, first as u16, 12]);
    let lut = vec![
        (tags::LUT_DESCRIPTOR, VR::SS, descriptor),
        (tags::LUT_DATA, VR::OW, words(entries)),
    ];
    let bytes = made::file(made::EXPLICIT, lut);
    let item = &bytes[128 + 4 + 8 + 20..];
    let length = (item.len() as u32).to_le_bytes();
    (
        sequence,
        VR::SQ,
        [&[0xFE, 0xFF, 0x00, 0xE0], &length[..], item].concat(),
    )
}

#[test]
fn tables_for_modality_and_for_grey() {
    let modality = table(tags::MODALITY_LUT_SEQUENCE, -1, &[100, 200, 300]);
    let voi = table(tags::VOILUT_SEQUENCE, 100, &[0, 4095]);
    // Below the first entry the first holds, above the last the last.
    assert_eq!(
        grey(&[-9, -1, 0, 9], vec![modality, voi.clone()]),
        [0, 0, 255, 255]
    );
    assert_eq!(grey(&[99, 101], vec![voi]), [0, 255]);
    let broken = table(tags::VOILUT_SEQUENCE, 0, &[]);
    let refused = shown(
        row(&[1], "MONOCHROME2", vec![broken]),
        &Appearance::default(),
    );
    assert!(matches!(refused, Err(RenderError::Table(_))));
}

fn palette(descriptor: [u16; 3], data: &[u8], segmented: bool) -> Vec<Element> {
    let descriptor: Vec<u8> = descriptor.into_iter().flat_map(u16::to_le_bytes).collect();
    let image = Image {
        rows: 1,
        columns: 4,
        allocated: 8,
        stored: 8,
        photometric: "PALETTE COLOR",
        ..Image::GREY
    };
    let mut elements = image.elements();
    elements.push((tags::PIXEL_DATA, VR::OB, vec![0, 1, 2, 9]));
    for (place, plain, long) in [
        (
            tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        ),
        (
            tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            tags::SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        ),
        (
            tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            tags::SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        ),
    ] {
        elements.push((place, VR::US, descriptor.clone()));
        elements.push((if segmented { long } else { plain }, VR::OW, data.to_vec()));
    }
    elements
}

fn red(elements: Vec<Element>) -> Vec<u8> {
    let picture = shown(elements, &Appearance::default()).unwrap();
    assert_eq!(picture.samples, 3);
    picture.bytes.iter().step_by(3).copied().collect()
}

#[test]
fn palettes_whole_and_in_segments() {
    let words = |words: &[u16]| {
        words
            .iter()
            .flat_map(|it| it.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let plain = words(&[0x0000, 0x8080, 0xFFFF]);
    assert_eq!(red(palette([3, 0, 16], &plain, false)), [0, 128, 255, 255]);
    // Entries of 8 bits, packed, from value 1 on.
    assert_eq!(
        red(palette([4, 1, 8], &[7, 8, 9, 10], false)),
        [7, 7, 8, 10]
    );
    // A run of one entry, a line to 400 in two steps, and the run again from its place.
    let segments = words(&[0, 1, 200, 1, 2, 400, 2, 1, 0, 0]);
    let scale = |entry: u32| (entry * 255 / 65535) as u8;
    let wanted = [200, 300, 400, 200].map(scale);
    assert_eq!(red(palette([4, 0, 16], &segments, true)), wanted);
    // A copy of copies would have no end.
    let endless = words(&[0, 1, 200, 2, 2, 0, 0]);
    let refused = shown(palette([4, 0, 16], &endless, true), &Appearance::default());
    assert!(matches!(refused, Err(RenderError::Table(_))));
}

#[test]
fn colour_differences() {
    let image = Image {
        rows: 1,
        columns: 3,
        photometric: "YBR_FULL",
        ..Image::COLOUR
    };
    let mut elements = image.elements();
    let pixels = vec![76, 85, 255, 255, 128, 128, 29, 255, 107, 0];
    elements.push((tags::PIXEL_DATA, VR::OB, pixels));
    let picture = shown(elements, &Appearance::default()).unwrap();
    assert_eq!(picture.bytes, [254, 0, 0, 255, 255, 255, 0, 0, 254]);
}

fn checked(rows: u16, columns: u16, more: Vec<Element>) -> Vec<Element> {
    let image = Image {
        rows,
        columns,
        allocated: 8,
        stored: 8,
        ..Image::GREY
    };
    let mut elements = image.elements();
    let pixels = usize::from(rows) * usize::from(columns);
    elements.push((
        tags::PIXEL_DATA,
        VR::OB,
        (0..pixels).map(|at| (at % 2 * 200) as u8).collect(),
    ));
    elements.extend(window("100", "200", "LINEAR_EXACT"));
    elements.extend(more);
    elements
}

#[test]
fn sizes_and_pixels_that_are_not_square() {
    let size = |elements, viewport| {
        let picture = shown(
            elements,
            &Appearance {
                window: None,
                viewport,
            },
        )
        .unwrap();
        assert_eq!(
            picture.bytes.len(),
            (picture.width * picture.height) as usize
        );
        (picture.width, picture.height)
    };
    let tall = || vec![text(tags::PIXEL_SPACING, VR::DS, "2\\1")];
    let wide = || vec![text(tags::PIXEL_ASPECT_RATIO, VR::IS, "1\\3")];
    assert_eq!(size(checked(10, 20, vec![]), None), (20, 10));
    assert_eq!(size(checked(10, 20, tall()), None), (20, 20));
    assert_eq!(size(checked(10, 20, wide()), None), (60, 10));
    assert_eq!(
        size(checked(100, 200, vec![]), Some(Viewport::square(50))),
        (50, 25)
    );
    assert_eq!(
        size(checked(10, 20, tall()), Some(Viewport::square(128))),
        (128, 128)
    );
    let region = Some(Region {
        left: 5,
        top: 1,
        width: 4,
        height: 2,
    });
    let part = Viewport {
        width: 40,
        height: 40,
        region,
    };
    assert_eq!(size(checked(10, 20, vec![]), Some(part)), (40, 20));
}

/// Many pixels are looked up in a table of values, few are not.
#[test]
fn a_large_image_has_the_same_grey_as_a_small_one() {
    let shown = |rows| {
        let image = Image {
            rows,
            columns: 64,
            allocated: 8,
            stored: 6,
            signed: true,
            ..Image::GREY
        };
        let mut elements = image.elements();
        let pixels = (0..usize::from(rows) * 64).map(|at| at as u8).collect();
        elements.push((tags::PIXEL_DATA, VR::OB, pixels));
        elements.extend(window("0", "50", ""));
        shown(elements, &Appearance::default()).unwrap().bytes
    };
    let (small, large) = (shown(2), shown(40));
    assert_eq!(large[..128], small);
    assert_eq!(
        [small[0], small[31], small[32], small[63]],
        [130, 255, 0, 125]
    );
}

#[test]
fn viewports_that_make_no_sense() {
    for (width, region) in [
        (0, None),
        (MAX_SIDE + 1, None),
        (
            10,
            Some(Region {
                left: 19,
                top: 0,
                width: 2,
                height: 1,
            }),
        ),
        (
            10,
            Some(Region {
                left: u32::MAX,
                top: 0,
                width: 2,
                height: 1,
            }),
        ),
        (
            10,
            Some(Region {
                left: 0,
                top: 0,
                width: 0,
                height: 1,
            }),
        ),
    ] {
        let viewport = Some(Viewport {
            width,
            height: 10,
            region,
        });
        let refused = shown(
            checked(10, 20, vec![]),
            &Appearance {
                window: None,
                viewport,
            },
        );
        assert!(matches!(refused, Err(RenderError::Asked(_))));
    }
}

#[test]
fn smaller_is_the_average_and_larger_lies_between() {
    let small = Appearance {
        window: None,
        viewport: Some(Viewport::square(5)),
    };
    let picture = shown(checked(10, 10, vec![]), &small).unwrap();
    // 0 and 255 in turn.
    assert!(
        picture.bytes.iter().all(|it| (127..=128).contains(it)),
        "{:?}",
        picture.bytes
    );
    let large = Appearance {
        window: None,
        viewport: Some(Viewport {
            width: 4,
            height: 4,
            region: None,
        }),
    };
    let picture = shown(checked(1, 2, vec![]), &large).unwrap();
    assert_eq!((picture.width, picture.height), (4, 2));
    assert_eq!(picture.bytes[..4], [0, 64, 191, 255]);
}

#[test]
fn files_for_a_browser() {
    let picture = Picture {
        width: 16,
        height: 8,
        samples: 3,
        bytes: (0..16 * 8).flat_map(|at| [at as u8 * 2, 100, 50]).collect(),
    };
    let png = picture.png().unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; 16 * 8 * 3];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (16, 8));
    assert_eq!(pixels, picture.bytes);
    let jpeg = picture.jpeg(95).unwrap();
    let mut decoder = jpeg_decoder::Decoder::new(jpeg.as_slice());
    let pixels = decoder.decode().unwrap();
    let off = pixels
        .iter()
        .zip(&picture.bytes)
        .map(|(a, b)| u32::from(a.abs_diff(*b)));
    assert!(off.sum::<u32>() / (pixels.len() as u32) < 8);
}

#[test]
fn phantoms_are_shown_and_reports_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let phantoms = phantoms::write(dir.path(), "test", now, Detail::Small).unwrap();
    let thumbnail = Appearance {
        window: None,
        viewport: Some(Viewport::square(THUMBNAIL_SIDE)),
    };
    let picture = frame(&phantoms[0].folder.join("IM0004.dcm"), 1, &thumbnail).unwrap();
    assert_eq!(
        (picture.width, picture.height, picture.samples),
        (128, 128, 1)
    );
    let dark = picture.bytes.iter().filter(|it| **it < 60).count();
    let bright = picture.bytes.iter().filter(|it| **it > 200).count();
    assert!(dark > 1000 && bright > 100, "{dark} {bright}");
    let report = frame(&phantoms[1].folder.join("IM0009.dcm"), 1, &thumbnail);
    assert!(matches!(report, Err(RenderError::NotShown)));
    let missing = frame(&phantoms[0].folder.join("IM0004.dcm"), 2, &thumbnail);
    assert!(matches!(
        missing,
        Err(RenderError::Transcode(TranscodeError::Frame(
            FrameError::NoSuchFrame { .. }
        )))
    ));
}
