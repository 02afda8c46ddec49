//! The command line of `hilum update`.

use std::path::PathBuf;

use clap::Args;

use crate::client::ForUser;

const NOTES: &str = "\
What is given replaces what is registered; everything else stays. The document gets a new version; the
one before it is found with hilum query --versions.

Examples:
  hilum update 2.25.1 --title \"Discharge letter, corrected\"
  hilum update 2.25.1 --confidentiality-code R
  hilum update 2.25.1 --deprecate
  hilum update urn:uuid:… --class-code REPORTS --restricted";

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    /// The document, by uniqueId or entryUUID
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// The node whose registry is asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    pub(super) config: PathBuf,
    #[command(flatten)]
    pub(super) user: ForUser,
    /// title
    #[arg(long)]
    pub(super) title: Option<String>,
    /// comments
    #[arg(long)]
    pub(super) comments: Option<String>,
    /// classCode
    #[arg(long, value_name = "CODE")]
    pub(super) class_code: Option<String>,
    /// typeCode
    #[arg(long, value_name = "CODE")]
    pub(super) type_code: Option<String>,
    /// practiceSettingCode
    #[arg(long, value_name = "CODE")]
    pub(super) practice_setting_code: Option<String>,
    /// healthcareFacilityTypeCode
    #[arg(long, value_name = "CODE")]
    pub(super) healthcare_facility_type_code: Option<String>,
    /// confidentialityCode; all of them
    #[arg(long = "confidentiality-code", value_name = "CODE")]
    pub(super) confidentiality_codes: Vec<String>,
    /// eventCodeList; all of them
    #[arg(long = "event-code", value_name = "CODE")]
    pub(super) event_codes: Vec<String>,
    /// patientId: whose it really is
    #[arg(long, value_name = "ID")]
    pub(super) patient: Option<String>,
    /// documentAvailability Offline: hidden until it is online again
    #[arg(long, conflicts_with = "online")]
    pub(super) offline: bool,
    /// documentAvailability Online
    #[arg(long)]
    pub(super) online: bool,
    /// availabilityStatus Deprecated
    #[arg(long, conflicts_with = "approve")]
    pub(super) deprecate: bool,
    /// availabilityStatus Approved
    #[arg(long)]
    pub(super) approve: bool,
    /// By ITI-92 instead of ITI-57
    #[arg(long)]
    pub(super) restricted: bool,
    /// The outcome as JSON
    #[arg(long)]
    pub(super) json: bool,
}
