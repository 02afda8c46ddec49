//! The instances themselves, as files of DICOM.

use std::cell::RefCell;
use std::sync::PoisonError;

use hilum_transport::{PartSource, RelatedPart, Reply, Stream};

use super::super::asked::Asked;
use super::super::refused::Refused;
use super::conversion;
use super::representation::Forms;
use super::{Found, Given, Instance};
use crate::imaging::place::Tried;

const DICOM: &str = "application/dicom";

/// Gives instances, those that can be given in a form that is wanted.
pub(super) fn give(asked: &Asked, found: Found) -> Result<Given, Refused> {
    let forms = Forms::of_instances(&asked.accept, found.wanted == 1)?;
    let mut given = Vec::with_capacity(found.instances.len());
    let tried = RefCell::new(Tried::default());
    for instance in &found.instances {
        let stored = instance.stored.transfer_syntax_uid.as_str();
        let convertible = |wanted: &str| {
            let mut tried = tried.borrow_mut();
            conversion::can_convert(stored, wanted)
                && tried
                    .can_give(&instance.series, &instance.stored, &instance.path, wanted)
                    .is_ok()
        };
        if let Some(syntax) = forms.instance(stored, convertible) {
            given.push((instance, syntax));
        }
    }
    if given.is_empty() {
        return Err(Refused::new(
            406,
            "the instances are stored in another transfer syntax, and cannot be given in one that \
             is wanted",
        ));
    }
    let count = given.len();
    let instances = given.iter().map(|(instance, _)| *instance);
    let reply = found.partly(asked, count, |status| match forms.multipart() {
        true => {
            let parts = given.iter().map(|(instance, syntax)| RelatedPart {
                content_type: content_type(syntax),
                content_location: Some(instance.url(&asked.base)),
                source: source(instance, syntax),
            });
            Reply::related(status, DICOM, parts.collect())
        }
        false => {
            let (instance, syntax) = &given[0];
            Reply::content(status, &content_type(syntax), source(instance, syntax))
                .and_header("content-location", &instance.url(&asked.base))
        }
    });
    Ok(Given::of(&found, instances, reply))
}

fn content_type(transfer_syntax: &str) -> String {
    format!("{DICOM}; transfer-syntax={transfer_syntax}")
}

/// The file, or what it is turned into while it is sent.
pub(in crate::imaging::dicomweb) fn source(
    instance: &Instance,
    transfer_syntax: &str,
) -> PartSource {
    if let Some(passing) = &instance.passing {
        let mut passing = passing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = passing.take() {
            return source;
        }
    }
    if instance.stored.transfer_syntax_uid.as_str() != transfer_syntax {
        return conversion::converted(instance, transfer_syntax);
    }
    instance.path.source().unwrap_or_else(|error| {
        // It breaks off, because that it comes has been promised.
        PartSource::Stream(Stream::written(None, |_| Err(error)))
    })
}
