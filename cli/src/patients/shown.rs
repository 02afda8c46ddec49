//! Patients for people and programs.

use serde_json::{Value, json};
use xds_schemas::hl7v3::Quantities;
use xds_schemas::hl7v3::find_candidates::Candidate;
use xds_schemas::metadata::{PatientId, Timestamp};
use xds_schemas::person::{Gender, PersonName};

use crate::terminal::Table;

pub(super) fn identifiers(ids: &[PatientId]) -> String {
    let mut table = Table::new(&["ID", "DOMAIN"]);
    for id in ids {
        table.row(vec![id.id.clone(), id.authority.clone()]);
    }
    table.text()
}

pub(super) fn table(found: &[Candidate]) -> String {
    let mut table = Table::new(&["PATIENT", "NAME", "BORN", "SEX", "DEGREE"]);
    for one in found {
        let person = &one.person;
        let ids: Vec<String> = one.ids.iter().map(PatientId::to_string).collect();
        let sex = match person.gender {
            Some(Gender::Female) => "female",
            Some(Gender::Male) => "male",
            Some(Gender::Other) => "other",
            None => "",
        };
        table.row(vec![
            ids.join(" "),
            person.names.first().map(name).unwrap_or_default(),
            person.birth_time.as_ref().map(date).unwrap_or_default(),
            sex.to_owned(),
            one.degree
                .map(|degree| degree.to_string())
                .unwrap_or_default(),
        ]);
    }
    table.text()
}

pub(super) fn json(found: &[Candidate], quantities: Option<Quantities>) -> Value {
    let patient = |one: &Candidate| {
        json!({
            "patient": one.ids,
            "degree": one.degree,
            "custodian": one.custodian.id.root,
            "no_identifier_in": one.without,
            "person": one.person,
        })
    };
    let patients: Vec<Value> = found.iter().map(patient).collect();
    json!({
        "patients": patients,
        "total": quantities.map(|it| it.total),
        "remaining": quantities.map(|it| it.remaining),
    })
}

fn name(name: &PersonName) -> String {
    let parts = [&name.prefix, &name.given, &name.family, &name.suffix];
    let parts = parts.into_iter().flatten().chain(&name.text);
    parts.cloned().collect::<Vec<String>>().join(" ")
}

/// `1973-02-28`, as far as it is known.
fn date(time: &Timestamp) -> String {
    let digits = time.as_str();
    let parts = [digits.get(..4), digits.get(4..6), digits.get(6..8)];
    parts.into_iter().flatten().collect::<Vec<&str>>().join("-")
}
