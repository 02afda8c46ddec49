//! ITI-80 among communities that call their patients by names of their own: what is handed to a community
//! names its patient as that community does, or is not handed over at all.

use hilum_tests::Town;
use hilum_tests::calls::{Provide, Raw, parts};
use hilum_tests::region::{Region, patient_of};
use hilum_tests::words::{self, Document, Submission};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{AdhocQueryResponse, RegistryResponse};

use crate::codes;
use crate::iti38_translated_patients::{find, patients, urn};
use crate::iti55_cross_gateway_patient_discovery::{announce, discovering, jane, merge};
use crate::iti80_cross_gateway_document_provide::{meant_for, provide_large};

/// Something of a patient of the town of this number.
fn of_patient(number: usize, id: &str) -> Submission {
    let mut submission = Submission::new(id, vec![Document::text("for others")]);
    submission.patient_id = patient_of(number, id).to_string();
    submission
}

/// Hands it to the town's own gateway for the second one.
async fn hand_over(town: &Town, submission: &Submission) -> RegistryResponse {
    let url = town.initiating();
    let request = Raw(meant_for(submission, &urn(1)));
    let sent = town
        .client
        .send::<Provide>(&url, &request, parts(submission));
    sent.await.unwrap().response
}

async fn found(town: &Town, id: &str) -> AdhocQueryResponse {
    let found = town.query(find(1, id)).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    found
}

/// The audit messages of ITI-80.
fn across(town: &Town) -> Vec<String> {
    let mut messages = town.messages();
    messages.retain(|it| it.contains("csd-code=\"ITI-80\""));
    messages
}

/// Two towns of which the first knows one patient in the second.
fn acquainted(patients: &'static str) -> Region {
    let lines = move |_, _| format!("patients = \"{patients}\"");
    let correlation = format!(
        "correlation = [{{ patient = \"{}\", home_community_id = \"{}\", there = \"{}\" }}]",
        patient_of(0, "P-1"),
        urn(1),
        patient_of(1, "X-1")
    );
    Region::of_authorities(2, lines, |number| match number {
        0 => correlation.clone(),
        _ => String::new(),
    })
}

/// What was refused, in words that name the community and no patient; nothing of it went anywhere.
fn refused(response: &RegistryResponse, code: &str, patient: &str) {
    assert_eq!(response.status, ResponseStatus::Failure, "{response:?}");
    assert_eq!(codes(response), [code], "{response:?}");
    let error = &response.errors[0];
    assert_eq!(error.location, Some(urn(1)), "{error:?}");
    assert!(error.context.contains("town 1"), "{error:?}");
    assert!(error.context.contains("nothing was sent"), "{error:?}");
    assert!(!error.context.contains(patient), "{error:?}");
}

/// XCDR 40, the Initiating Gateway: the patient is named as the target community names them; what the
/// source called them stays, and the records say both.
#[tokio::test]
async fn a_community_gets_its_own_name_for_the_patient() {
    let region = acquainted("known");
    let [town, away] = [&region.towns[0], &region.towns[1]];
    let mut submission = of_patient(0, "P-1");
    submission.more = folder(&submission.patient_id);
    let response = hand_over(town, &submission).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");

    let (own, there) = (patient_of(0, "P-1"), patient_of(1, "X-1"));
    let found = found(away, "X-1").await;
    assert_eq!(patients(&found), [there.to_string()]);
    let slots = &found.objects[0].slots;
    let source = slots.iter().find(|slot| slot.name == "sourcePatientId");
    assert!(!source.unwrap().values[0].contains("X-1"), "{source:?}");
    let named = format!("'{}'", words::escaped(&there.to_string()));
    let status = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";
    let folders = [
        ("$XDSFolderPatientId", &*named.replace("&amp;", "&")),
        ("$XDSFolderStatus", status),
    ];
    let folders = words::query(
        "958f3006-baad-4929-a4de-ff1114824431",
        "LeafClass",
        &folders,
    );
    let folders = away.query(folders).await.unwrap();
    assert_eq!(patients(&folders), [there.to_string()]);

    let escaped = |patient: String| words::escaped(&patient);
    let (own, there) = (escaped(own.to_string()), escaped(there.to_string()));
    for town in &region.towns {
        let said = across(town);
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(
            said[0].contains(&there) && !said[0].contains(&own),
            "{said:?}"
        );
    }
    let messages = town.messages();
    let provided = messages
        .iter()
        .filter(|it| it.contains("csd-code=\"ITI-41\""));
    let provided: Vec<&String> = provided.collect();
    assert!(provided[0].contains(&own), "{provided:#?}");
    for town in &region.towns {
        assert!(!town.log().contains("X-1"), "{}", town.log());
    }
}

/// An empty folder of the patient.
fn folder(patient: &str) -> String {
    let (folder, code) = (words::new_uuid(), words::new_uuid());
    let patient = words::escaped(patient);
    let name = |text: &str| format!("<rim:Name><rim:LocalizedString value=\"{text}\"/></rim:Name>");
    format!(
        "<rim:RegistryPackage id=\"{folder}\">{}\
         <rim:Classification id=\"{code}\" classificationScheme=\"urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5\" \
         classifiedObject=\"{folder}\" nodeRepresentation=\"18748-4\"><rim:Slot name=\"codingScheme\"><rim:ValueList>\
         <rim:Value>2.16.840.1.113883.6.1</rim:Value></rim:ValueList></rim:Slot>{}</rim:Classification>\
         <rim:ExternalIdentifier id=\"{}\" identificationScheme=\"urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a\" \
         registryObject=\"{folder}\" value=\"{patient}\">{}</rim:ExternalIdentifier>\
         <rim:ExternalIdentifier id=\"{}\" identificationScheme=\"urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a\" \
         registryObject=\"{folder}\" value=\"{}\">{}</rim:ExternalIdentifier></rim:RegistryPackage>\
         <rim:Classification id=\"{}\" classifiedObject=\"{folder}\" \
         classificationNode=\"urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2\"/>\
         <rim:Association id=\"{}\" associationType=\"urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember\" \
         sourceObject=\"SubmissionSet\" targetObject=\"{folder}\"/>",
        name("Letters"),
        name("Diagnostic imaging study"),
        words::new_uuid(),
        name("XDSFolder.patientId"),
        words::new_uuid(),
        words::new_oid(),
        name("XDSFolder.uniqueId"),
        words::new_uuid(),
        words::new_uuid(),
    )
}

/// Who has no name there is not sent there; an identifier that is not of this community goes as it is.
#[tokio::test]
async fn nothing_is_sent_of_a_patient_who_is_not_known_there() {
    let region = acquainted("known");
    let [town, away] = [&region.towns[0], &region.towns[1]];
    let response = hand_over(town, &of_patient(0, "Q-77")).await;
    refused(&response, "XDSUnknownPatientId", "Q-77");
    assert_eq!(across(town).len() + across(away).len(), 0);
    assert!(!town.log().contains("Q-77"), "{}", town.log());
    let failed = |it: &&String| it.contains("csd-code=\"ITI-41\"") && it.contains("Q-77");
    let messages = town.messages();
    let failed = messages.iter().find(failed).expect("a record of it");
    assert!(failed.contains("EventOutcomeIndicator=\"8\""), "{failed}");

    // An identifier that nobody can read cannot be translated.
    let mut submission = of_patient(0, "P-1");
    submission.patient_id = "P-1".to_owned();
    let response = hand_over(town, &submission).await;
    assert_eq!(codes(&response), ["XDSRepositoryMetadataError"]);
    assert_eq!(across(away).len(), 0);

    // The source knows what the patient is called there.
    let response = hand_over(town, &of_patient(1, "X-9")).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let there = patient_of(1, "X-9").to_string();
    assert_eq!(patients(&found(away, "X-9").await), [there]);
}

/// Where communities share an authority, nothing is looked up or changed.
#[tokio::test]
async fn who_shares_an_authority_gets_it_as_it_is() {
    let region = acquainted("same");
    let [town, away] = [&region.towns[0], &region.towns[1]];
    let response = hand_over(town, &of_patient(1, "P-1")).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let there = patient_of(1, "P-1").to_string();
    assert_eq!(patients(&found(away, "P-1").await), [there]);
    // Even if it is one of this community for which another name is known.
    let response = hand_over(town, &of_patient(0, "P-1")).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let told = words::escaped(&patient_of(0, "P-1").to_string());
    let said = across(away);
    assert!(said.iter().any(|it| it.contains(&told)), "{said:#?}");
}

/// What the patient is called there is found out (ITI-55) before anything is sent; a name that is out of
/// date is noticed, and found out anew the next time.
#[tokio::test]
async fn it_is_found_out_what_the_patient_is_called_there() {
    let mut region = discovering(2, "");
    let [town, away] = [&region.towns[0], &region.towns[1]];
    announce(town, 0, jane("A-1")).await;
    announce(town, 0, ["A-2", "Roe", "19810203", "M", ""]).await;
    announce(away, 1, jane("B-1")).await;
    let response = hand_over(town, &of_patient(0, "A-1")).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let there = patient_of(1, "B-1").to_string();
    assert_eq!(patients(&found(away, "B-1").await), [there]);

    let response = hand_over(town, &of_patient(0, "A-2")).await;
    refused(&response, "XDSUnknownPatientId", "A-2");
    assert!(!response.errors[0].context.contains("Roe"), "{response:?}");

    announce(away, 1, jane("B-2")).await;
    merge(away, 1, "B-1", "B-2").await;
    let response = hand_over(town, &of_patient(0, "A-1")).await;
    assert_eq!(codes(&response), ["XDSUnknownPatientId"], "{response:?}");
    let response = hand_over(town, &of_patient(0, "A-1")).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let there = patient_of(1, "B-2").to_string();
    let all = patients(&found(away, "B-2").await);
    assert_eq!(all, [there.clone(), there], "before and after the merge");

    // Who is away cannot be asked who it is.
    announce(&region.towns[0], 0, ["A-3", "Poe", "19790304", "F", ""]).await;
    region.towns[1].stop();
    let response = hand_over(&region.towns[0], &of_patient(0, "A-3")).await;
    refused(&response, "XDSUnavailableCommunity", "A-3");
    assert!(!region.towns[0].log().contains("Poe"));
}

/// While it is found out who it is, and after that, documents need little memory.
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_with_other_names() {
    let region = acquainted("known");
    let [town, away] = [&region.towns[0], &region.towns[1]];
    let provide = async |size| provide_large(town, of_patient(0, "P-1"), size).await;
    provide(1000).await;
    town.forget_peak();
    let before = town.peak_memory();
    provide(96 << 20).await;
    let growth = town.peak_memory() - before;
    assert!(growth < 48 << 20, "the node grew by {growth} bytes");
    assert_eq!(found(away, "X-1").await.objects.len(), 2);
}
