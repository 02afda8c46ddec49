//! As much of FHIR R4 as audit records need: [`AuditEvent`](audit_event::AuditEvent), and what carries it.
//!
//! A resource is JSON here; [`shape`] knows what may be in it, in which order XML has it
//! ([`written`], [`read`]) and what is wrong with one that somebody sent ([`judged`]).
//! <https://hl7.org/fhir/R4/auditevent.html>

pub(crate) mod audit_event;
pub(crate) mod balp;
pub(crate) mod codes;
pub(crate) mod from_dicom;
pub(crate) mod judged;
pub(crate) mod members;
pub(crate) mod read;
pub(crate) mod shape;
#[cfg(test)]
mod tests;
pub(crate) mod time;
pub(crate) mod written;

/// The namespace of FHIR in XML.
pub(crate) const FHIR: &str = "http://hl7.org/fhir";
/// The namespace of narratives.
pub(crate) const XHTML: &str = "http://www.w3.org/1999/xhtml";
