//! The command line of `hilum query`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::client::{Asked, ForUser};

const NOTES: &str = "\
Without a subcommand, the documents of a patient are found (FindDocuments), or by --acquisition,
--measurement and --specimen those of all patients, if the registry is a Hilum. Times are in UTC:
--from 2026 begins with that year, and --to 2026 ends with it; of times that are known to the year only,
it leaves out 2026. Codes are written code^^scheme; the scheme may be left out if the affinity domain's
codes.xml has the code.

Examples:
  hilum query --patient P-1
  hilum query --patient P-1 --communities
  hilum query --patient P-1 --communities --as-they-come
  hilum query --patient P-1 --class-code IMAGES --event-code 'CT|MR' --from 2026
  hilum query --patient P-1 --reference-id '1.2.3^^^^urn:ihe:iti:xds:2016:studyInstanceUID'
  hilum query --acquisition 'SliceThickness le 1.5 mm' \\
    --acquisition 'ConvolutionKernel eq B70f|ConvolutionKernel eq B60f' \\
    --measurement '118565006^^SCT gt 1 cm3; site 39607008^^SCT'
  hilum query --specimen S-17 --patient P-1
  hilum query parameters slice
  hilum query documents --unique-id 2.25.1 2.25.2 --json
  hilum query related --unique-id 2.25.1 --association RPLC
  hilum query --stored-query GetAssociations -p '$uuid=urn:uuid:…'
  hilum query --stored-query FindDocumentsForMultiplePatients \\
    -p '$XDSDocumentEntryStatus=urn:oasis:names:tc:ebxml-regrep:StatusType:Approved' \\
    -p \"\\$XDSDocumentEntryPatientId=('P-1^^^&1.2.3&ISO','P-2^^^&1.2.3&ISO')\"";

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(super) which: Option<Which>,
    #[command(flatten)]
    pub(super) find: Find,
    #[command(flatten)]
    pub(super) raw: Raw,
    #[command(flatten)]
    pub(super) common: Common,
}

/// What every query takes.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// The node whose registry is asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml", global = true)]
    pub(super) config: PathBuf,
    #[command(flatten)]
    pub(super) user: ForUser,
    #[command(flatten)]
    pub(super) asked: Asked,
    /// Whose objects: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID", global = true)]
    pub(super) patient: Option<String>,
    /// The community that is asked for (urn:oid:…)
    #[arg(long, value_name = "URN", global = true)]
    pub(super) home: Option<String>,
    /// Old versions and what is offline or deprecated, too ($MetadataLevel 2)
    #[arg(long, global = true)]
    pub(super) versions: bool,
    /// Only the names of what is found
    #[arg(long, global = true)]
    pub(super) object_refs: bool,
    /// All metadata as JSON
    #[arg(long, global = true, conflicts_with = "xml")]
    pub(super) json: bool,
    /// With --communities: what each community has, when it has answered; then how long each took. With --json,
    /// an object a line, of which the last says how the whole ended
    #[arg(long, global = true, conflicts_with = "xml")]
    pub(super) as_they_come: bool,
    /// The answer as it came
    #[arg(long, global = true)]
    pub(super) xml: bool,
}

/// FindDocuments, FindDocumentsByReferenceId if reference IDs are given, or one of our own queries if
/// it is about images.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(super) struct Find {
    /// approved, deprecated or all [default: approved]
    #[arg(long)]
    pub(super) status: Option<String>,
    /// classCode; several are alternatives
    #[arg(long, value_name = "CODE")]
    pub(super) class_code: Vec<String>,
    /// typeCode; several are alternatives
    #[arg(long, value_name = "CODE")]
    pub(super) type_code: Vec<String>,
    /// formatCode; several are alternatives
    #[arg(long, value_name = "CODE")]
    pub(super) format_code: Vec<String>,
    /// practiceSettingCode; several are alternatives
    #[arg(long, value_name = "CODE")]
    pub(super) practice_setting_code: Vec<String>,
    /// healthcareFacilityTypeCode; several are alternatives
    #[arg(long, value_name = "CODE")]
    pub(super) healthcare_facility_type_code: Vec<String>,
    /// eventCodeList: each must match; alternatives are divided by |
    #[arg(long, value_name = "CODE|CODE")]
    pub(super) event_code: Vec<String>,
    /// confidentialityCode: each must match; alternatives are divided by |
    #[arg(long, value_name = "CODE|CODE")]
    pub(super) confidentiality_code: Vec<String>,
    /// creationTime from then on: 2026, 202611, 20261125093000 …
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    /// creationTime before then; of a less precise time until its end
    #[arg(long, value_name = "TIME")]
    pub(super) to: Option<String>,
    /// serviceStartTime from then on
    #[arg(long, value_name = "TIME")]
    pub(super) service_start_from: Option<String>,
    /// serviceStartTime before then; of a less precise time until its end
    #[arg(long, value_name = "TIME")]
    pub(super) service_start_to: Option<String>,
    /// serviceStopTime from then on
    #[arg(long, value_name = "TIME")]
    pub(super) service_stop_from: Option<String>,
    /// serviceStopTime before then; of a less precise time until its end
    #[arg(long, value_name = "TIME")]
    pub(super) service_stop_to: Option<String>,
    /// authorPerson as it was sent, with % for any text and _ for any character
    #[arg(long, value_name = "PATTERN")]
    pub(super) author: Vec<String>,
    /// referenceIdList (ID^^^&OID&ISO^type): each must match; alternatives are divided by |
    #[arg(long, value_name = "ID|ID")]
    pub(super) reference_id: Vec<String>,
    /// stable, on-demand or all [default: what the registry takes for it, stable]
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) entry_type: Option<String>,
    /// How a series was made ('SliceThickness le 1.5 mm'): one series satisfies each; alternatives
    /// are divided by |
    #[arg(long, value_name = "CONDITION|CONDITION")]
    pub(super) acquisition: Vec<String>,
    /// What was measured ('CODE^^SCHEME gt 1 cm3; site CODE^^SCHEME'): each must match;
    /// alternatives are divided by |
    #[arg(long, value_name = "CONDITION|CONDITION")]
    pub(super) measurement: Vec<String>,
    /// A specimen by its ID, or ID^^^&OID&ISO: each must match; alternatives are divided by |
    #[arg(long, value_name = "ID|ID")]
    pub(super) specimen: Vec<String>,
}

/// Any stored query.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(super) struct Raw {
    /// A stored query by its name or urn:uuid:…
    #[arg(long, value_name = "NAME", visible_alias = "query")]
    pub(super) stored_query: Option<String>,
    /// One of its parameters. Quotes are put around a value that has neither quotes nor
    /// parentheses and is no number
    #[arg(
        short,
        long = "parameter",
        value_name = "$NAME=VALUE",
        requires = "stored_query"
    )]
    pub(super) parameter: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Which {
    /// Documents by their IDs (GetDocuments, GetDocumentsAndAssociations)
    Documents(Documents),
    /// Documents that replace, append to or transform one, or the other way round (GetRelatedDocuments)
    Related(Related),
    /// Submissions of a patient, by ID with their contents, or of objects (FindSubmissionSets,
    /// GetSubmissionSetAndContents, GetSubmissionSets)
    SubmissionSets(SubmissionSets),
    /// Folders of a patient, by ID, with their contents, or of a document (FindFolders, GetFolders,
    /// GetFolderAndContents, GetFoldersForDocument)
    Folders(Folders),
    /// Associations of objects (GetAssociations)
    Associations(Associations),
    /// Everything about a patient (GetAll)
    All(All),
    /// The acquisition parameters that can be asked for, with their units; asks nobody
    Parameters(Parameters),
}

#[derive(Debug, Args)]
pub(super) struct Parameters {
    /// Only those whose name or meaning has this in it
    pub(super) word: Option<String>,
}

/// Which objects: by entryUUID or by uniqueId.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Ids {
    /// entryUUID: urn:uuid:…
    #[arg(long, value_name = "UUID", num_args = 1..)]
    pub(super) uuid: Vec<String>,
    /// uniqueId
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(super) unique_id: Vec<String>,
}

/// The same where they need not be given.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct OptionalIds {
    /// entryUUID: urn:uuid:…
    #[arg(long, value_name = "UUID", num_args = 1..)]
    pub(super) uuid: Vec<String>,
    /// uniqueId
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(super) unique_id: Vec<String>,
}

/// What narrows the contents of submission sets and folders.
#[derive(Debug, Args)]
pub(super) struct Contents {
    /// Of the contents, only documents with this formatCode; several are alternatives
    #[arg(long, value_name = "CODE")]
    pub(super) format_code: Vec<String>,
    /// Of the contents, only documents with this confidentialityCode
    #[arg(long, value_name = "CODE|CODE")]
    pub(super) confidentiality_code: Vec<String>,
    /// Of the contents, only stable or on-demand documents; or all
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) entry_type: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: hilum query documents --unique-id 2.25.1 2.25.2 --associations")]
pub(super) struct Documents {
    #[command(flatten)]
    pub(super) ids: Ids,
    /// Their associations too
    #[arg(long)]
    pub(super) associations: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: hilum query related --unique-id 2.25.1 --association RPLC APND")]
pub(super) struct Related {
    #[command(flatten)]
    pub(super) ids: Ids,
    /// RPLC, APND, XFRM, XFRM_RPLC, signs, IsSnapshotOf or a URN [default: all of them]
    #[arg(long, value_name = "TYPE", num_args = 1..)]
    pub(super) association: Vec<String>,
    /// stable, on-demand or all
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) entry_type: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hilum query submission-sets --patient P-1 --from 2026
  hilum query submission-sets --unique-id 2.25.9")]
pub(super) struct SubmissionSets {
    #[command(flatten)]
    pub(super) ids: OptionalIds,
    /// Those that hold these documents or folders
    #[arg(long, value_name = "UUID", num_args = 1.., conflicts_with_all = ["uuid", "unique_id"])]
    pub(super) of: Vec<String>,
    /// sourceId; several are alternatives
    #[arg(long, value_name = "OID")]
    pub(super) source_id: Vec<String>,
    /// contentTypeCode; several are alternatives
    #[arg(long, value_name = "CODE")]
    pub(super) content_type_code: Vec<String>,
    /// authorPerson as it was sent, with % for any text and _ for any character
    #[arg(long, value_name = "PATTERN")]
    pub(super) author: Option<String>,
    /// submissionTime from then on
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    /// submissionTime before then; of a less precise time until its end
    #[arg(long, value_name = "TIME")]
    pub(super) to: Option<String>,
    #[command(flatten)]
    pub(super) contents: Contents,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hilum query folders --patient P-1
  hilum query folders --unique-id 2.25.7 --contents
  hilum query folders --of-document 2.25.1")]
pub(super) struct Folders {
    #[command(flatten)]
    pub(super) ids: OptionalIds,
    /// What is in it too
    #[arg(long = "contents")]
    pub(super) with_contents: bool,
    /// Those that hold this document, by entryUUID or uniqueId
    #[arg(long, value_name = "ID", conflicts_with_all = ["uuid", "unique_id"])]
    pub(super) of_document: Option<String>,
    /// codeList: each must match; alternatives are divided by |
    #[arg(long, value_name = "CODE|CODE")]
    pub(super) code: Vec<String>,
    /// lastUpdateTime from then on
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    /// lastUpdateTime before then; of a less precise time until its end
    #[arg(long, value_name = "TIME")]
    pub(super) to: Option<String>,
    #[command(flatten)]
    pub(super) contents: Contents,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: hilum query associations urn:uuid:…")]
pub(super) struct Associations {
    /// entryUUIDs of what they begin or end at
    #[arg(required = true, value_name = "UUID")]
    pub(super) uuid: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: hilum query all --patient P-1 --json")]
pub(super) struct All {
    /// approved, deprecated or all [default: approved]
    #[arg(long)]
    pub(super) status: Option<String>,
    #[command(flatten)]
    pub(super) contents: Contents,
}

impl Find {
    /// Whether it is about images, so that one of our own queries is asked.
    pub(super) fn is_about_images(&self) -> bool {
        !(self.acquisition.is_empty() && self.measurement.is_empty() && self.specimen.is_empty())
    }
}

impl SubmissionSets {
    /// Whether a patient's are asked for.
    pub(super) fn by_patient(&self) -> bool {
        self.of.is_empty() && self.ids.uuid.is_empty() && self.ids.unique_id.is_empty()
    }
}

impl Folders {
    /// Whether a patient's are asked for.
    pub(super) fn by_patient(&self) -> bool {
        self.of_document.is_none() && self.ids.uuid.is_empty() && self.ids.unique_id.is_empty()
    }
}
