//! ITI-20: each transaction leaves one record on each side, in the form of DICOM, with what the
//! framework asks for.

use hilum_tests::Town;
use hilum_tests::words::{self, Document, Submission};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::xml::{Element, Reader};

/// An element with its attributes that matter and its children.
#[derive(Debug, Default)]
struct Node {
    name: String,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Self>,
}

const ATTRIBUTES: [&str; 20] = [
    "EventActionCode",
    "EventDateTime",
    "EventOutcomeIndicator",
    "csd-code",
    "codeSystemName",
    "originalText",
    "UserID",
    "AlternativeUserID",
    "UserIsRequestor",
    "NetworkAccessPointID",
    "NetworkAccessPointTypeCode",
    "AuditSourceID",
    "ParticipantObjectID",
    "ParticipantObjectTypeCode",
    "ParticipantObjectTypeCodeRole",
    "type",
    "value",
    "UserName",
    "AuditEnterpriseSiteID",
    "ParticipantObjectDataLifeCycle",
];

impl Node {
    fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Self {
        let attributes = ATTRIBUTES
            .iter()
            .filter_map(|name| Some((*name, element.attribute(name)?)));
        let mut node = Self {
            name: element.name().to_owned(),
            attributes: attributes.collect(),
            children: Vec::new(),
        };
        if matches!(
            &*node.name,
            "ParticipantObjectQuery" | "EventOutcomeDescription"
        ) {
            reader.text().unwrap();
            return node;
        }
        while let Some(child) = reader.child().unwrap() {
            node.children.push(Self::read(reader, &child));
        }
        node
    }

    fn parse(message: &str) -> Self {
        let mut reader = Reader::new(message.as_bytes()).unwrap();
        let root = reader.root().unwrap();
        assert_eq!(root.name(), "AuditMessage");
        let node = Self::read(&mut reader, &root);
        reader.end().unwrap();
        node
    }

    fn get(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }

    fn all(&self, name: &str) -> Vec<&Self> {
        let named = self.children.iter().filter(|child| child.name == name);
        named.collect()
    }

    fn one(&self, name: &str) -> &Self {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} in {self:?}");
        all[0]
    }

    /// Code and code system of a child.
    fn code(&self, name: &str) -> (&str, &str) {
        let coded = self.one(name);
        assert_ne!(coded.get("originalText"), "", "{coded:?}");
        (coded.get("csd-code"), coded.get("codeSystemName"))
    }
}

/// What each record must be: transaction, event, action, roles of the participants in whose order
/// the initiator stands first, and the objects' type, role and identifier.
struct Expected<'a> {
    transaction: &'a str,
    event: &'a str,
    action: &'a str,
    objects: &'a [(&'a str, &'a str, &'a str)],
}

/// The record of the one who asked or of the one who answered: of one kind there is one.
fn check(messages: &[Node], expected: &Expected<'_>) {
    let found = messages.iter().filter(|message| {
        let event = message.one("EventIdentification");
        let kind = event.all("EventTypeCode");
        let transaction = kind.first().map(|kind| kind.get("csd-code"));
        transaction == Some(expected.transaction) && event.code("EventID").0 == expected.event
    });
    let found: Vec<&Node> = found.collect();
    let what = (expected.transaction, expected.event);
    assert_eq!(found.len(), 1, "{what:?}");
    let message = found[0];
    let event = message.one("EventIdentification");
    assert_eq!(event.code("EventTypeCode").1, "IHE Transactions");
    assert_eq!(event.code("EventID").1, "DCM");
    assert_eq!(event.get("EventActionCode"), expected.action, "{what:?}");
    assert_eq!(event.get("EventOutcomeIndicator"), "0", "{what:?}");
    let time = event.get("EventDateTime");
    assert!(time.ends_with('Z') || time.contains('+'), "{time}");
    assert_ne!(
        message
            .one("AuditSourceIdentification")
            .get("AuditSourceID"),
        ""
    );

    let mut roles = Vec::new();
    for participant in message.all("ActiveParticipant") {
        assert_ne!(participant.get("UserID"), "", "{what:?}");
        assert_ne!(participant.get("NetworkAccessPointID"), "", "{what:?}");
        assert!(["1", "2"].contains(&participant.get("NetworkAccessPointTypeCode")));
        roles.push(participant.code("RoleIDCode"));
    }
    roles.sort_unstable();
    assert_eq!(roles, [("110152", "DCM"), ("110153", "DCM")], "{what:?}");
    let own = message.all("ActiveParticipant");
    let own = own
        .iter()
        .filter(|it| !it.get("AlternativeUserID").is_empty());
    assert_eq!(own.count(), 1, "{what:?}: one side knows its process");

    let mut objects = Vec::new();
    for object in message.all("ParticipantObjectIdentification") {
        object.code("ParticipantObjectIDTypeCode");
        objects.push((
            object.get("ParticipantObjectTypeCode"),
            object.get("ParticipantObjectTypeCodeRole"),
            object.get("ParticipantObjectID"),
        ));
    }
    objects.sort_unstable();
    let mut wanted = expected.objects.to_vec();
    wanted.sort_unstable();
    assert_eq!(objects, wanted, "{what:?}");
}

#[tokio::test]
async fn every_transaction_is_recorded_once_on_each_side() {
    let town = Town::secure();
    let submission = Submission::new("P-1", vec![Document::text("recorded")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let request = words::find_documents("P-1", "LeafClass");
    town.query(request).await.unwrap();
    let document = &*submission.documents[0].unique_id;
    town.retrieve(&[document]).await.unwrap();

    let messages: Vec<Node> = town.messages().iter().map(|it| Node::parse(it)).collect();
    let patient = words::patient("P-1");
    let of_patient = ("1", "1", &*patient);
    let set = ("2", "20", &*submission.unique_id);
    let query = ("2", "24", "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d");
    let report = ("2", "3", document);
    for expected in [
        // The repository takes it from the source,
        Expected {
            transaction: "ITI-41",
            event: "110107",
            action: "C",
            objects: &[of_patient, set],
        },
        // and registers it:
        Expected {
            transaction: "ITI-42",
            event: "110106",
            action: "R",
            objects: &[of_patient, set],
        },
        // the registry takes it.
        Expected {
            transaction: "ITI-42",
            event: "110107",
            action: "C",
            objects: &[of_patient, set],
        },
        Expected {
            transaction: "ITI-18",
            event: "110112",
            action: "E",
            objects: &[of_patient, query],
        },
        Expected {
            transaction: "ITI-43",
            event: "110106",
            action: "R",
            objects: &[of_patient, report],
        },
    ] {
        check(&messages, &expected);
    }
}

/// The query itself is in its record, so that one can see later what was asked.
#[tokio::test]
async fn a_query_is_recorded_as_it_was_asked() {
    let town = Town::plain();
    let request = words::find_documents("P-1", "ObjectRef");
    town.query(request).await.unwrap();
    let messages = town.messages();
    let mut queries = messages.iter().filter(|it| it.contains("\"ITI-18\""));
    let message = queries.next().unwrap();
    let encoded = message.split("<ParticipantObjectQuery>").nth(1).unwrap();
    let encoded = encoded.split('<').next().unwrap();
    let decoded = openssl::base64::decode_block(encoded).unwrap();
    let decoded = String::from_utf8(decoded).unwrap();
    assert!(decoded.contains("AdhocQueryRequest"), "{decoded}");
    assert!(decoded.contains("14d4debf-8f97-4251-9a74-a90016b0af0d"));
    assert!(decoded.contains("P-1^^^&amp;"), "{decoded}");
}

/// A failure is recorded as one, with its patient.
#[tokio::test]
async fn failures_are_recorded_as_failures() {
    let town = Town::plain();
    let got = town.retrieve(&["2.999.404"]).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Failure);
    let unknown = words::query("00000000-0000-4000-8000-000000000000", "LeafClass", &[]);
    town.query(unknown).await.unwrap();
    let records = town.records();
    for transaction in ["ITI-43", "ITI-18"] {
        let mut found = records.iter().filter(|it| it["transaction"] == transaction);
        let record = found.next().unwrap();
        assert_eq!(record["outcome"], "8", "{record}");
        assert!(record["outcome_description"].is_string(), "{record}");
    }
}
