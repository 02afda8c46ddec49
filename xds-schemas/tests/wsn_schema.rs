//! What we write of WS-BaseNotification is valid by its published schema.
//!
//! `HILUM_SCHEMAS` names a folder with `wsn/b-2.xsd` and `wsn/t-1.xsd` of OASIS, and `xmllint` must
//! be there. What they import is here as far as it matters.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use xds_schemas::ebrim::{Body, RegistryObject, Slot};
use xds_schemas::ebrs::SubmitObjectsRequest;
use xds_schemas::iti52_document_metadata_subscribe::filter::FilterKind;
use xds_schemas::iti52_document_metadata_subscribe::{
    AdhocQuery, Subscribe, SubscribeResponse, TerminationTime, Topic, Unsubscribe,
    UnsubscribeResponse,
};
use xds_schemas::iti53_document_metadata_notify::{Notify, WrittenNotify};
use xds_schemas::iti69_create_destroy_pull_point::{
    CreatePullPointRequest, CreatePullPointResponse, DestroyPullPointRequest,
    DestroyPullPointResponse,
};
use xds_schemas::iti70_pull_notification::{GetMessages, GetMessagesResponse};
use xds_schemas::soap::{About as Detail, QName};
use xds_schemas::wsn::{About, FaultKind, Message, NotificationMessage, TopicExpression};
use xds_schemas::xml::{ToXml, Writer};

/// WS-Addressing, as far as it is used.
const ADDRESSING: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
    targetNamespace="http://www.w3.org/2005/08/addressing" elementFormDefault="qualified">
  <xs:complexType name="EndpointReferenceType"><xs:sequence>
    <xs:element name="Address" type="xs:anyURI"/>
    <xs:any minOccurs="0" maxOccurs="unbounded" processContents="lax"/>
  </xs:sequence></xs:complexType></xs:schema>"#;
/// WS-BaseFaults, as far as it is used.
const FAULTS: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
    targetNamespace="http://docs.oasis-open.org/wsrf/bf-2" elementFormDefault="qualified">
  <xs:complexType name="BaseFaultType"><xs:sequence>
    <xs:element name="Timestamp" type="xs:dateTime"/>
    <xs:element name="Description" minOccurs="0" maxOccurs="unbounded">
      <xs:complexType><xs:simpleContent><xs:extension base="xs:string">
        <xs:anyAttribute processContents="skip"/></xs:extension></xs:simpleContent></xs:complexType>
    </xs:element>
  </xs:sequence></xs:complexType></xs:schema>"#;
/// What may stand in a filter, whose content must be valid too.
const RIM: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
    targetNamespace="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0" elementFormDefault="qualified">
  <xs:element name="AdhocQuery"/></xs:schema>"#;

fn schema(schemas: &Path, folder: &Path) -> PathBuf {
    let read = |name: &str| std::fs::read_to_string(schemas.join("wsn").join(name)).unwrap();
    let local = |text: String| {
        [
            (
                "http://www.w3.org/2005/08/addressing/ws-addr.xsd",
                "ws-addr.xsd",
            ),
            ("http://docs.oasis-open.org/wsrf/bf-2.xsd", "bf-2.xsd"),
            ("http://docs.oasis-open.org/wsn/t-1.xsd", "t-1.xsd"),
        ]
        .iter()
        .fold(text, |text, (far, near)| text.replace(far, near))
    };
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("b-2.xsd", &local(read("b-2.xsd")));
    write("t-1.xsd", &local(read("t-1.xsd")));
    write("ws-addr.xsd", ADDRESSING);
    write("bf-2.xsd", FAULTS);
    write("rim.xsd", RIM);
    let all = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
      <xs:import namespace="http://docs.oasis-open.org/wsn/b-2" schemaLocation="b-2.xsd"/>
      <xs:import namespace="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0" schemaLocation="rim.xsd"/>
      </xs:schema>"#;
    write("all.xsd", all);
    folder.join("all.xsd")
}

fn written(body: &dyn ToXml) -> String {
    let mut writer = Writer::default();
    body.to_xml(&mut writer);
    writer.finish()
}

fn messages() -> Vec<String> {
    let query = AdhocQuery {
        id: FilterKind::DocumentEntry.id().to_owned(),
        slots: vec![Slot::single("$XDSDocumentEntryPatientId", "'P^^^&1.2&ISO'")],
    };
    let mut subscribe = Subscribe::new("https://a/b", Topic::FullDocumentEntry, query);
    let mut all = vec![written(&subscribe)];
    for time in [
        TerminationTime::At("P1D".to_owned()),
        TerminationTime::At("2027-01-01T00:00:00Z".to_owned()),
        TerminationTime::Never,
    ] {
        subscribe.initial_termination_time = Some(time);
        all.push(written(&subscribe));
    }
    let mut request = SubmitObjectsRequest::default();
    let reference = RegistryObject::new("urn:uuid:1", Body::ObjectRef);
    request.objects.objects.push(reference);
    let about = About {
        subscription: Some("https://a/subscriptions/1".to_owned()),
        topic: Some(TopicExpression::simple("ihe:FullDocumentEntry")),
        producer: Some("https://a".to_owned()),
    };
    let message = NotificationMessage {
        about: about.clone(),
        message: Message::Objects(request),
    };
    let mut writer = Writer::default();
    about.write_around(&mut writer, |_| {});
    let messages = vec![message];
    let time = || Some("2027-01-01T00:00:00Z".to_owned());
    let bodies: [&dyn ToXml; 12] = [
        &SubscribeResponse {
            subscription: "https://a/subscriptions/1".to_owned(),
            current_time: time(),
            termination_time: time(),
        },
        &Unsubscribe,
        &UnsubscribeResponse,
        &Notify {
            messages: messages.clone(),
        },
        &WrittenNotify(&writer.finish()),
        &CreatePullPointRequest,
        &CreatePullPointResponse {
            pull_point: "https://a/pull-points/1".to_owned(),
        },
        &DestroyPullPointRequest,
        &DestroyPullPointResponse,
        &GetMessages::default(),
        &GetMessagesResponse::default(),
        &GetMessagesResponse { messages },
    ];
    all.extend(bodies.into_iter().map(written));
    all.extend(faults());
    all
}

/// All but that of WS-Resource.
fn faults() -> Vec<String> {
    let name = || QName {
        namespace: "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0".to_owned(),
        name: "AdhocQuery".to_owned(),
    };
    let kinds = [
        FaultKind::InvalidFilter(name()),
        FaultKind::TopicExpressionDialectUnknown,
        FaultKind::InvalidTopicExpression,
        FaultKind::TopicNotSupported,
        FaultKind::UnacceptableInitialTerminationTime {
            minimum: 1,
            maximum: 2,
        },
        FaultKind::UnrecognizedPolicyRequest(name()),
        FaultKind::UnsupportedPolicyRequest(name()),
        FaultKind::SubscribeCreationFailed,
        FaultKind::SubscribeCreationImpossible,
        FaultKind::UnableToDestroySubscription,
        FaultKind::UnableToCreatePullPoint,
        FaultKind::UnableToDestroyPullPoint,
        FaultKind::UnableToGetMessages,
    ];
    let detail = |kind: FaultKind| match kind.at(0, "why").about {
        Some(Detail::Notification(fault)) => written(&*fault),
        other => panic!("{other:?}"),
    };
    kinds.into_iter().map(detail).collect()
}

#[test]
fn every_message_is_valid() {
    let Some(schemas) = std::env::var_os("HILUM_SCHEMAS").map(PathBuf::from) else {
        eprintln!("NOT CHECKED: messages were not validated, because HILUM_SCHEMAS is not set");
        return;
    };
    if Command::new("xmllint").arg("--version").output().is_err() {
        eprintln!("NOT CHECKED: messages were not validated, because xmllint is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let schema = schema(&schemas, folder.path());
    let mut files = Vec::new();
    for (at, xml) in messages().iter().enumerate() {
        let file = folder.path().join(format!("{at}.xml"));
        std::fs::write(&file, xml).unwrap();
        files.push(file);
    }
    assert!(files.len() > 25);
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(&schema)
        .args(&files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    eprintln!("{} messages are valid", files.len());
}
