//! Handing a document in, unless it is registered already.

use hilum_dicom::Uid;
use hilum_transport::PartSource;
use xds_schemas::affinity_codes::CodeKind;
use xds_schemas::metadata::{DocumentEntry, Submission};

use super::VolumeFate;
use crate::imaging::import::Importing;
use crate::imaging::iti18_registry_stored_query as iti18;
use crate::imaging::iti41_provide_and_register_document_set as iti41;
use crate::imaging::publish::says_it_was_there;
use crate::imaging::rad68_provide_and_register_imaging_document_set::Handover;

/// What the registry says of a document.
pub(super) enum Asked {
    /// It is registered; what is worth saying of that.
    Known(Vec<String>),
    /// It is not.
    Unknown,
    /// There is no registry to ask.
    Nobody,
    /// There is no answer.
    Unanswered(String),
}

/// Asks the registry for a document.
pub(super) async fn asked(importing: &Importing<'_>, document: &Uid) -> anyhow::Result<Asked> {
    let Some(registry) = importing.registry else {
        return Ok(Asked::Nobody);
    };
    let entries: Vec<DocumentEntry> = match iti18::documents(importing, registry, document).await? {
        Ok(entries) => entries,
        Err(why) => return Ok(Asked::Unanswered(why)),
    };
    if entries.is_empty() {
        return Ok(Asked::Unknown);
    }
    let deprecated = !entries.iter().any(iti18::in_force);
    let remark = || "it was registered before, and deprecated since".to_owned();
    Ok(Asked::Known(deprecated.then(remark).into_iter().collect()))
}

/// Hands a document in, unless it is registered. Gives what became of it and what is worth saying.
pub(in crate::imaging) async fn hand_in(
    importing: &Importing<'_>,
    submission: Submission,
    source: PartSource,
    document: &Uid,
) -> anyhow::Result<(VolumeFate, Vec<String>)> {
    if let Some(missing) = missing_code(importing, &submission) {
        return Ok((VolumeFate::Unsuitable(missing), Vec::new()));
    }
    match asked(importing, document).await? {
        Asked::Known(remarks) => return Ok((VolumeFate::Unchanged, remarks)),
        Asked::Unanswered(why) => return Ok((VolumeFate::Unanswered(why), Vec::new())),
        Asked::Unknown | Asked::Nobody => {}
    }
    Ok(match iti41::send(importing, &submission, source).await? {
        Handover::Registered(warnings) => {
            let said = warnings.iter();
            let said = said.map(|it| format!("{}: {}", it.code, it.context));
            (VolumeFate::Registered, said.collect())
        }
        Handover::Refused(errors) if errors.iter().any(says_it_was_there) => {
            // Somebody else may have handed it in meanwhile, or nobody could be asked.
            match asked(importing, document).await? {
                Asked::Known(remarks) => (VolumeFate::Unchanged, remarks),
                Asked::Nobody => (VolumeFate::Unchanged, Vec::new()),
                _ => (VolumeFate::Refused(errors), Vec::new()),
            }
        }
        Handover::Refused(errors) => (VolumeFate::Refused(errors), Vec::new()),
        Handover::NotSent(why) | Handover::Unknown(why) => {
            (VolumeFate::Unanswered(why), Vec::new())
        }
    })
}

/// What the affinity domain has to have for volumes and has not: a registry would refuse them.
fn missing_code(importing: &Importing<'_>, submission: &Submission) -> Option<String> {
    let entry = submission.document_entries.first()?;
    let codes = importing.codes;
    if !codes.allows_mime_type(&entry.mime_type) {
        let mime_type = &entry.mime_type;
        return Some(format!(
            "codes.xml of the affinity domain has no mimeType {mime_type}"
        ));
    }
    let format = entry.format_code.as_ref()?;
    let allowed = codes.allows(CodeKind::FormatCode, &format.code, &format.scheme);
    (!allowed).then(|| {
        format!(
            "codes.xml of the affinity domain has no formatCode {} of {}",
            format.code, format.scheme
        )
    })
}
