//! ITI-38 among communities that call their patients by names of their own: a consumer asks for its own
//! patient and sees its own patient, whatever others call them.

use hilum_tests::calls::Query;
use hilum_tests::partner::{Partner, QUERY_ANSWER, Said, found};
use hilum_tests::people::configure;
use hilum_tests::region::{Region, authority, home, patient_of};
use hilum_tests::streamed::ordered;
use hilum_tests::words::{self, Document, HOME, PATIENT_AUTHORITY, Submission, queries};
use hilum_tests::{Setup, Town};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::RegistryObject;
use xds_schemas::ebrs::{AdhocQueryResponse, RegistryError};
use xds_schemas::iti38_cross_gateway_query::patients_of;

/// A text document of a patient of the town of this number; says its uniqueId.
pub(crate) async fn provide(town: &Town, number: usize, id: &str) -> String {
    let mut submission = Submission::new(id, vec![Document::text("of this town")]);
    submission.patient_id = patient_of(number, id).to_string();
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    submission.documents[0].unique_id.clone()
}

/// A question in words of the town of this number.
pub(crate) fn of_town(number: usize, question: &str) -> String {
    let authority = format!("&amp;{}&amp;", authority(number));
    question.replace(&format!("&amp;{PATIENT_AUTHORITY}&amp;"), &authority)
}

/// FindDocuments for a patient of the town of this number.
pub(crate) fn find(number: usize, id: &str) -> String {
    of_town(number, &words::find_documents(id, "LeafClass"))
}

/// What is answered in one message, which is what all messages together say if it is wanted as it comes.
async fn ask(town: &Town, request: String) -> AdhocQueryResponse {
    let whole = town.query_everywhere(request.clone()).await.unwrap();
    let streamed = town.query_as_it_comes::<Query>(request).await.unwrap();
    assert_eq!(ordered(streamed.together()), ordered(whole.clone()));
    whole
}

/// The communities from which the objects of an answer are.
pub(crate) fn homes(response: &AdhocQueryResponse) -> Vec<String> {
    let homes = response.objects.iter().filter_map(|it| it.home.clone());
    let mut homes: Vec<String> = homes.collect();
    homes.sort();
    homes
}

pub(crate) fn urn(number: usize) -> String {
    format!("urn:oid:{}", home(number))
}

/// The patients of the objects.
pub(crate) fn patients(response: &AdhocQueryResponse) -> Vec<String> {
    let mut objects: Vec<RegistryObject> = response.objects.clone();
    let patients = objects.iter_mut().flat_map(patients_of);
    patients.map(|it| it.clone()).collect()
}

fn correlation(number: usize, other: usize, own: &str, there: &str) -> String {
    let (own, there) = (patient_of(number, own), patient_of(other, there));
    format!(
        "correlation = [{{ patient = \"{own}\", home_community_id = \"{}\", there = \"{there}\" }}]",
        urn(other)
    )
}

/// Three towns of which the first knows one patient in the second.
fn region() -> Region {
    let lines = |_, _| "patients = \"known\"".to_owned();
    Region::of_authorities(3, lines, |number| match number {
        0 => correlation(0, 1, "P-1", "X-1"),
        _ => String::new(),
    })
}

/// Each is asked by the name that it gives the patient, and who has none is not asked.
#[tokio::test]
async fn a_consumer_sees_its_own_patient() {
    let region = region();
    let town = &region.towns[0];
    provide(town, 0, "P-1").await;
    let elsewhere = provide(&region.towns[1], 1, "X-1").await;
    // Somebody who happens to have the same name as the patient of the first town.
    provide(&region.towns[1], 1, "P-1").await;
    provide(&region.towns[2], 2, "P-1").await;
    let own = patient_of(0, "P-1").to_string();

    let found = ask(town, find(0, "P-1")).await;
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    assert_eq!(homes(&found), [urn(0), urn(1)]);
    assert_eq!(patients(&found), [own.clone(), own.clone()]);
    // What the sources called the patient stays.
    let source_patients = found.objects.iter().map(|object| {
        let slots = object.slots.iter();
        slots.filter(|slot| slot.name == "sourcePatientId").count()
    });
    assert!(source_patients.into_iter().all(|count| count == 1));

    // Every parameter that names a patient.
    let status = |name: &'static str| {
        (
            name,
            "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
        )
    };
    let named = format!("'{own}'");
    let all = [
        status("$XDSDocumentEntryStatus"),
        status("$XDSSubmissionSetStatus"),
        status("$XDSFolderStatus"),
        ("$patientId", &*named),
    ];
    let everything = words::query(queries::GET_ALL, "LeafClass", &all);
    let found = ask(town, everything).await;
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    // Of each of the two: a document, a submission set, and the association between them.
    assert_eq!(homes(&found), [0, 0, 0, 1, 1, 1].map(urn));
    assert!(patients(&found).iter().all(|it| *it == own), "{found:?}");
    let sets = [
        status("$XDSSubmissionSetStatus"),
        ("$XDSSubmissionSetPatientId", &*named),
    ];
    let sets = words::query(queries::FIND_SUBMISSION_SETS, "LeafClass", &sets);
    let found = ask(town, sets).await;
    assert_eq!(patients(&found), [own.clone(), own.clone()]);

    // What is asked for by name comes with our name for the patient, too.
    let get = words::get_documents(&[&elsewhere]).replace(
        "<rim:AdhocQuery ",
        &format!("<rim:AdhocQuery home=\"{}\" ", urn(1)),
    );
    let found = ask(town, get).await;
    assert_eq!(patients(&found), [own]);
}

/// What a community gives of nobody, of somebody else, or as ours, is not taken for the patient's.
#[tokio::test]
async fn objects_of_nobody_are_left_out() {
    let there = "urn:oid:2.999.8.1";
    let entry = |number: u8, home: &str, patient: &str| {
        let patient = match patient {
            "" => String::new(),
            id => format!(
                "<rim:ExternalIdentifier id=\"urn:uuid:00000000-0000-4000-8000-00000000001{number}\" \
                 registryObject=\"urn:uuid:00000000-0000-4000-8000-00000000000{number}\" \
                 identificationScheme=\"urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427\" \
                 value=\"{id}^^^&amp;2.999.8.9&amp;ISO\"><rim:Name><rim:LocalizedString \
                 value=\"XDSDocumentEntry.patientId\"/></rim:Name></rim:ExternalIdentifier>"
            ),
        };
        format!(
            "<rim:ExtrinsicObject id=\"urn:uuid:00000000-0000-4000-8000-00000000000{number}\" \
             home=\"{home}\" objectType=\"urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1\" \
             mimeType=\"text/plain\">{patient}</rim:ExtrinsicObject>"
        )
    };
    let own = format!("urn:oid:{HOME}");
    let objects = [
        entry(1, there, "X-1"),
        entry(2, there, ""),
        entry(3, there, "X-2"),
        entry(4, &own, "X-1"),
    ]
    .concat();
    let reference = "urn:uuid:00000000-0000-4000-8000-000000000005";
    let end = "</rim:RegistryObjectList>";
    let body = found(Some(there), &[reference]).replace(end, &format!("{objects}{end}"));
    let partner = Partner::open(move |_| Said::envelope(&words::envelope(QUERY_ANSWER, &body)));
    let mut town = Town::set_up(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let known = format!(
        "correlation = [{{ patient = \"P-1^^^&{PATIENT_AUTHORITY}&ISO\", \
         home_community_id = \"{there}\", there = \"X-1^^^&2.999.8.9&ISO\" }}]"
    );
    configure(&town, &[("gateway", &known)]);
    let mut text = std::fs::read_to_string(town.config()).unwrap();
    text.push_str(&format!(
        "\n[[gateway.community]]\nhome_community_id = \"{there}\"\nname = \"partner\"\n\
         url = \"{}\"\npatients = \"known\"\n",
        partner.url()
    ));
    std::fs::write(town.config(), text).unwrap();
    town.start();
    let answer = ask(&town, words::find_documents("P-1", "LeafClass")).await;
    assert_eq!(answer.status, ResponseStatus::PartialSuccess);
    let ids: Vec<&str> = answer.objects.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(
        ids,
        [reference, "urn:uuid:00000000-0000-4000-8000-000000000001"]
    );
    let told = |error: &RegistryError| (error.code.as_str().to_owned(), error.location.clone());
    let told: Vec<_> = answer.errors.iter().map(told).collect();
    let error = ("XDSRegistryError".to_owned(), Some(there.to_owned()));
    assert_eq!(told, [error.clone(), error], "{:?}", answer.errors);
}

/// Who has no name elsewhere is nobody there, which is no error; and one community that cannot be asked does
/// not keep the others from answering.
#[tokio::test]
async fn who_is_not_known_elsewhere_is_not_asked_for() {
    let mut region = region();
    provide(&region.towns[0], 0, "Q").await;
    let found = ask(&region.towns[0], find(0, "Q")).await;
    assert_eq!(
        (found.status, found.errors.len()),
        (ResponseStatus::Success, 0)
    );
    assert_eq!(homes(&found), [urn(0)]);
    let asked = region.towns[1].records();
    let asked = asked.iter().filter(|it| it["transaction"] == "ITI-38");
    assert_eq!(asked.count(), 0, "nobody asked there");

    // In the other direction nothing is known of anybody.
    provide(&region.towns[1], 1, "X-1").await;
    let found = ask(&region.towns[1], find(1, "X-1")).await;
    assert_eq!(homes(&found), [urn(1)]);

    region.towns[1].stop();
    let found = ask(&region.towns[0], find(0, "P-1")).await;
    let codes: Vec<&str> = found.errors.iter().map(|it| it.code.as_str()).collect();
    assert_eq!(codes, ["XDSUnavailableCommunity"]);
}
