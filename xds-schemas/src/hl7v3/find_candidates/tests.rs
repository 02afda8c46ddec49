//! What partners write in other ways than we do.

use super::*;
use crate::hl7v3::Found;
use crate::metadata::PatientId;
use crate::xml::{FromXml, Reader, ToXml, Writer, XmlError, ns};

fn question(parameters: &str) -> Result<FindCandidatesQuery, XmlError> {
    let xml = format!(
        r#"<x:PRPA_IN201305UV02 xmlns:x="{}" xmlns="{}"><id root="1.2"/>
        <sender><device><id root="1.2.4"/><asAgent><representedOrganization><id root="1.2.6"/>
        </representedOrganization></asAgent></device></sender>
        <controlActProcess><authorOrPerformer typeCode="AUT"><assignedDevice><id root="1.2.3.9"/>
        </assignedDevice></authorOrPerformer><queryByParameter><queryId root="1.3"/>
        <parameterList>{parameters}</parameterList></queryByParameter></controlActProcess>
        </x:PRPA_IN201305UV02>"#,
        ns::HL7V3,
        ns::HL7V3
    );
    let mut reader = Reader::new(xml.as_bytes())?;
    let root = reader.root()?;
    FindCandidatesQuery::from_xml(&mut reader, &root)
}

/// ITI TF-2 3.55.4.1.2.4, whose example writes LivingSubjectId with a capital letter.
#[test]
fn a_community_says_who_it_is_and_which_patient_is_its_own() {
    let parameters = r#"<livingSubjectName><value> <given>Jimmy</given> , <family>Jones</family>
        </value><semanticsText>x</semanticsText></livingSubjectName>
        <LivingSubjectId><value root="2.16.1" extension="58910"/></LivingSubjectId>
        <LivingSubjectId><value root="1.2.3.9" extension="1234"/></LivingSubjectId>
        <livingSubjectBirthTime><value><low value="19590101"/></value></livingSubjectBirthTime>"#;
    let question = question(parameters).unwrap();
    assert_eq!(
        question.transmission.sender_organization.as_deref(),
        Some("1.2.6")
    );
    assert_eq!(
        question.patient_of_asker(),
        Some(PatientId::new("1234", "1.2.3.9"))
    );
    let asked = question.query.parameters;
    assert_eq!(
        asked.names,
        [crate::person::PersonName::of("Jones", "Jimmy")]
    );
    assert_eq!(asked.ids.len(), 2);
    assert_eq!(asked.birth_time.unwrap().low.unwrap().as_str(), "19590101");
}

#[test]
fn a_question_without_parameters_is_empty() {
    let asked = question("<patientStatusCode/>").unwrap().query.parameters;
    assert!(asked.is_empty());
    assert_eq!(asked.others, ["patientStatusCode"]);
    let one =
        "<livingSubjectAdministrativeGender><value code='F'/></livingSubjectAdministrativeGender>";
    assert!(!question(one).unwrap().query.parameters.is_empty());
}

/// A question that is passed on must not fit more people than before.
#[test]
fn what_is_no_date_stays_none() {
    let parameters = r#"<livingSubjectBirthTime><value><low value="?"/><high value="1973"/></value>
        </livingSubjectBirthTime>"#;
    let question = question(parameters).unwrap();
    let asked = &question.query.parameters;
    assert!(asked.birth_time_is_wrong);
    let mut writer = Writer::default();
    question.to_xml(&mut writer);
    let written = writer.finish();
    let mut reader = Reader::new(written.as_bytes()).unwrap();
    let root = reader.root().unwrap();
    assert_eq!(
        FindCandidatesQuery::from_xml(&mut reader, &root).unwrap(),
        question
    );
}

#[test]
fn a_question_has_so_many_values() {
    let one = "<livingSubjectId><value root='1.2' extension='1'/></livingSubjectId>";
    assert!(question(&one.repeat(MOST_PARAMETERS)).is_ok());
    let error = question(&one.repeat(MOST_PARAMETERS + 1)).unwrap_err();
    assert!(error.reason.contains("more than 100"), "{error}");
}

/// ITI TF-2 3.55.4.2.2.6 and 3.55.4.2.2.7.
#[test]
fn issues_are_read_as_the_framework_writes_them() {
    let xml = format!(
        r#"<PRPA_IN201306UV02 xmlns="{}"><acknowledgement><typeCode code="AE"/><targetMessage>
        <id root="1.2"/></targetMessage></acknowledgement><controlActProcess>
        <reasonOf typeCode="RSON"><detectedIssueEvent classCode="ALRT" moodCode="EVN">
        <code code="_ActAdministrativeDetectedIssueManagementCode" codeSystem="2.16.840.1.113883.5.4"/>
        <mitigatedBy typeCode="MITGT"><detectedIssueManagement classCode="ACT" moodCode="EVN">
        <code code="ResponderBusy" codeSystem="1.3.6.1.4.1.19376.1.2.27.3"/>
        </detectedIssueManagement></mitigatedBy></detectedIssueEvent></reasonOf>
        <queryAck><queryId root="1.3"/><queryResponseCode code="AE"/></queryAck>
        </controlActProcess></PRPA_IN201306UV02>"#,
        ns::HL7V3
    );
    let mut reader = Reader::new(xml.as_bytes()).unwrap();
    let root = reader.root().unwrap();
    let answer = FindCandidatesResponse::from_xml(&mut reader, &root).unwrap();
    assert_eq!(answer.issues, [Issue::Problem(Problem::ResponderBusy)]);
    assert_eq!(answer.found, Found::Error);
    assert_eq!(answer.query.id.root, "1.3");
}
