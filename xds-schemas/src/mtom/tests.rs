use super::*;

const LIMITS: ScanLimits = ScanLimits {
    header_bytes: 1024,
    parts: 8,
};

/// What a body holds, independent of how it was cut.
#[derive(Debug, PartialEq, Eq, Default)]
struct Parts {
    parts: Vec<(Option<String>, Vec<u8>)>,
    ended: bool,
}

fn scan<'a>(
    boundary: &str,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Parts, MtomError> {
    let content_type = format!("multipart/related; boundary=\"{boundary}\"");
    let mut scanner = Scanner::new(&ContentType::parse(&content_type)?, LIMITS)?;
    let mut parts = Parts::default();
    for chunk in chunks {
        let mut rest = chunk;
        loop {
            let (used, found) = scanner.step(rest)?;
            match found {
                Found::Nothing => {
                    assert_eq!(used, rest.len());
                    break;
                }
                Found::Part(headers) => parts.parts.push((headers.content_id, Vec::new())),
                Found::Data(range) => {
                    parts
                        .parts
                        .last_mut()
                        .unwrap()
                        .1
                        .extend_from_slice(&rest[range]);
                }
                Found::Withheld(range) => {
                    let withheld = scanner.delimiter()[range].to_vec();
                    parts.parts.last_mut().unwrap().1.extend(withheld);
                }
                Found::PartEnd => {}
                Found::End => parts.ended = true,
            }
            rest = &rest[used..];
        }
    }
    scanner.finish()?;
    Ok(parts)
}

const BODY: &[u8] = b"a preamble\r\n--b.1 \t\r\nContent-ID: <root>\r\nContent-Type: x/y\r\n\r\n<a/>\
\r\n--b.1\r\nContent-Transfer-Encoding: 8Bit\r\ncontent-id:\r\n <a%40b>\r\n\r\n\r\n\r\n--b.\r\r\n--b\
\r\n--b.1\r\n\r\nno headers\r\n--b.1\r\nContent-ID: <empty>\r\n\r\n\r\n--b.1--\r\nepilogue --b.1";

fn expected() -> Parts {
    let part = |id: Option<&str>, data: &[u8]| (id.map(str::to_owned), data.to_vec());
    Parts {
        parts: vec![
            part(Some("root"), b"<a/>"),
            part(Some("a@b"), b"\r\n\r\n--b.\r\r\n--b"),
            part(None, b"no headers"),
            part(Some("empty"), b""),
        ],
        ended: true,
    }
}

#[test]
fn finds_the_parts_however_the_body_is_cut() {
    assert_eq!(scan("b.1", [BODY]).unwrap(), expected());
    for size in 1..BODY.len() {
        assert_eq!(
            scan("b.1", BODY.chunks(size)).unwrap(),
            expected(),
            "in chunks of {size}"
        );
    }
    for cut in 1..BODY.len() {
        let (one, other) = BODY.split_at(cut);
        assert_eq!(
            scan("b.1", [one, other]).unwrap(),
            expected(),
            "cut at {cut}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn any_content_comes_back_however_it_is_cut(
        contents in proptest::collection::vec("[\r\n\\-bx]{0,40}", 1..5),
        cuts in proptest::collection::vec(1..20_usize, 1..60),
    ) {
        let boundary = "-b-b-x-END";
        let mut body = String::new();
        for (number, content) in contents.iter().enumerate() {
            body.push_str(&part_opening(boundary, &format!("{number}@x"), "a/b"));
            body.push_str(content);
        }
        body.push_str(&message_closing(boundary));
        let mut rest = body.as_bytes();
        let mut chunks = Vec::new();
        for cut in cuts {
            let (chunk, after) = rest.split_at(cut.min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        chunks.push(rest);
        let parts = scan(boundary, chunks).unwrap();
        let found: Vec<&[u8]> = parts.parts.iter().map(|(_, data)| data.as_slice()).collect();
        let expected: Vec<&[u8]> = contents.iter().map(String::as_bytes).collect();
        proptest::prop_assert_eq!(found, expected);
    }

    #[test]
    fn nothing_makes_it_panic(
        body in "(--b|\r\n|-|[a-c:<>])*",
        size in 1..9_usize,
    ) {
        let whole = scan("b", [body.as_bytes()]);
        let cut = scan("b", body.as_bytes().chunks(size));
        proptest::prop_assert_eq!(whole, cut);
    }
}

#[test]
fn truncated_and_wrong_bodies_are_named() {
    for cut in 0..BODY.len() - "--\r\nepilogue --b.1".len() {
        assert!(scan("b.1", [&BODY[..cut]]).is_err(), "cut at {cut}");
    }
    let middle = memchr::memmem::find(BODY, b"no headers").unwrap();
    assert_eq!(scan("b.1", [&BODY[..middle]]), Err(MtomError::Truncated(3)));
    let error = scan("other", [BODY]).unwrap_err();
    assert_eq!(error, MtomError::WrongBoundary("other".into()));
    assert!(error.to_string().contains("\"other\""));
    let long = vec![b'x'; 5000];
    assert!(matches!(
        scan("b", [long.as_slice()]),
        Err(MtomError::WrongBoundary(_))
    ));
    assert!(matches!(
        scan("b", [b"--b.1\r\n".as_slice()]),
        Err(MtomError::GarbledBoundary(_))
    ));
}

#[test]
fn limits_hold() {
    let mut headers = b"--b\r\nX: ".to_vec();
    headers.extend(vec![b'x'; 2000]);
    assert!(matches!(
        scan("b", headers.chunks(100)),
        Err(MtomError::HeadersTooLong {
            part: 1,
            limit: 1024
        })
    ));
    let many = "--b\r\n\r\n\r\n".repeat(9);
    assert_eq!(
        scan("b", [many.as_bytes()]),
        Err(MtomError::TooManyParts(8))
    );
    assert_eq!(
        scan(
            "b",
            [b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n".as_slice()]
        ),
        Err(MtomError::TransferEncoding(1))
    );
    assert_eq!(
        scan("b", [b"--b\r\nnonsense\r\n\r\n".as_slice()]),
        Err(MtomError::GarbledHeader(1))
    );
}

#[test]
fn content_types_of_real_senders_are_read() {
    let jax_ws = ContentType::parse(
        "Multipart/Related; start-info=\"application/soap+xml;action=\\\"urn:x\\\"\"; \
         type=\"application/xop+xml\";boundary=\"uuid:1-2\";start=\"<rootpart*1@x>\"",
    )
    .unwrap();
    assert_eq!(jax_ws.essence, "multipart/related");
    assert_eq!(
        jax_ws.parameter("start-info"),
        Some("application/soap+xml;action=\"urn:x\"")
    );
    assert_eq!(jax_ws.parameter("boundary"), Some("uuid:1-2"));
    assert_eq!(
        content_id(jax_ws.parameter("start").unwrap()),
        "rootpart*1@x"
    );
    let gsoap =
        ContentType::parse("multipart/related; boundary===ZMM0/+/==; START=rootpart@pymtom-xop;")
            .unwrap();
    assert_eq!(gsoap.parameter("boundary"), Some("==ZMM0/+/=="));
    assert_eq!(
        content_id(gsoap.parameter("start").unwrap()),
        "rootpart@pymtom-xop"
    );
    assert!(ContentType::parse("nonsense").is_err());
    assert!(ContentType::parse("a/b; c").is_err());
    assert!(ContentType::parse("a/b; c=\"d").is_err());
    let none = ContentType::parse("multipart/related").unwrap();
    assert_eq!(
        Scanner::new(&none, LIMITS).unwrap_err(),
        MtomError::NoBoundary
    );
}

#[test]
fn content_ids_are_compared_in_one_form() {
    for text in ["<a@b>", "cid:a%40b", "a@b", " CID:<a@b> "] {
        assert_eq!(content_id(text), "a@b", "{text}");
    }
    assert_eq!(content_id("cid:100%"), "100%");
    assert_eq!(content_id("cid:%zz%c3%a9"), "%zzé");
}

#[test]
fn references_that_were_written_are_found() {
    let mut writer = Writer::default();
    writer.open("r").text("<xop:Include");
    write_include(&mut writer, "one two@x");
    writer.text("-");
    write_include(&mut writer, "3");
    writer.close("r");
    let xml = writer.finish();
    let found = written_includes(&xml);
    let ids: Vec<&str> = found.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(ids, ["one two@x", "3"]);
    assert!(
        found
            .iter()
            .all(|(at, _)| xml[at.clone()].starts_with("<xop:Include "))
    );
}

#[test]
fn line_ends_in_a_media_type_do_not_become_headers() {
    let opening = part_opening("b", "i", "text/plain\r\nX-Evil: 1");
    assert_eq!(opening.matches("\r\n").count(), 6, "{opening}");
}
