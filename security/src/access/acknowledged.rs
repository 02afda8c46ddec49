//! BPPC: documents in which patients acknowledge privacy policies.
//!
//! The rules say what the policies of an affinity domain mean; a document of one of [`BPPC_FORMATS`]
//! whose `eventCodeList` has the identifier of a policy is a consent then. Its service times say from
//! when and until when; a document that is no longer approved is a consent that was withdrawn.
//! <https://profiles.ihe.net/ITI/TF/Volume3/ch-5.1.html>

use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::metadata::{DocumentEntry, Timestamp};

use super::{Consent, Period, Policy, Provision, Status, Wish};
use super::{codes, moment};

/// Format codes of acknowledgements, without and with a scanned part.
pub const BPPC_FORMATS: [&str; 2] = ["urn:ihe:iti:bppc:2007", "urn:ihe:iti:bppc-sd:2007"];

/// What it means that a patient acknowledged a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Its OID.
    pub(super) oid: String,
    /// What is wished, and of what.
    pub(super) provision: Provision,
    /// Whether it says something of everything else, too.
    pub(super) otherwise: Option<Wish>,
}

impl Policy {
    /// Whether a document acknowledges privacy policies of which the rules explain none, although they
    /// explain some: then nobody would heed what its patient wishes.
    pub fn leaves_unexplained(&self, entry: &DocumentEntry) -> bool {
        let format = entry.format_code.as_ref();
        let acknowledges = format.is_some_and(|it| BPPC_FORMATS.contains(&&*it.code));
        let mut codes = entry.event_codes.iter();
        let explained = |oid: &str| {
            let mut all = self.acknowledgements.iter();
            all.any(|it| codes::same_identifier(&it.oid, oid))
        };
        acknowledges
            && !self.acknowledgements.is_empty()
            && !codes.any(|code| explained(&code.code))
    }

    /// The consent that a document is, if it is one and the rules know the policy that it acknowledges.
    /// If it acknowledges several, all of them count, and what one denies, the others do not permit.
    pub fn acknowledged(&self, entry: &DocumentEntry) -> Option<Consent> {
        let format = &entry.format_code.as_ref()?.code;
        if !BPPC_FORMATS.contains(&format.as_str()) {
            return None;
        }
        let known = |oid: &str| {
            let mut all = self.acknowledgements.iter();
            all.find(|it| codes::same_identifier(&it.oid, oid))
        };
        let codes = entry.event_codes.iter();
        let meant: Vec<_> = codes.filter_map(|code| known(&code.code)).collect();
        if meant.is_empty() {
            return None;
        }
        let status = match entry.availability_status {
            Some(AvailabilityStatus::Approved) | None => Status::Active,
            Some(_) => Status::Inactive,
        };
        let span = |at: &Option<Timestamp>| moment::hl7(at.as_ref()?.as_str());
        Some(Consent {
            id: entry.unique_id.0.clone(),
            patient_id: entry.patient_id.as_ref()?.to_string(),
            status,
            given: span(&entry.creation_time).map(|(given, _)| given),
            period: Period {
                from: span(&entry.service_start_time).map(|(from, _)| from),
                until: span(&entry.service_stop_time).map(|(_, until)| until),
            },
            base: meant.iter().filter_map(|it| it.otherwise).max(),
            provisions: meant.iter().map(|it| it.provision.clone()).collect(),
        })
    }
}
