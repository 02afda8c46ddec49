//! How a community is spoken to that does not do everything as the framework says, and as whom.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hilum_security::iti40_provide_x_user_assertion::{AssertionIssuer, Onward};
use hilum_transport::{Client, Manner};

/// How a community is spoken to.
#[derive(Debug, Clone, Default)]
pub struct Partner {
    /// How its requests are packed and addressed.
    pub manner: Manner,
    /// Documents or images that it is asked for in one request; any number if there is no limit.
    pub documents_per_request: Option<usize>,
    /// Objects that it sends without `@home` are its own.
    pub assume_home: bool,
    /// What it is told of the user for whom it is asked.
    pub identity: Identity,
    /// Who asks it, if not the client of everybody: with other trust, another certificate, other limits.
    pub client: Option<Client>,
    /// All that was configured of the community, as text: two with the same are alike.
    pub configured: String,
}

/// What a community is told of the user for whom it is asked.
#[derive(Debug, Clone, Default)]
pub enum Identity {
    /// The assertion that the caller brought.
    #[default]
    Pass,
    /// Nothing: it is asked for nobody in particular.
    Nobody,
    /// The same, said by this node.
    Issue(Arc<Vouching>),
}

/// What this node says of users to a community.
pub struct Vouching {
    /// As whom it says that.
    pub issuer: Arc<AssertionIssuer>,
    /// For whom it is meant.
    pub audience: Vec<String>,
    /// How long it is valid at most.
    pub lifetime: Duration,
    /// The community of this node: from where users come who do not say from where.
    pub home: String,
}

impl Vouching {
    /// What `assertion` says, in an assertion of this node.
    pub(crate) fn vouch(&self, assertion: &str) -> Result<String, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let onward = Onward {
            audience: &self.audience,
            lifetime: self.lifetime,
            home: &self.home,
            now: now.unwrap_or_default().as_secs(),
        };
        let said = self.issuer.issue_onward(assertion, &onward);
        said.map_err(|refused| refused.to_string())
    }
}

/// Without the key.
impl fmt::Debug for Vouching {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Vouching")
            .field("issuer", &self.issuer.name)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
