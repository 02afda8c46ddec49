//! Queries of our own over ITI-18, about what an imaging source says in extra metadata
//! (`docs/imaging-queries.md`).

use hilum_tests::Town;
use hilum_tests::words::{self, Document, Submission};
use xds_schemas::codes::status::ResponseStatus;

const APPROVED: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";
const BY_ACQUISITION: &str = "197ed271-cf44-4bff-907d-e45ca7fd9a04";
const FOR_COHORT: &str = "54d592b1-30f5-48f5-a414-09f9914e2833";

/// A document with slots of extra metadata.
fn document(slots: &[(&str, &[&str])]) -> Document {
    let slot = |(name, values): &(&str, &[&str])| {
        let values = values.iter().map(|value| (*value).to_owned());
        ((*name).to_owned(), values.collect())
    };
    Document {
        slots: slots.iter().map(slot).collect(),
        ..Document::text("a manifest")
    }
}

fn ask(id: &str, slots: &[(&str, &str)]) -> String {
    let status = [("$XDSDocumentEntryStatus", APPROVED)];
    words::query(id, "LeafClass", &[&status[..], slots].concat())
}

/// What was measured.
const LINES: [&str; 4] = [
    "concept=118565006^Volume^2.16.840.1.113883.6.96",
    "value=1500",
    "unit=mm3^mm3^2.16.840.1.113883.6.8",
    "site=39607008^Lung^2.16.840.1.113883.6.96",
];

/// A thin series in a sharp kernel and a thick one in a soft one, with a lesion and a specimen.
fn thin() -> Document {
    document(&[
        (
            "urn:hilum:acquisition:2026",
            &[
                "Modality=CT",
                "bodyPart=51185008^Chest^2.16.840.1.113883.6.96",
            ],
        ),
        (
            "urn:hilum:acquisition:2026:1.2.3",
            &["SliceThickness=1.25 mm", "ConvolutionKernel=B70f"],
        ),
        (
            "urn:hilum:acquisition:2026:1.2.4",
            &["SliceThickness=5 mm", "ConvolutionKernel=B30f"],
        ),
        ("urn:hilum:measurement:2026:1", &LINES),
        (
            "urn:ihe:iti:xds:2013:referenceIdList",
            &["S-1^^^&1.2.3&ISO^urn:hilum:xds:2026:specimen"],
        ),
    ])
}

/// A thick series in a sharp kernel.
fn thick() -> Document {
    document(&[(
        "urn:hilum:acquisition:2026:1.2.5",
        &[
            "Modality=CT",
            "SliceThickness=5 mm",
            "ConvolutionKernel=B70f",
        ],
    )])
}

/// ITI TF-3 4.2.3.1.6: what an imaging source says in extra metadata comes through the repository into
/// the registry, is found there for all patients, and comes back as it was.
#[tokio::test]
async fn images_are_found_by_what_is_said_of_them() {
    let town = Town::secure();
    let (thin, thick) = (thin(), thick());
    let unique_id = thin.unique_id.clone();
    for (patient, document) in [("P-1", thin), ("P-2", thick)] {
        let response = town
            .provide(&Submission::new(patient, vec![document]))
            .await
            .unwrap();
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        assert_eq!(response.errors, []);
    }
    let made = |condition| ("$HilumAcquisition", condition);
    let cohort = [
        made("('SliceThickness le 0.15 cm')"),
        made("('ConvolutionKernel eq B60f','ConvolutionKernel eq B70f')"),
        made("('bodyPart eq 51185008^^SCT')"),
        (
            "$HilumMeasurement",
            "('118565006^^SCT gt 1 cm3; site 39607008^^SCT')",
        ),
        ("$HilumSpecimen", "('S-1')"),
    ];
    let found = town.query(ask(FOR_COHORT, &cohort)).await.unwrap();
    assert_eq!(
        (found.status, found.objects.len()),
        (ResponseStatus::Success, 1),
        "{found:?}"
    );
    let entry = &found.objects[0];
    let scheme = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab";
    assert_eq!(entry.external_identifier(scheme), Some(unique_id.as_str()));
    let slot = entry
        .slots
        .iter()
        .find(|it| it.name == "urn:hilum:measurement:2026:1");
    assert_eq!(slot.unwrap().values, LINES);
    // Thin and soft is no series.
    let none = [
        made("('SliceThickness lt 2 mm')"),
        made("('ConvolutionKernel eq B30f')"),
    ];
    let found = town.query(ask(BY_ACQUISITION, &none)).await.unwrap();
    assert_eq!(
        (found.status, found.objects.len()),
        (ResponseStatus::Success, 0)
    );
    let both = [made("('Modality eq CT')")];
    let found = town.query(ask(BY_ACQUISITION, &both)).await.unwrap();
    assert_eq!(found.objects.len(), 2);
}

/// What cannot be understood is kept with a warning; a question that means nothing is refused.
#[tokio::test]
async fn what_means_nothing_is_said() {
    let town = Town::plain();
    let odd = document(&[(
        "urn:hilum:acquisition:2026",
        &["SliceThickness=thin", "Modality=CT"],
    )]);
    let response = town
        .provide(&Submission::new("P-1", vec![odd]))
        .await
        .unwrap();
    assert_eq!(response.status, ResponseStatus::Success);
    let [warning] = &response.errors[..] else {
        panic!("{response:?}");
    };
    assert_eq!(warning.code.as_str(), "XDSRegistryMetadataError");
    assert!(warning.context.contains("value 1 is not of"), "{warning:?}");
    for (condition, said) in [
        (
            "('SliceThicknes le 1 mm')",
            "the nearest one is SliceThickness",
        ),
        ("('SliceThickness le 1 s')", "values are in mm"),
    ] {
        let asked = ask(BY_ACQUISITION, &[("$HilumAcquisition", condition)]);
        let answer = town.query(asked).await.unwrap();
        assert_eq!(answer.status, ResponseStatus::Failure);
        assert_eq!(answer.errors[0].code.as_str(), "XDSRegistryError");
        assert!(answer.errors[0].context.contains(said), "{answer:?}");
    }
}
