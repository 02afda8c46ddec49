use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::*;
use crate::walk;
use crate::write::Builder;

fn issuer(oid: &str) -> Builder {
    Builder::new()
        .text(tags::UNIVERSAL_ENTITY_ID, VR::UT, oid)
        .text(tags::UNIVERSAL_ENTITY_ID_TYPE, VR::CS, "ISO")
}

fn laboratory(name: &str) -> Builder {
    Builder::new().text(tags::LOCAL_NAMESPACE_ENTITY_ID, VR::UT, name)
}

fn described(id: &str, uid: &str, issuer: Builder) -> Builder {
    Builder::new()
        .text(tags::SPECIMEN_IDENTIFIER, VR::LO, id)
        .text(tags::SPECIMEN_UID, VR::UI, uid)
        .items(tags::ISSUER_OF_THE_SPECIMEN_IDENTIFIER_SEQUENCE, [issuer])
        .code(
            tags::PRIMARY_ANATOMIC_STRUCTURE_SEQUENCE,
            ("10200004", "SCT", "Liver"),
        )
}

fn slide() -> Builder {
    Builder::new()
        .text(
            tags::SOP_CLASS_UID,
            VR::UI,
            "1.2.840.10008.5.1.4.1.1.77.1.6",
        )
        .text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3")
        .text(tags::CONTAINER_IDENTIFIER, VR::LO, "S26-117-A1")
        .items(
            tags::ISSUER_OF_THE_CONTAINER_IDENTIFIER_SEQUENCE,
            [issuer("1.2.276.0.99")],
        )
}

fn read_built(built: Builder) -> Vec<Specimen> {
    read(&walk::whole(&built.part10().unwrap()).unwrap())
}

fn ids(specimens: &[Specimen]) -> Vec<String> {
    reference_ids(specimens)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn specimens_on_a_slide() {
    let specimens = read_built(slide().items(
        tags::SPECIMEN_DESCRIPTION_SEQUENCE,
        [
            described("S26-117^A", "2.25.1", issuer("1.2.276.0.99")),
            described("B", "not a uid", laboratory("PATH & LAB")),
        ],
    ));
    assert_eq!(specimens.len(), 2);
    assert_eq!(specimens[0].taken_from[0].value, "10200004");
    assert_eq!(
        ids(&specimens),
        [
            r"S26-117\S\A^^^&1.2.276.0.99&ISO^urn:hilum:xds:2026:specimen",
            "2.25.1^^^^urn:hilum:xds:2026:specimenUID",
            "S26-117-A1^^^&1.2.276.0.99&ISO^urn:hilum:xds:2026:container",
            r"B^^^PATH \T\ LAB^urn:hilum:xds:2026:specimen",
        ]
    );
    for id in ids(&specimens) {
        assert_eq!(ReferenceId::parse(&id).unwrap().to_string(), id);
    }
    let kept = serde_json::to_string(&specimens).unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<Specimen>>(&kept).unwrap(),
        specimens
    );
}

#[test]
fn a_container_alone_and_none() {
    let other = Builder::new().text(tags::CONTAINER_IDENTIFIER, VR::LO, "old 7");
    let container =
        read_built(slide().items(tags::ALTERNATE_CONTAINER_IDENTIFIER_SEQUENCE, [other]));
    assert_eq!(
        ids(&container),
        [
            "S26-117-A1^^^&1.2.276.0.99&ISO^urn:hilum:xds:2026:container",
            "old 7^^^^urn:hilum:xds:2026:container",
        ]
    );
    let nothing = Builder::new()
        .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2")
        .text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3");
    assert_eq!(read_built(nothing), []);
}

#[test]
fn more_than_anybody_puts_on_a_slide() {
    let many = (0..MAX_SPECIMENS + 3).map(|at| described(&format!("S{at}"), "", laboratory("L")));
    let specimens = read_built(slide().items(tags::SPECIMEN_DESCRIPTION_SEQUENCE, many));
    assert_eq!(specimens.len(), MAX_SPECIMENS);
    // The container once.
    assert_eq!(ids(&specimens).len(), MAX_SPECIMENS + 1);
}
