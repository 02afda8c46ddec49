//! What partners write in other ways than we do.

use super::*;
use crate::hl7v3::{Found, Verdict};
use crate::metadata::PatientId;

/// ITI TF-2 3.45.4.2.4: identifiers of both places make one list.
#[test]
fn identifiers_of_the_role_and_of_the_person_are_one_list() {
    let xml = format!(
        r#"<PRPA_IN201310UV02 xmlns="{}"><acknowledgement><typeCode code="AA"/></acknowledgement>
        <controlActProcess><subject><registrationEvent><subject1><patient>
        <id root="1.2.3.7" extension="L1"/><patientPerson><name>Anna</name>
        <asOtherIDs><id root="1.2.3.8" extension="M1"/><scopingOrganization><id root="1.2.3.8"/>
        </scopingOrganization></asOtherIDs></patientPerson></patient></subject1></registrationEvent>
        </subject><queryAck><queryId root="1.3"/><queryResponseCode code="OK"/></queryAck>
        </controlActProcess></PRPA_IN201310UV02>"#,
        ns::HL7V3
    );
    let mut reader = Reader::new(xml.as_bytes()).unwrap();
    let root = reader.root().unwrap();
    let answer = GetIdentifiersResponse::from_xml(&mut reader, &root).unwrap();
    let ids = [
        PatientId::new("L1", "1.2.3.7"),
        PatientId::new("M1", "1.2.3.8"),
    ];
    assert_eq!(answer.ids, ids);
    assert_eq!(answer.found, Found::Data);
    assert_eq!(answer.acknowledgement.verdict, Verdict::Accepted);
    assert_eq!(answer.name.unwrap().text.as_deref(), Some("Anna"));
}
