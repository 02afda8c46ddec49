//! The command line of `hilum submit`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;

use crate::client::ForUser;

pub(super) const NOTES: &str = "\
Codes are written code^^scheme; the scheme may be left out if codes.xml has the code. Codes that are
not given are the first of their kind there (formatCode: mimeTypeSufficient, confidentialityCode: N,
if they are there).

Examples:
  hilum submit letter.pdf --patient P-1 --title \"Discharge letter\"
  hilum submit a.pdf b.jpg --patient P-1 --type-code 34133-9 --new-folder \"Stay in November\"
  hilum submit letter2.pdf --patient P-1 --replaces 2.25.1
  hilum submit letter.pdf --metadata letter.toml --print
  hilum submit --xml submit.xml --document Document01=letter.pdf

A metadata file is TOML, or JSON if its name ends in .json. Options win over it. For documents it knows
title, comments, mime_type, unique_id, class_code, type_code, format_code, practice_setting_code,
healthcare_facility_type_code, confidentiality_codes, event_codes, language_code, creation_time,
service_start_time, service_stop_time, legal_authenticator, source_patient_id, source_patient_info,
reference_ids, authors and slots:
  patient = \"P-1\"
  [document]                  # every document
  class_code = \"REPORTS\"
  authors = [{ person = \"^Welby^Marcus\", institutions = [\"General Hospital\"] }]
  slots = { \"urn:example:ward\" = [\"3\"] }
  [documents.\"a.pdf\"]         # one of them, by its file name
  title = \"Letter\"
  [submission_set]
  title = \"Stay in November\"";

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    /// The documents
    #[arg(value_name = "FILE", required_unless_present = "xml")]
    pub(super) files: Vec<PathBuf>,
    /// The node whose repository takes them
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    pub(super) config: PathBuf,
    #[command(flatten)]
    pub(super) user: ForUser,
    /// Whose they are: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID")]
    pub(super) patient: Option<String>,
    /// The community that is to have them, by its homeCommunityId: the gateway hands them to it
    #[arg(long, value_name = "HOME")]
    pub(super) community: Option<String>,
    /// Metadata in a file, see below
    #[arg(long, value_name = "FILE")]
    pub(super) metadata: Option<PathBuf>,
    #[command(flatten)]
    pub(super) attributes: Attributes,
    /// authorPerson: an XCN such as ^Welby^Marcus
    #[arg(long, value_name = "XCN")]
    pub(super) author: Vec<String>,
    /// authorInstitution: an XON such as General Hospital
    #[arg(long, value_name = "XON")]
    pub(super) author_institution: Vec<String>,
    /// Extra metadata, named by a URN
    #[arg(long, value_name = "URN=VALUE")]
    pub(super) slot: Vec<String>,
    #[command(flatten)]
    pub(super) relations: Relations,
    /// contentTypeCode of the submission set
    #[arg(long, value_name = "CODE")]
    pub(super) content_type_code: Option<String>,
    /// sourceId of the submission set [default: the home community's OID]
    #[arg(long, value_name = "OID")]
    pub(super) source_id: Option<String>,
    /// A prepared lcm:SubmitObjectsRequest, sent as it is
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "metadata", "patient"])]
    pub(super) xml: Option<PathBuf>,
    /// With --xml: the content of the document entry with this id
    #[arg(long, value_name = "ID=FILE", requires = "xml")]
    pub(super) document: Vec<String>,
    /// Print the request instead of sending it
    #[arg(long)]
    pub(super) print: bool,
    /// The outcome as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// How the documents belong to what is registered already.
#[derive(Debug, Args)]
pub(super) struct Relations {
    /// The document that this one replaces, by entryUUID or uniqueId
    #[arg(long, value_name = "ID")]
    pub(super) replaces: Option<String>,
    /// The document that this one is an addendum to
    #[arg(long, value_name = "ID")]
    pub(super) appends_to: Option<String>,
    /// The document that this one is a transformation of
    #[arg(long, value_name = "ID")]
    pub(super) transforms: Option<String>,
    /// The folder to put them into, by entryUUID or uniqueId
    #[arg(long, value_name = "ID", conflicts_with = "new_folder")]
    pub(super) folder: Option<String>,
    /// The title of a new folder to put them into
    #[arg(long, value_name = "TITLE")]
    pub(super) new_folder: Option<String>,
    /// codeList of the new folder
    #[arg(long, value_name = "CODE", requires = "new_folder")]
    pub(super) folder_code: Vec<String>,
}

/// Attributes of a document entry, as text.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Attributes {
    /// title [default: the name of the file]
    #[arg(long)]
    pub(super) title: Option<String>,
    /// comments
    #[arg(long)]
    pub(super) comments: Option<String>,
    /// mimeType [default: guessed]
    #[arg(long = "mime", value_name = "TYPE")]
    pub(super) mime_type: Option<String>,
    /// uniqueId, for one document [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(super) unique_id: Option<String>,
    /// classCode
    #[arg(long, value_name = "CODE")]
    pub(super) class_code: Option<String>,
    /// typeCode
    #[arg(long, value_name = "CODE")]
    pub(super) type_code: Option<String>,
    /// formatCode
    #[arg(long, value_name = "CODE")]
    pub(super) format_code: Option<String>,
    /// practiceSettingCode
    #[arg(long, value_name = "CODE")]
    pub(super) practice_setting_code: Option<String>,
    /// healthcareFacilityTypeCode
    #[arg(long, value_name = "CODE")]
    pub(super) healthcare_facility_type_code: Option<String>,
    /// confidentialityCode
    #[arg(long = "confidentiality-code", value_name = "CODE")]
    pub(super) confidentiality_codes: Vec<String>,
    /// eventCodeList
    #[arg(long = "event-code", value_name = "CODE")]
    pub(super) event_codes: Vec<String>,
    /// languageCode [default: en]
    #[arg(long = "language", value_name = "CODE")]
    pub(super) language_code: Option<String>,
    /// creationTime in UTC [default: when the file was last changed]
    #[arg(long, value_name = "TIME")]
    pub(super) creation_time: Option<String>,
    /// serviceStartTime in UTC
    #[arg(long = "service-start", value_name = "TIME")]
    pub(super) service_start_time: Option<String>,
    /// serviceStopTime in UTC
    #[arg(long = "service-stop", value_name = "TIME")]
    pub(super) service_stop_time: Option<String>,
    /// legalAuthenticator: an XCN
    #[arg(long, value_name = "XCN")]
    pub(super) legal_authenticator: Option<String>,
    /// sourcePatientId [default: the patient]
    #[arg(long = "source-patient", value_name = "ID")]
    pub(super) source_patient_id: Option<String>,
    /// sourcePatientInfo, such as PID-5|Doe^Jane
    #[arg(long, value_name = "PID-N|TEXT")]
    pub(super) source_patient_info: Vec<String>,
    /// referenceIdList: ID^^^&OID&ISO^type
    #[arg(long = "reference-id", value_name = "CXI")]
    pub(super) reference_ids: Vec<String>,
    #[arg(skip)]
    pub(super) authors: Vec<AuthorText>,
    #[arg(skip)]
    pub(super) slots: BTreeMap<String, Vec<String>>,
}

/// An author, as text.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuthorText {
    pub(super) person: Option<String>,
    pub(super) institutions: Vec<String>,
    pub(super) roles: Vec<String>,
    pub(super) specialties: Vec<String>,
    pub(super) telecommunications: Vec<String>,
}
