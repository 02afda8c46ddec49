use proptest::prelude::*;

use super::*;
use crate::walk::{self, Part10};
use crate::{instance, json, phantoms};

fn read(json: &str) -> Result<Vec<DataSet>, JsonError> {
    let mut sets = DataSets::new();
    let mut read = Vec::new();
    for byte in json.as_bytes() {
        read.extend(sets.add(&[*byte])?);
    }
    sets.finish()?;
    let mut at_once = DataSets::new();
    let whole = at_once.add(json.as_bytes())?;
    assert_eq!(format!("{read:?}"), format!("{whole:?}"));
    Ok(read)
}

fn part10(data: DataSet) -> Part10 {
    Part10 {
        meta: DataSet::default(),
        data,
        transfer_syntax_uid: "1.2.840.10008.1.2.1".to_owned(),
        data_offset: 0,
    }
}

/// What a file says comes out of its JSON again, but for what stands behind an address.
#[test]
fn what_a_file_says_comes_out_of_its_json() {
    let folder = tempfile::tempdir().unwrap();
    let now = std::time::UNIX_EPOCH;
    let studies = phantoms::write(folder.path(), "json", now, phantoms::Detail::Small);
    let mut seen = 0;
    for study in studies.unwrap() {
        for path in crate::scan::files_below(&study.folder).unwrap() {
            let file = walk::whole_file(&path).unwrap();
            let text = json::metadata(&file, &|_| "http://x/bulk".to_owned());
            let sets = read(&format!("[{text}]")).unwrap();
            let [data] = sets.try_into().unwrap();
            let from_json = Part10 {
                transfer_syntax_uid: file.transfer_syntax_uid.clone(),
                ..part10(data)
            };
            let expected = instance::of(&file).unwrap();
            assert_eq!(
                instance::of(&from_json).unwrap(),
                expected,
                "{}",
                path.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 10);
}

#[test]
fn every_kind_of_value_is_as_in_a_file() {
    let [data] = read(
        r#" [ {
        "00080005":{"Value":["ISO_IR 100"],"vr":"CS"},
        "00100010":{"Value":[{"Alphabetic":"Müller^Jörg","Ideographic":"山"}],"vr":"PN"},
        "00280010":{"vr":"US","Value":[512]},
        "00280106":{"vr":"SS","Value":[-1024]},
        "00181271":{"vr":"FD","Value":[1.25]},
        "00080301":{"vr":"US","Value":[65536]},
        "00180050":{"vr":"DS","Value":[1.5,null,"2.50"]},
        "00200013":{"vr":"IS","Value":["7"]},
        "00280009":{"vr":"AT","Value":["00181063"]},
        "00091001":{"vr":"OB","InlineBinary":"AQID"},
        "7FE00010":{"vr":"OW","BulkDataURI":"http://x"},
        "00081115":{"vr":"SQ","Value":[{"0020000E":{"vr":"UI","Value":["1.2"]}},{}]},
        "00080050":{"vr":"SH"},
        "Keyword":{"vr":"SH"}, "00080051":{"vr":"??","Value":[1]}
        } ] "#,
    )
    .unwrap()
    .try_into()
    .unwrap();
    let data: &DataSet = &data;
    let bytes = |tag| data.bytes(tag).map(<[u8]>::to_vec);
    assert_eq!(bytes(tags::SPECIFIC_CHARACTER_SET).unwrap(), b"ISO_IR 192");
    assert_eq!(
        bytes(tags::PATIENT_NAME).unwrap(),
        "Müller^Jörg=山".as_bytes()
    );
    assert_eq!(data.number(tags::ROWS), Some(512.0));
    assert_eq!(data.number(Tag(0x0028, 0x0106)), Some(-1024.0));
    assert_eq!(data.number(Tag(0x0018, 0x1271)), Some(1.25));
    assert_eq!(data.number(Tag(0x0008, 0x0301)), None);
    assert_eq!(bytes(tags::SLICE_THICKNESS).unwrap(), b"1.5\\\\2.50");
    assert_eq!(data.ascii(tags::INSTANCE_NUMBER).unwrap(), "7");
    assert_eq!(
        bytes(tags::FRAME_INCREMENT_POINTER).unwrap(),
        [0x18, 0, 0x63, 0x10]
    );
    assert_eq!(bytes(Tag(0x0009, 0x1001)).unwrap(), [1, 2, 3]);
    assert!(data.bytes(tags::PIXEL_DATA).is_none());
    assert!(
        json::metadata(&part10(data.clone()), &|_| "http://x".to_owned()).contains("BulkDataURI")
    );
    assert_eq!(data.items(tags::REFERENCED_SERIES_SEQUENCE).len(), 2);
    assert_eq!(bytes(tags::ACCESSION_NUMBER).unwrap(), b"");
    let tags: Vec<Tag> = data.elements().map(|(tag, ..)| tag).collect();
    assert!(tags.is_sorted());
}

#[test]
fn what_is_no_list_of_data_sets_is_refused() {
    use JsonError::{Garbled, NotAList, TooDeep, Truncated};
    let error = |json: &str| read(json).unwrap_err();
    for (json, expected) in [
        ("", Truncated),
        ("{}", NotAList),
        ("<html>", NotAList),
        ("[1]", NotAList),
        ("[{},]", NotAList),
        ("[{}", Truncated),
        ("[{\"00080005\":{", Truncated),
        ("[] []", NotAList),
    ] {
        assert_eq!(error(json), expected, "{json}");
    }
    assert_eq!(read("[]").unwrap().len(), 0);
    assert_eq!(error(&format!("[{}", "{\"a\":".repeat(1000))), TooDeep);
    assert_eq!(
        error(&format!("[{{\"a\":{}", "[".repeat(1_000_000))),
        TooDeep
    );
    assert!(matches!(error("[{\"00080005\":1}]"), Garbled(1, _)));
    let secret = error("[{},{\"00100010\":\"Secret^Name\"}]");
    assert!(matches!(secret, Garbled(2, _)));
    assert!(!secret.to_string().contains("Secret"));
}

#[test]
fn a_data_set_without_end_is_refused_before_memory_is_full() {
    let mut sets = DataSets::new();
    let mut refused = sets.add(b"[{\"00080005\":{\"Value\":[\"");
    let piece = vec![b'x'; 1024 * 1024];
    for _ in 0..40 {
        if refused.is_err() {
            break;
        }
        refused = sets.add(&piece);
    }
    assert_eq!(refused.unwrap_err(), JsonError::TooLong);
    let many = format!(
        "[{{\"00080005\":{{\"vr\":\"CS\",\"Value\":[{}1]}}}}]",
        "1,".repeat(MAX_ELEMENTS)
    );
    assert!(matches!(
        DataSets::new().add(many.as_bytes()),
        Err(JsonError::Garbled(..))
    ));
}

proptest! {
    /// Nothing makes it fail otherwise than with an error.
    #[test]
    fn anything_is_read_or_refused(bytes in proptest::collection::vec(
        prop_oneof![Just(b'['), Just(b']'), Just(b'{'), Just(b'}'), Just(b'"'), Just(b','), Just(b':'),
            Just(b'\\'), Just(b'0'), Just(b'v'), Just(b'r'), any::<u8>()], 0..400)) {
        let mut sets = DataSets::new();
        let _ = sets.add(&bytes);
        let mut sets = DataSets::new();
        let opened = [b"[{\"00080005\":{\"vr\":\"".as_slice(), &bytes].concat();
        let _ = sets.add(&opened);
    }
}

#[test]
fn tags_are_eight_digits() {
    for text in ["0008", "+0080005", "0008000G", "000800055", ""] {
        assert_eq!(tag_of(text), None, "{text}");
    }
    assert_eq!(tag_of("7fe00010"), Some(tags::PIXEL_DATA));
}
