//! What patients are called in other communities, and how a gateway finds out.
//!
//! A community either shares the assigning authority of this one, so that everybody has the same name in
//! both; or it has names of its own, which are kept as [`correlations`](crate::correlations) and found out
//! when they are needed (ITI-55), if the operator wants that.

mod absent;
mod visits;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hilum_security::Caller;
use hilum_security::access::CertificateWord;
use hilum_security::at_rest::Vault;
use hilum_security::iti19_authenticate_node::NodeTls;
use xds_schemas::metadata::{HomeCommunityId, PatientId};

use crate::correlations::{Correlation, Correlations, MOST, Origin, now};

use crate::deferred::Outbox;

use absent::Absent;
pub(crate) use visits::Visits;

/// Days for which correlations count, if nobody recommends less.
pub const CORRELATIONS_DAYS: u32 = 7;
/// Seconds after which a correlation is looked at again when nothing is found with it.
pub const RECHECK_SECONDS: u64 = 600;
/// For how long it counts that a community does not know a patient.
const ABSENT: Duration = Duration::from_secs(300);
/// Questions about patients that one caller may ask in a minute.
pub const DISCOVERIES_PER_MINUTE: u32 = 60;
/// Patients of one question who are looked up.
pub(crate) const MOST_PATIENTS: usize = 100;

/// How patients are called in another community.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Naming {
    /// As here: both share an assigning authority.
    #[default]
    Same,
    /// It is asked when it is needed (ITI-55).
    Discover,
    /// As is known; it is not asked.
    Known,
}

/// What has to be known of another community's patients.
#[derive(Debug, Clone, Default)]
pub struct PatientsThere {
    /// How they are called.
    pub naming: Naming,
    /// The URL of its Responding Gateway for ITI-55 and ITI-56.
    pub url: Option<String>,
    /// Whether it knows where else patients are known (health data locator, ITI-56).
    pub locator: bool,
    /// Where answers go that it wants later (ITI-55); nowhere, if it does not get any.
    pub deferred: Option<String>,
    /// Who speaks for it.
    pub speaker: Speaker,
}

/// Who may say what a community calls a patient: whoever fits everything that is said here of its node; if
/// nothing is, the node at which the community is reached.
#[derive(Debug, Clone, Default)]
pub struct Speaker {
    /// The node.
    pub node: Option<CertificateWord>,
    /// Those whom the community's own `trust` names must have issued its certificate.
    pub trust: Option<NodeTls>,
    /// Where the community is reached by TLS; nowhere if it is asked without, and nobody shows who they are.
    pub host: Option<String>,
}

impl Speaker {
    /// Whether it is the one who calls.
    pub(crate) fn is(&self, caller: &Caller) -> bool {
        let is_said = self.node.is_some() || self.trust.is_some();
        match (&caller.node, &self.host) {
            (Some(node), _) if is_said => {
                self.node.as_ref().is_none_or(|word| word.is(node))
                    && (self.trust.as_ref()).is_none_or(|trust| trust.vouches_for(node))
            }
            (Some(node), Some(host)) => node.is_reached_as(host),
            (None, Some(_)) => false,
            (_, None) => !is_said,
        }
    }
}

/// What of a person is said to other communities (ITI-55).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Demographics {
    /// Of name, gender and birth what they asked with.
    #[default]
    Minimal,
    /// Everything that is known.
    Full,
}

/// How the gateways deal with patients.
#[derive(Debug, Clone)]
pub struct PatientsConfig {
    /// The OID of the community's assigning authority.
    pub authority: String,
    /// The database of correlations.
    pub store: PathBuf,
    /// How it keeps what identifies patients.
    pub vault: Vault,
    /// Correlations that the operator knows.
    pub configured: Vec<Correlation>,
    /// For how long correlations count at most, and how long others are told to keep them.
    pub keep: Duration,
    /// After this time, what is known is looked at again when nothing is found with it.
    pub recheck: Duration,
    /// Whether others are told where else a patient is known (ITI-56).
    pub locator: bool,
    /// What others are told of a person.
    pub demographics: Demographics,
    /// Questions about patients that one caller may ask in a minute.
    pub per_minute: u32,
}

/// What is known of patients.
#[derive(Debug)]
pub(crate) struct Patients {
    pub(crate) config: PatientsConfig,
    pub(crate) correlations: Correlations,
    pub(crate) visits: Visits,
    /// Answers that are sent later.
    pub(crate) outbox: Arc<Outbox>,
    /// Who was not known elsewhere a moment ago.
    absent: Absent,
    /// Of whom it was found out anew a moment ago what they are called there.
    rechecked_there: Absent,
    /// Of whom it was looked a moment ago whether they are still known here.
    rechecked_here: Absent,
}

impl Patients {
    /// # Errors
    /// If the database cannot be opened.
    pub(crate) fn open(config: PatientsConfig) -> anyhow::Result<Self> {
        let configured = config.configured.clone();
        Ok(Self {
            correlations: Correlations::open(&config.store, &config.vault, configured, MOST)?,
            visits: Visits::new(config.per_minute),
            outbox: Arc::default(),
            absent: Absent::of(ABSENT),
            rechecked_there: Absent::of(config.recheck),
            rechecked_here: Absent::of(config.recheck),
            config,
        })
    }

    /// Whether a patient is of this community.
    pub(crate) fn is_own(&self, patient: &PatientId) -> bool {
        patient.authority == self.config.authority
    }

    /// Until when something counts that is known from now on, if somebody recommends so many seconds.
    pub(crate) fn until(&self, recommended: u64) -> i64 {
        let seconds = recommended.min(self.config.keep.as_secs());
        now().saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// Whether a community said a moment ago that it does not know the patient.
    pub(crate) fn is_absent(&self, own: &PatientId, home: &HomeCommunityId) -> bool {
        self.absent.has(own, home)
    }

    /// Notes that a community does not know the patient.
    pub(crate) fn note_absent(&self, own: &PatientId, home: &HomeCommunityId) {
        self.absent.note(own, home);
    }

    /// Whether it is time to find out anew what a patient is called there, which then counts as done.
    pub(crate) fn rechecks_there(&self, known: &Correlation) -> bool {
        self.is_old(known) && self.rechecked_there.note(&known.own, &known.home)
    }

    /// Whether it is time to look whether a patient is still known here, which then counts as done.
    pub(crate) fn rechecks_here(&self, known: &Correlation) -> bool {
        self.is_old(known) && self.rechecked_here.note(&known.own, &known.home)
    }

    /// What the operator says is not doubted.
    fn is_old(&self, known: &Correlation) -> bool {
        let seconds = i64::try_from(self.config.recheck.as_secs()).unwrap_or(i64::MAX);
        known.origin != Origin::Configured && known.learned.saturating_add(seconds) <= now()
    }

    /// The community may know the patient now.
    pub(crate) fn note_present(&self, own: &PatientId, home: &HomeCommunityId) {
        self.absent.forget(own, home);
    }
}
