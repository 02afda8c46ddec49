use super::*;

const JPEG: &str = "1.2.840.10008.1.2.4.50";
const LOSSLESS: &str = "1.2.840.10008.1.2.4.70";
const IMPLICIT: &str = "1.2.840.10008.1.2";
const DICOM: &str = "multipart/related; type=\"application/dicom\"";

/// What is given of something that can be turned into Explicit VR Little Endian only.
fn given(accept: &str, stored: &str) -> Option<String> {
    let forms = Forms::of_instances(&Accept::parse(accept), true).ok()?;
    forms.instance(stored, |wanted| wanted == EXPLICIT)
}

/// The same of something that cannot be turned into anything.
fn given_as_it_is(accept: &str, stored: &str) -> Option<String> {
    let forms = Forms::of_instances(&Accept::parse(accept), true).ok()?;
    forms.instance(stored, |_| false)
}

#[test]
fn instances_are_converted_only_if_needed() {
    let any = &format!("{DICOM}; transfer-syntax=*");
    let jpeg = &format!("{DICOM}; transfer-syntax={JPEG}");
    let either = &format!("{jpeg}, {DICOM}");
    let implicit = &format!("{DICOM}; transfer-syntax={IMPLICIT}");
    let implicit_or_not = &format!("{implicit}, {DICOM}; q=0.5");
    let rather_jpeg = &format!("{DICOM};q=0.5, {jpeg}");
    for (accept, stored, expected) in [
        ("*/*", EXPLICIT, Some(EXPLICIT)),
        ("*/*", LOSSLESS, Some(EXPLICIT)),
        ("*/*", IMPLICIT, Some(EXPLICIT)),
        (DICOM, JPEG, Some(EXPLICIT)),
        (any, JPEG, Some(JPEG)),
        (any, IMPLICIT, Some(EXPLICIT)),
        (implicit, IMPLICIT, None),
        (implicit, EXPLICIT, None),
        (implicit_or_not, IMPLICIT, Some(EXPLICIT)),
        (jpeg, JPEG, Some(JPEG)),
        (jpeg, EXPLICIT, None),
        (either, JPEG, Some(JPEG)),
        (either, EXPLICIT, Some(EXPLICIT)),
        (either, LOSSLESS, Some(EXPLICIT)),
        (rather_jpeg, JPEG, Some(JPEG)),
        (rather_jpeg, EXPLICIT, Some(EXPLICIT)),
        ("application/dicom", EXPLICIT, Some(EXPLICIT)),
    ] {
        assert_eq!(
            given(accept, stored).as_deref(),
            expected,
            "{accept} {stored}"
        );
    }
}

#[test]
fn who_names_no_transfer_syntax_gets_what_there_is() {
    let explicit = &format!("{DICOM}; transfer-syntax={EXPLICIT}");
    for (accept, stored, expected) in [
        (DICOM, JPEG, Some(JPEG)),
        ("*/*", LOSSLESS, Some(LOSSLESS)),
        (explicit, LOSSLESS, None),
        ("*/*", IMPLICIT, None),
    ] {
        assert_eq!(
            given_as_it_is(accept, stored).as_deref(),
            expected,
            "{accept} {stored}"
        );
    }
}

#[test]
fn what_is_wanted_most_decides_about_parts() {
    let multipart = |accept: &str, one| {
        let forms = Forms::of_instances(&Accept::parse(accept), one);
        forms
            .map(|forms| forms.multipart())
            .map_err(|refused| refused.status)
    };
    assert_eq!(multipart("*/*", true), Ok(true));
    assert_eq!(multipart("application/dicom", true), Ok(false));
    assert_eq!(multipart("application/dicom", false), Err(406));
    assert_eq!(
        multipart(&format!("application/dicom;q=0.9, {DICOM}"), true),
        Ok(true)
    );
    assert_eq!(
        multipart(&format!("application/dicom, {DICOM}"), true),
        Ok(false)
    );
    assert_eq!(multipart("multipart/related", false), Ok(true));
    assert_eq!(multipart("image/png", true), Err(406));
    assert_eq!(
        multipart("multipart/related; type=\"image/jpeg\"", true),
        Err(406)
    );
    assert_eq!(
        multipart("multipart/related; type=application/dicom; q=0", true),
        Err(406)
    );
}

#[test]
fn frames_are_given_as_pixels_or_as_they_are_stored() {
    let frame = |accept: &str, stored: &str, decodable| {
        let forms = Forms::of_frames(&Accept::parse(accept), true).unwrap();
        let frame = forms.frame(stored, decodable)?;
        Some((frame.content_type, frame.decoded))
    };
    let related = |kind: &str| format!("multipart/related; type=\"{kind}\"");
    let pixels = Some(("application/octet-stream".to_owned(), true));
    let octets = related("application/octet-stream");
    let stored = |kind: &str, uid: &str| Some((format!("{kind}; transfer-syntax={uid}"), false));
    assert_eq!(frame("*/*", EXPLICIT, true), pixels);
    assert_eq!(frame("*/*", JPEG, true), pixels);
    assert_eq!(frame("*/*", JPEG, false), None);
    assert_eq!(frame("application/octet-stream", EXPLICIT, true), pixels);
    assert_eq!(
        frame(&format!("{octets}; transfer-syntax=*"), JPEG, true),
        stored("application/octet-stream", JPEG)
    );
    assert_eq!(
        frame(&format!("{octets}; transfer-syntax=*"), EXPLICIT, true),
        pixels
    );
    assert_eq!(
        frame(&format!("{octets}; transfer-syntax={JPEG}"), EXPLICIT, true),
        None
    );
    assert_eq!(
        frame(&related("image/jpeg"), JPEG, false),
        stored("image/jpeg", JPEG)
    );
    assert_eq!(
        frame(&related("image/jpeg"), LOSSLESS, false),
        stored("image/jpeg", LOSSLESS)
    );
    assert_eq!(frame("image/*", JPEG, false), stored("image/jpeg", JPEG));
    assert_eq!(frame(&related("image/jpeg"), EXPLICIT, true), None);
    let lossless = format!("{}; transfer-syntax={LOSSLESS}", related("image/jpeg"));
    assert_eq!(frame(&lossless, JPEG, true), None);
    assert_eq!(
        frame(&format!("{lossless}, {octets};q=0.1"), JPEG, true),
        pixels
    );
    let refused = Forms::of_frames(&Accept::parse("text/html"), true).unwrap_err();
    assert_eq!(refused.status, 406);
}
