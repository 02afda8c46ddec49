//! What all objects say: patient, study, series, equipment and request.

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::people::Person;
use super::sheet::Sheet;

/// Patient, study, series and equipment, with identities in all of them.
pub(super) fn common(person: &Person, class: &str, modality: &str, instance: &str) -> Sheet {
    let date = &person.study_date;
    Sheet::new()
        .kept(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192")
        .date(tags::INSTANCE_CREATION_DATE, VR::DA, date)
        .kept(tags::INSTANCE_CREATION_TIME, VR::TM, "101112")
        .kept(tags::SOP_CLASS_UID, VR::UI, class)
        .uid(tags::SOP_INSTANCE_UID, instance)
        .date(tags::STUDY_DATE, VR::DA, date)
        .date(tags::SERIES_DATE, VR::DA, date)
        .date(tags::CONTENT_DATE, VR::DA, date)
        .kept(tags::STUDY_TIME, VR::TM, "100000")
        .kept(tags::SERIES_TIME, VR::TM, "100500")
        .kept(tags::CONTENT_TIME, VR::TM, "100600")
        .removed(tags::ACCESSION_NUMBER, VR::SH, &person.accession)
        .kept(tags::MODALITY, VR::CS, modality)
        .kept(tags::MANUFACTURER, VR::LO, "Hilum")
        .removed(tags::INSTITUTION_NAME, VR::LO, &person.institution)
        .removed(tags::INSTITUTION_ADDRESS, VR::ST, &person.address)
        .removed(tags::REFERRING_PHYSICIAN_NAME, VR::PN, &person.physician)
        .removed(
            tags::REFERRING_PHYSICIAN_TELEPHONE_NUMBERS,
            VR::SH,
            &person.phone[..14],
        )
        .removed(tags::STATION_NAME, VR::SH, &person.station)
        .removed(
            tags::INSTITUTIONAL_DEPARTMENT_NAME,
            VR::LO,
            "Radiology West 4",
        )
        .removed(tags::OPERATORS_NAME, VR::PN, &person.operator)
        .kept(tags::MANUFACTURER_MODEL_NAME, VR::LO, "Phantom identities")
        .with(patient(person))
        .removed(tags::DEVICE_SERIAL_NUMBER, VR::LO, &person.serial)
        .kept(tags::SOFTWARE_VERSIONS, VR::LO, "VB17 1.2.3")
        .uid(tags::STUDY_INSTANCE_UID, &person.uid("study"))
        .uid(tags::SERIES_INSTANCE_UID, &person.uid(modality))
        .removed(tags::STUDY_ID, VR::SH, &person.accession)
        .kept(tags::SERIES_NUMBER, VR::IS, "3")
        .kept(tags::INSTANCE_NUMBER, VR::IS, "7")
        .with(requests(person))
}

fn patient(person: &Person) -> Sheet {
    let other = Sheet::new()
        .removed(tags::PATIENT_ID, VR::LO, &person.other_id)
        .removed(tags::TYPE_OF_PATIENT_ID, VR::CS, "RFID");
    let family = &person.family;
    let old = person.age[..3].parse().unwrap_or(0) > 90;
    let age = if old { "090Y" } else { &person.age };
    Sheet::new()
        .replaced(tags::PATIENT_NAME, VR::PN, &person.name())
        .patient_id(person)
        .removed(tags::ISSUER_OF_PATIENT_ID, VR::LO, &person.institution)
        .removed(tags::PATIENT_BIRTH_DATE, VR::DA, &person.birth_date)
        .kept(tags::PATIENT_SEX, VR::CS, person.sex)
        .items(tags::OTHER_PATIENT_I_DS_SEQUENCE, vec![other])
        .removed(tags::OTHER_PATIENT_NAMES, VR::PN, &format!("{family}^Old"))
        .mixed(tags::PATIENT_AGE, VR::AS, &person.age, &[], &[age])
        .kept(tags::PATIENT_SIZE, VR::DS, "1.71")
        .kept(tags::PATIENT_WEIGHT, VR::DS, "70.5")
        .removed(tags::PATIENT_ADDRESS, VR::LO, &person.address)
        .removed(tags::PATIENT_TELEPHONE_NUMBERS, VR::SH, &person.phone[..14])
        .removed(tags::PATIENT_RELIGIOUS_PREFERENCE, VR::LO, "Unitarian")
        .mixed(
            tags::ADDITIONAL_PATIENT_HISTORY,
            VR::LT,
            &format!(
                "Smoker, seen by Dr. {} in {}",
                person.physician.split('^').next().unwrap_or(""),
                person.town
            ),
            &[&person.town],
            &["Smoker"],
        )
        .mixed(
            tags::PATIENT_COMMENTS,
            VR::LT,
            &format!("Call {} or {}; claustrophobic", person.phone, person.mail),
            &[&person.mail, &person.phone[4..7]],
            &["claustrophobic"],
        )
}

fn requests(person: &Person) -> Sheet {
    let request = Sheet::new()
        .removed(tags::ACCESSION_NUMBER, VR::SH, &person.accession)
        .removed(tags::REQUESTING_PHYSICIAN, VR::PN, &person.physician)
        .mixed(
            tags::REQUESTED_PROCEDURE_DESCRIPTION,
            VR::LO,
            &format!("Follow-up of {}", person.family),
            &[&person.family],
            &["Follow-up"],
        )
        .mixed(
            tags::SCHEDULED_PROCEDURE_STEP_DESCRIPTION,
            VR::LO,
            &format!("Staging {}", person.id),
            &[&person.id],
            &["Staging"],
        )
        .removed(tags::SCHEDULED_PROCEDURE_STEP_ID, VR::SH, "STEP-4471")
        .removed(tags::REQUESTED_PROCEDURE_ID, VR::SH, &person.accession);
    Sheet::new()
        .mixed(
            tags::STUDY_DESCRIPTION,
            VR::LO,
            &format!("CT Thorax {} {}", person.given, person.accession),
            &[&person.given, &person.accession],
            &["CT Thorax"],
        )
        .items(tags::REQUEST_ATTRIBUTES_SEQUENCE, vec![request])
        .removed(tags::PERFORMED_PROCEDURE_STEP_ID, VR::SH, &person.accession)
        .date(
            tags::PERFORMED_PROCEDURE_STEP_START_DATE,
            VR::DA,
            &person.study_date,
        )
        .mixed(
            tags::PERFORMED_PROCEDURE_STEP_DESCRIPTION,
            VR::LO,
            &format!("{} MR/CT combined", person.family.to_uppercase()),
            &[&person.family.to_uppercase()],
            &["combined"],
        )
}
