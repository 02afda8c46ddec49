//! ITI-51 at an Initiating Gateway, and every stored query on the way across communities: what is found comes
//! from everybody whom it concerns, and says of each object whose it is (ITI TF-2 3.38.4.1.3).

use std::collections::BTreeSet;

use hilum_tests::Town;
use hilum_tests::calls::{Query, QuerySeveral, Raw};
use hilum_tests::region::{Region, home};
use hilum_tests::streamed::ordered;
use hilum_tests::words::{self, Document, Submission};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::AdhocQueryResponse;
use xds_schemas::iti18_registry_stored_query::QueryKind;

const APPROVED: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";
const UNIQUE_ID: &str = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab";
const REFERENCE: &str = "S-1^^^&1.2.3&ISO^urn:hilum:xds:2026:specimen";

fn urn(number: usize) -> String {
    format!("urn:oid:{}", home(number))
}

/// A document that every query finds: with images, measurements and a specimen.
fn document() -> Document {
    let slot = |name: &str, values: &[&str]| {
        let values = values.iter().map(|value| (*value).to_owned());
        (name.to_owned(), values.collect())
    };
    Document {
        slots: vec![
            slot(
                "urn:hilum:acquisition:2026:1.2.3",
                &["Modality=CT", "SliceThickness=1.25 mm"],
            ),
            slot(
                "urn:hilum:measurement:2026:1",
                &[
                    "concept=118565006^Volume^2.16.840.1.113883.6.96",
                    "value=1500",
                    "unit=mm3^mm3^2.16.840.1.113883.6.8",
                ],
            ),
            slot("urn:ihe:iti:xds:2013:referenceIdList", &[REFERENCE]),
        ],
        ..Document::text("a manifest")
    }
}

/// A document of the patient in a folder, which another one signs.
async fn provided(town: &Town, patient: &str) {
    let mut submission = Submission::new(patient, vec![document(), Document::text("signs")]);
    let [first, second] = [0, 1].map(|at| submission.documents[at].id.clone());
    submission.more = format!(
        "<rim:Association id=\"Signs\" associationType=\"urn:ihe:iti:2007:AssociationType:signs\" \
         sourceObject=\"{second}\" targetObject=\"{first}\"/>"
    );
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let file = town.folder().join("letter.txt");
    std::fs::write(&file, "in a folder").unwrap();
    let file = file.to_str().unwrap();
    let folder = ["--patient", patient, "--new-folder", "A stay"];
    let ran = town.run(&[&["submit", file], &folder[..]].concat());
    assert!(ran.status.success(), "{ran:?}");
}

fn query(kind: QueryKind, return_type: &str, slots: &[(&str, &str)]) -> String {
    let id = kind.id().trim_start_matches("urn:uuid:");
    words::query(id, return_type, slots)
}

fn at_home(query: &str, home: &str) -> String {
    let begin = "<rim:AdhocQuery ";
    query.replace(begin, &format!("{begin}home=\"{home}\" "))
}

/// Asks for one answer and for one in several messages, which together say the same.
async fn ask(town: &Town, kind: QueryKind, request: String) -> AdhocQueryResponse {
    let (whole, streamed) = match kind.is_of_several_patients() {
        false => (
            town.query_everywhere(request.clone()).await.unwrap(),
            town.query_as_it_comes::<Query>(request).await.unwrap(),
        ),
        true => {
            let (client, raw) = (&town.client, Raw(request.clone()));
            let url = town.initiating();
            let asked = client.send::<QuerySeveral>(&url, &raw, Vec::new());
            (
                asked.await.unwrap().response,
                town.query_as_it_comes::<QuerySeveral>(request)
                    .await
                    .unwrap(),
            )
        }
    };
    assert_eq!(
        ordered(streamed.together()),
        ordered(whole.clone()),
        "{}",
        kind.name()
    );
    for part in &streamed.parts {
        for object in &part.response.objects {
            let home = object.home.as_deref();
            assert!(home.is_none_or(|home| home == part.community), "{object:?}");
        }
    }
    whole
}

/// From which communities the objects are. Each must say so but for associations, which need not.
fn homes(response: &AdhocQueryResponse) -> BTreeSet<String> {
    let is_association = |object: &RegistryObject| matches!(object.body, Body::Association { .. });
    let objects = response.objects.iter().filter(|it| !is_association(it));
    objects
        .map(|object| object.home.clone().expect("an object says whose it is"))
        .collect()
}

/// What one community has: all objects of a patient.
struct Objects(Vec<RegistryObject>);

impl Objects {
    async fn of(town: &Town) -> Self {
        let patient = format!("'{}'", words::patient("P-1"));
        let slots = [
            ("$patientId", &*patient),
            ("$XDSDocumentEntryStatus", APPROVED),
            ("$XDSSubmissionSetStatus", APPROVED),
            ("$XDSFolderStatus", APPROVED),
        ];
        let everything = query(QueryKind::GetAll, "LeafClass", &slots);
        Self(town.query(everything).await.unwrap().objects)
    }

    fn value(&self, wanted: impl Fn(&&RegistryObject) -> bool) -> String {
        let object = self.0.iter().find(wanted).expect("it is there");
        format!("'{}'", object.id)
    }

    fn entry(&self) -> String {
        let is_entry = |it: &&RegistryObject| it.slot("urn:hilum:measurement:2026:1").is_some();
        self.value(is_entry)
    }

    fn in_folder(&self, folder: &str) -> String {
        let folder = folder.trim_matches('\'');
        let target = self.0.iter().find_map(|it| match &it.body {
            Body::Association { source, target, .. }
                if source == folder
                    && self.0.iter().any(|it| {
                        it.id == *target && it.external_identifier(UNIQUE_ID).is_some()
                    }) =>
            {
                Some(target.clone())
            }
            _ => None,
        });
        format!("'{}'", target.expect("the folder holds something"))
    }

    fn package(&self, node: &str) -> String {
        self.value(|it| it.is_classified_as(node))
    }
}

const SUBMISSION_SET: &str = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd";
const FOLDER: &str = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2";

/// A kind of query, its parameters, and whether these are names of objects.
type Row = (QueryKind, Vec<(&'static str, String)>, bool);

/// Every kind of query, and what it is asked with; names of objects are those of one community.
#[expect(clippy::too_many_lines, reason = "a table")]
fn table(objects: &Objects) -> Vec<Row> {
    let patient = || format!("'{}'", words::patient("P-1"));
    let patients = || format!("({})", patient());
    let list = |id: String| format!("({id})");
    let approved = || APPROVED.to_owned();
    let document = || {
        vec![
            ("$XDSDocumentEntryPatientId", patient()),
            ("$XDSDocumentEntryStatus", approved()),
        ]
    };
    let with =
        |more: (&'static str, &str)| [document(), vec![(more.0, more.1.to_owned())]].concat();
    let reference = (
        "$XDSDocumentEntryReferenceIdList",
        format!("('{REFERENCE}')"),
    );
    let thin = ("$HilumAcquisition", "('SliceThickness le 2 mm')");
    let several = || {
        vec![
            ("$XDSDocumentEntryPatientId", patients()),
            ("$XDSDocumentEntryStatus", approved()),
        ]
    };
    let folder = objects.package(FOLDER);
    let set = objects.package(SUBMISSION_SET);
    let imaging = |slot: (&'static str, &'static str)| {
        vec![
            ("$XDSDocumentEntryStatus", approved()),
            (slot.0, slot.1.to_owned()),
        ]
    };
    use QueryKind as K;
    vec![
        (K::FindDocuments, document(), false),
        (
            K::FindDocumentsByReferenceId,
            with((reference.0, &reference.1)),
            false,
        ),
        (
            K::FindDocumentsExclude,
            with(("$XDSDocumentEntryTypeCodeExclude", "('none^^1.2.3')")),
            false,
        ),
        (
            K::FindSubmissionSets,
            vec![
                ("$XDSSubmissionSetPatientId", patient()),
                ("$XDSSubmissionSetStatus", approved()),
            ],
            false,
        ),
        (
            K::FindFolders,
            vec![
                ("$XDSFolderPatientId", patient()),
                ("$XDSFolderStatus", approved()),
            ],
            false,
        ),
        (
            K::GetAll,
            vec![
                ("$patientId", patient()),
                ("$XDSDocumentEntryStatus", approved()),
                ("$XDSSubmissionSetStatus", approved()),
                ("$XDSFolderStatus", approved()),
            ],
            false,
        ),
        (K::FindDocumentsForMultiplePatients, several(), false),
        (
            K::FindDocumentsByReferenceIdForMultiplePatients,
            [several(), vec![reference]].concat(),
            false,
        ),
        (
            K::FindFoldersForMultiplePatients,
            vec![
                ("$XDSFolderPatientId", patients()),
                ("$XDSFolderStatus", approved()),
            ],
            false,
        ),
        (K::FindDocumentsByAcquisition, imaging(thin), false),
        (
            K::FindDocumentsByMeasurement,
            imaging(("$HilumMeasurement", "('118565006^^SCT gt 1 cm3')")),
            false,
        ),
        (
            K::FindDocumentsBySpecimen,
            imaging(("$HilumSpecimen", "('S-1')")),
            false,
        ),
        (K::FindDocumentsForCohort, imaging(thin), false),
        (
            K::GetDocuments,
            vec![("$XDSDocumentEntryEntryUUID", list(objects.entry()))],
            true,
        ),
        (
            K::GetFolders,
            vec![("$XDSFolderEntryUUID", list(folder.clone()))],
            true,
        ),
        (
            K::GetAssociations,
            vec![("$uuid", list(objects.entry()))],
            true,
        ),
        (
            K::GetDocumentsAndAssociations,
            vec![("$XDSDocumentEntryEntryUUID", list(objects.entry()))],
            true,
        ),
        (
            K::GetSubmissionSets,
            vec![("$uuid", list(objects.entry()))],
            true,
        ),
        (
            K::GetSubmissionSetAndContents,
            vec![("$XDSSubmissionSetEntryUUID", set)],
            true,
        ),
        (
            K::GetFolderAndContents,
            vec![("$XDSFolderEntryUUID", folder.clone())],
            true,
        ),
        (
            K::GetFoldersForDocument,
            vec![("$XDSDocumentEntryEntryUUID", objects.in_folder(&folder))],
            true,
        ),
        (
            K::GetRelatedDocuments,
            vec![
                ("$XDSDocumentEntryEntryUUID", objects.entry()),
                (
                    "$AssociationTypes",
                    "('urn:ihe:iti:2007:AssociationType:signs')".to_owned(),
                ),
            ],
            true,
        ),
    ]
}

#[tokio::test]
async fn every_stored_query_goes_across_communities() {
    let region = Region::plain(2);
    for town in &region.towns {
        provided(town, "P-1").await;
    }
    let town = &region.towns[0];
    let objects = Objects::of(&region.towns[1]).await;
    let table = table(&objects);
    let tried: Vec<QueryKind> = table.iter().map(|(kind, ..)| *kind).collect();
    for kind in QueryKind::ALL {
        assert!(tried.contains(kind), "{} is not tried", kind.name());
    }
    for (kind, slots, is_by_name) in table {
        let name = kind.name();
        let slots: Vec<(&str, &str)> = slots.iter().map(|it| (it.0, &*it.1)).collect();
        for return_type in ["LeafClass", "ObjectRef"] {
            let request = query(kind, return_type, &slots);
            if is_by_name {
                let nobody = ask(town, kind, request.clone()).await;
                let code = nobody.errors[0].code.as_str();
                assert_eq!(code, "XDSMissingHomeCommunityId", "{name}");
                let found = ask(town, kind, at_home(&request, &urn(1))).await;
                assert_eq!(
                    found.status,
                    ResponseStatus::Success,
                    "{name} {:?}",
                    found.errors
                );
                assert!(!found.objects.is_empty(), "{name}");
                if kind != QueryKind::GetAssociations || return_type == "ObjectRef" {
                    assert_eq!(homes(&found), BTreeSet::from([urn(1)]), "{name}");
                }
                // Nobody has in one community what was named in the other.
                let own = ask(town, kind, at_home(&request, &urn(0))).await;
                assert!(own.objects.is_empty(), "{name}");
                continue;
            }
            let found = ask(town, kind, request).await;
            assert_eq!(
                found.status,
                ResponseStatus::Success,
                "{name} {:?}",
                found.errors
            );
            assert_eq!(homes(&found), BTreeSet::from([urn(0), urn(1)]), "{name}");
            let each = |home: &str| {
                let objects = found.objects.iter();
                objects
                    .filter(|it| it.home.as_deref() == Some(home))
                    .count()
            };
            assert_eq!(each(&urn(0)), each(&urn(1)), "{name}");
        }
    }
}

/// ITI TF-2 3.51.4.1.3: patients who are not known have nothing; who is away is told of once.
#[tokio::test]
async fn several_patients_in_all_communities_and_who_is_away() {
    let mut region = Region::secure(3);
    for (number, town) in region.towns.iter().enumerate() {
        for patient in ["P-1", &format!("P-only-{number}")] {
            let submission = Submission::new(patient, vec![Document::text("of this town")]);
            let response = town.provide(&submission).await.unwrap();
            assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        }
    }
    let kind = QueryKind::FindDocumentsForMultiplePatients;
    let of = |patients: &[&str]| {
        let ids = patients
            .iter()
            .map(|id| format!("'{}'", words::patient(id)));
        let ids = format!("({})", ids.collect::<Vec<_>>().join(","));
        let status = ("$XDSDocumentEntryStatus", APPROVED);
        let slots = [("$XDSDocumentEntryPatientId", &*ids), status];
        query(kind, "LeafClass", &slots)
    };
    let town = &region.towns[0];
    let asked = of(&["P-1", "P-only-1", "P-only-2", "Nobody"]);
    let found = ask(town, kind, asked.clone()).await;
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    assert_eq!(found.objects.len(), 5);
    let one = ask(town, kind, at_home(&asked, &urn(1))).await;
    assert_eq!(homes(&one), BTreeSet::from([urn(1)]));
    assert_eq!(one.objects.len(), 2);

    // Who is named twice is one patient.
    let twice = of(&["P-1", "P-only-1", "P-1", "P-only-1"]);
    let found = ask(town, kind, twice.clone()).await;
    assert_eq!(found.objects.len(), 4, "{:?}", found.errors);
    let one = ask(town, kind, at_home(&twice, &urn(1))).await;
    assert_eq!(one.objects.len(), 2, "{:?}", one.errors);

    // A question that names no patient goes on as it is.
    let class = (
        "$XDSDocumentEntryClassCode",
        "('REPORTS^^1.3.6.1.4.1.19376.1.2.6.1')",
    );
    let status = ("$XDSDocumentEntryStatus", APPROVED);
    let all = query(kind, "ObjectRef", &[status, class]);
    let found = ask(town, kind, all).await;
    assert_eq!(found.objects.len(), 6, "{:?}", found.errors);

    let many: Vec<String> = (0..101).map(|number| format!("P-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let many = ask(town, kind, of(&many)).await;
    assert_eq!(many.errors[0].code.as_str(), "XDSStoredQueryParamNumber");
    let single = words::find_documents("P-1", "ObjectRef");
    let single = ask(town, kind, single).await;
    assert_eq!(single.errors[0].code.as_str(), "XDSUnknownStoredQuery");

    region.towns[2].stop();
    let town = &region.towns[0];
    let found = ask(town, kind, asked).await;
    assert_eq!(found.status, ResponseStatus::PartialSuccess);
    assert_eq!(found.objects.len(), 3);
    let away = urn(2);
    let told: Vec<_> = found
        .errors
        .iter()
        .map(|error| (error.code.as_str(), error.location.as_deref()))
        .collect();
    assert_eq!(told, [("XDSUnavailableCommunity", Some(&*away))]);
    let code = "csd-code=\"ITI-51\"";
    assert!(town.messages().iter().any(|it| it.contains(code)));
}
