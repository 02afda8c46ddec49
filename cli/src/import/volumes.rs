//! What an import says of volumes.

use hilum_repository::imaging::{ImportedVolume, VolumeFate};
use serde_json::{Value, json};

use crate::refusal::{self, Refused};
use crate::terminal::{Table, printable, say, tell};

/// What became of a volume in a word.
pub(crate) const fn word(fate: &VolumeFate) -> &'static str {
    match fate {
        VolumeFate::Registered => "Registered",
        VolumeFate::Unchanged => "Unchanged",
        VolumeFate::Unsuitable(_) => "Unsuitable",
        VolumeFate::Refused(_) => "Refused",
        VolumeFate::Unanswered(_) => "Unanswered",
    }
}

/// Whether it is a document.
pub(crate) const fn is_registered(fate: &VolumeFate) -> bool {
    matches!(fate, VolumeFate::Registered | VolumeFate::Unchanged)
}

/// Why it is none.
pub(crate) fn reason(fate: &VolumeFate) -> Option<String> {
    match fate {
        VolumeFate::Registered | VolumeFate::Unchanged => None,
        VolumeFate::Unsuitable(why) | VolumeFate::Unanswered(why) => Some(printable(why)),
        VolumeFate::Refused(errors) => {
            let refused = Refused::new("the repository refused it", errors.clone());
            Some(refused.to_string())
        }
    }
}

/// The same for machines, added to what is known otherwise.
pub(crate) fn add(fate: &VolumeFate, json: &mut Value) {
    json["fate"] = json!(word(fate));
    match fate {
        VolumeFate::Registered | VolumeFate::Unchanged => {}
        VolumeFate::Unsuitable(why) | VolumeFate::Unanswered(why) => json["reason"] = json!(why),
        VolumeFate::Refused(errors) => json["errors"] = refusal::json(errors),
    }
}

/// One line for each volume on standard output, what is worth saying on standard error.
pub(super) fn show(volumes: &[ImportedVolume]) -> std::io::Result<()> {
    if volumes.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["VOLUME IS", "PATIENT", "TYPE", "DOCUMENT", "FILE"]);
    for volume in volumes {
        table.row(vec![
            word(&volume.fate).to_owned(),
            volume.patient_id.clone(),
            volume.mime_type.clone().unwrap_or_default(),
            volume.document.to_string(),
            printable(&volume.path.display().to_string()),
        ]);
    }
    say(&table.text())?;
    for volume in volumes {
        let path = printable(&volume.path.display().to_string());
        let remarks = volume.remarks.iter().map(|remark| printable(remark));
        for line in remarks.chain(reason(&volume.fate)) {
            tell(&format!("{path}: {line}"));
        }
    }
    Ok(())
}

pub(super) fn json(volume: &ImportedVolume) -> Value {
    let mut json = json!({
        "file": volume.path,
        "patientId": volume.patient_id,
        "document": volume.document.as_str(),
        "mimeType": volume.mime_type,
        "remarks": volume.remarks,
    });
    add(&volume.fate, &mut json);
    json
}
