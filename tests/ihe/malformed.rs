//! Messages that are wrong: each is refused with a reason that tells its sender what to mend, each
//! is recorded, and nothing of it stays.

use std::time::Duration;

use hilum_tests::raw::{self, Answer};
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use xds_schemas::soap::FaultCode;

use crate::unharmed;

const REGISTER: &str = "urn:ihe:iti:2007:RegisterDocumentSet-b";
const PATIENT: &str = "Nobody-Yet";

/// A good ITI-42 request.
fn good() -> String {
    let mut submission = Submission::new(PATIENT, vec![Document::text("never stored")]);
    submission.repository = true;
    words::envelope(REGISTER, &submission.submit_objects_request())
}

/// The answer is a fault of the sender with this in its reason, and it was recorded.
fn refused(town: &Town, answer: &Answer, in_reason: &str) {
    let fault = answer.fault();
    assert_eq!(fault.code, FaultCode::Sender, "{fault}");
    assert!(fault.reason.contains(in_reason), "{fault}");
    assert_eq!(answer.status, 400, "{fault}");
    recorded(town);
}

fn recorded(town: &Town) {
    town.expected.add("110132", "Security Alert", 1);
}

#[tokio::test]
async fn xml_that_is_not_well_formed_is_refused_with_its_place() {
    let mut town = Town::plain();
    let good = good();
    let (head, tail) = good.split_once("<rim:RegistryObjectList>").unwrap();
    let lines = format!("{head}<rim:RegistryObjectList>\n\n  </rim:Slot>{tail}");
    let answer = raw::soap(town.port(1), "/registry", &lines);
    refused(&town, &answer, "line 4, column 3");
    let half = &good[..good.len() / 2];
    refused(&town, &raw::soap(town.port(1), "/registry", half), "line 2");
    for nothing in ["", " ", "not XML at all", "<"] {
        refused(
            &town,
            &raw::soap(town.port(1), "/registry", nothing),
            "line 1",
        );
    }
    let twice = good.replacen("<rim:ExtrinsicObject ", "<rim:ExtrinsicObject id=\"x\" ", 1);
    refused(
        &town,
        &raw::soap(town.port(1), "/registry", &twice),
        "line 2",
    );
    let not_utf8 = [good.as_bytes(), b"\xff"].concat();
    let answer = raw::post(town.port(1), "/registry", "application/soap+xml", &not_utf8);
    refused(&town, &answer, "UTF-8");
    unharmed(&mut town, PATIENT).await;
}

#[tokio::test]
async fn declarations_of_types_and_entities_are_refused() {
    let mut town = Town::plain();
    let declaration =
        r#"<!DOCTYPE s:Envelope [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>"#;
    let (first, rest) = good()
        .split_once('\n')
        .map(|(first, rest)| (first.to_owned(), rest.to_owned()))
        .unwrap();
    let declared = format!("{first}\n{declaration}{rest}");
    let answer = raw::soap(town.port(1), "/registry", &declared);
    refused(&town, &answer, "document type");
    let external = declaration.replace(
        "<!ENTITY a \"aaaaaaaaaa\">",
        "<!ENTITY a SYSTEM \"file:///etc/passwd\">",
    );
    let answer = raw::soap(
        town.port(1),
        "/registry",
        &format!("{first}\n{external}{rest}"),
    );
    refused(&town, &answer, "document type");
    let undeclared = good().replacen("A finding", "&b;", 1);
    let answer = raw::soap(town.port(1), "/registry", &undeclared);
    refused(&town, &answer, "entit");
    unharmed(&mut town, PATIENT).await;
}

/// A quarter of a million levels neither overflow a stack nor keep a processor busy.
#[tokio::test]
async fn deep_nesting_is_refused() {
    let mut town = Town::plain();
    // Where a query may have slots that mean nothing to us,
    let query = words::find_documents(PATIENT, "ObjectRef");
    let slots = format!("<query:ResponseOption>{}", "<a>".repeat(250_000));
    let deep = query.replace(
        "<query:ResponseOption ",
        &format!("{slots}<query:ResponseOption "),
    );
    let deep = words::envelope("urn:ihe:iti:2007:RegistryStoredQuery", &deep);
    let began = std::time::Instant::now();
    refused(&town, &raw::soap(town.port(1), "/registry", &deep), "deep");
    // and in a header that means nothing to us.
    let deep = words::envelope_with(REGISTER, &"<a>".repeat(250_000), "");
    refused(&town, &raw::soap(town.port(1), "/registry", &deep), "deep");
    assert!(began.elapsed() < Duration::from_secs(5));
    unharmed(&mut town, PATIENT).await;
}

#[tokio::test]
async fn wrong_names_are_refused_with_what_was_expected() {
    let mut town = Town::plain();
    let post = |envelope: &str| raw::soap(town.port(1), "/registry", envelope);
    let other_namespace = good().replace("regrep:xsd:rim:3.0", "regrep:xsd:rim:2.1");
    refused(&town, &post(&other_namespace), "RegistryObjectList");
    let other_namespace = good().replace("regrep:xsd:lcm:3.0", "regrep:xsd:lcm:2.1");
    refused(&town, &post(&other_namespace), "SubmitObjectsRequest");
    let unbound = good().replacen("<rim:ExtrinsicObject", "<rom:ExtrinsicObject", 1);
    let answer = post(&unbound.replacen("</rim:Extr", "</rom:Extr", 1));
    refused(&town, &answer, "line 2");
    let query_as_submission =
        words::envelope(REGISTER, &words::find_documents(PATIENT, "ObjectRef"));
    refused(&town, &post(&query_as_submission), "SubmitObjectsRequest");
    refused(&town, &post(&words::envelope(REGISTER, "")), "empty");
    // What was found is told to the operator, and nothing of a message comes back in a fault.
    for (wrong, told) in [
        (
            good().replace("rim:RegistryObjectList>", "rim:Planted-found>"),
            "found Planted-found of",
        ),
        (
            good().replacen(
                "<rim:RegistryObjectList>",
                "<rim:RegistryObjectList></Planted>",
                1,
            ),
            "Planted",
        ),
        (
            good().replacen("<rim:Extrin", "<Planted-prefix:Extrin", 1),
            "Planted-prefix",
        ),
        (
            good().replacen("<rim:Extrin", "<rim:Extrin Planted='1' Planted='2' x='", 1),
            "",
        ),
    ] {
        let answer = post(&wrong);
        refused(&town, &answer, "line ");
        let body = String::from_utf8_lossy(&answer.body);
        assert!(!body.contains("Planted"), "{body}");
        let log = town.log();
        let line = log
            .lines()
            .rfind(|line| line.contains("a message was refused"));
        let line = line.expect("a line of the log");
        assert!(
            line.contains("WARN") && line.contains(told),
            "{told}: {line}"
        );
    }
    unharmed(&mut town, PATIENT).await;
}

#[tokio::test]
async fn addressing_that_cannot_be_followed_is_refused() {
    let mut town = Town::plain();
    let post = |envelope: &str| raw::soap(town.port(1), "/registry", envelope);
    let unknown = post(&good().replace(REGISTER, "urn:example:Unheard"));
    assert!(unknown.fault().is("ActionNotSupported"));
    recorded(&town);
    // What the repository answers, the registry does not.
    let elsewhere = post(&good().replace(REGISTER, "urn:ihe:iti:2007:RetrieveDocumentSet"));
    assert!(elsewhere.fault().is("ActionNotSupported"));
    recorded(&town);
    let action = format!("<a:Action s:mustUnderstand=\"1\">{REGISTER}</a:Action>");
    let none = post(&good().replace(&action, ""));
    assert!(
        none.fault().is("MessageAddressingHeaderRequired"),
        "{}",
        none.text()
    );
    recorded(&town);
    let two = post(&good().replace(&action, &format!("{action}{action}")));
    assert!(two.fault().is("InvalidCardinality"), "{}", two.text());
    recorded(&town);
    let anonymous = "http://www.w3.org/2005/08/addressing/anonymous";
    let away = post(&good().replace(anonymous, "http://192.0.2.1/answers"));
    assert!(
        away.fault().is("OnlyAnonymousAddressSupported"),
        "{}",
        away.text()
    );
    recorded(&town);
    let header = r#"<x:Block xmlns:x="urn:example" s:mustUnderstand="true"/></s:Header>"#;
    let insists = post(&good().replace("</s:Header>", header));
    assert_eq!(insists.fault().code, FaultCode::MustUnderstand);
    assert_eq!(insists.status, 500);
    recorded(&town);
    unharmed(&mut town, PATIENT).await;
}

#[tokio::test]
async fn what_is_not_soap_12_is_refused_in_its_own_words() {
    let mut town = Town::plain();
    let soap12 = "http://www.w3.org/2003/05/soap-envelope";
    let soap11 = good().replace(soap12, "http://schemas.xmlsoap.org/soap/envelope/");
    let answer = raw::post(
        town.port(1),
        "/registry",
        "text/xml; charset=utf-8",
        soap11.as_bytes(),
    );
    assert_eq!(answer.status, 500);
    assert!(
        answer
            .head
            .to_lowercase()
            .contains("content-type: text/xml")
    );
    assert!(answer.text().contains("VersionMismatch"));
    assert!(
        answer
            .text()
            .contains("http://schemas.xmlsoap.org/soap/envelope/")
    );
    recorded(&town);
    for kind in [
        "text/xml",
        "application/json",
        "application/xml",
        "nonsense",
        "",
    ] {
        let answer = raw::post(town.port(1), "/registry", kind, good().as_bytes());
        assert_eq!(answer.status, 415, "{kind}");
        recorded(&town);
    }
    unharmed(&mut town, PATIENT).await;
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let mut town = Town::plain();
    assert_eq!(raw::get(town.port(1), "/registry").status / 100, 4);
    assert_eq!(raw::get(town.port(1), "/registry?wsdl").status, 200);
    assert_eq!(raw::get(town.port(1), "/../../etc/passwd").status, 404);
    let put = format!(
        "PUT{}",
        &raw::head("/registry", "text/plain", "Content-Length: 0")[4..]
    );
    let answer = raw::exchange(town.port(1), put.as_bytes());
    assert_eq!(answer.status, 405);
    assert!(answer.head.to_lowercase().contains("allow: "));
    recorded(&town);
    let answer = raw::soap(town.port(1), "/elsewhere", &good());
    assert_eq!(answer.fault().code, FaultCode::Sender);
    recorded(&town);
    unharmed(&mut town, PATIENT).await;
}

/// A gigabyte of envelope is not taken, let alone kept.
#[tokio::test]
async fn an_endless_envelope_is_refused_early() {
    const GIGABYTE: u64 = 1 << 30;
    let mut town = Town::plain();
    let kind = "application/soap+xml; charset=UTF-8";
    town.forget_peak();
    let before = town.peak_memory();
    let (sent, answer) =
        raw::post_long(town.port(1), "/registry", kind, good().as_bytes(), GIGABYTE);
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(sent < GIGABYTE / 8, "{sent} bytes were taken");
    recorded(&town);
    let multipart = raw::Multipart::of(&good(), &[]);
    let body = multipart.body();
    let root_only = &body[..body.len() - "\r\n--a-boundary--\r\n".len()];
    let (sent, answer) = raw::post_long(
        town.port(2),
        "/repository",
        &multipart.content_type(),
        root_only,
        GIGABYTE,
    );
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(sent < GIGABYTE / 8, "{sent} bytes were taken");
    recorded(&town);
    let growth = town.peak_memory() - before;
    assert!(growth < 48 << 20, "the node grew by {growth} bytes");
    unharmed(&mut town, PATIENT).await;
}

/// One byte a second would hold a connection for hours; so does who sends nothing at all.
#[tokio::test]
async fn who_sends_too_slowly_is_given_up() {
    let mut town = Town::found(Setup {
        plain: true,
        environment: vec![("HILUM_LIMITS__PROGRESS_SECONDS".into(), "2".into())],
        ..Setup::default()
    });
    let envelope = good();
    let length = format!("Content-Length: {}", envelope.len());
    let head = raw::head("/registry", "application/soap+xml", &length);
    let mut pieces: Vec<&[u8]> = vec![head.as_bytes()];
    pieces.extend(envelope.as_bytes().chunks(1).take(40));
    let port = town.port(1);
    let began = std::time::Instant::now();
    let answer = raw::exchange_slowly(port, &pieces, Duration::from_millis(250)).unwrap();
    assert_eq!(answer.status, 408, "{}", answer.text());
    recorded(&town);
    assert!(began.elapsed() < Duration::from_secs(20));
    unharmed(&mut town, PATIENT).await;
}
