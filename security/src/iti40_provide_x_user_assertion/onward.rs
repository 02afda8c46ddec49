//! Saying onward what somebody else said of a user: a gateway that other communities trust, in place of
//! the issuers of its own.

use std::time::Duration;

use xds_schemas::saml::{Assertion, Seconds};

use super::claims;
use super::issue::{AssertionIssuer, Issue, assertion, new_id};
use crate::user_refused::UserRefused;

/// What is said onward beside who the user is.
#[derive(Debug, Clone, Copy)]
pub struct Onward<'a> {
    /// For whom it is.
    pub audience: &'a [String],
    /// How long it is valid at most; never longer than what was said first.
    pub lifetime: Duration,
    /// The community of a user whose assertion does not name one.
    pub home: &'a str,
    /// In seconds since 1970.
    pub now: u64,
}

impl AssertionIssuer {
    /// What `first` says, in an assertion of this issuer: the subject and its attributes, as far as
    /// they are understood. It never allows more: it is not valid for longer, and what was for one use
    /// still is. Whoever calls this has judged `first` before.
    ///
    /// # Errors
    /// If there is nothing to say, it has expired, or it cannot be signed.
    pub fn issue_onward(&self, first: &str, onward: &Onward<'_>) -> Result<String, UserRefused> {
        let said = Assertion::read(first.as_bytes()).map_err(|error| {
            UserRefused::invalid(format!("the assertion cannot be read: {}", error.reason))
        })?;
        let mut user = claims::user(&said)?;
        let home = || onward.home.to_owned();
        user.home_community_id.get_or_insert_with(home);
        let now = Seconds::try_from(onward.now).unwrap_or(Seconds::MAX);
        let lifetime = Seconds::try_from(onward.lifetime.as_secs()).unwrap_or(Seconds::MAX);
        let conditions = said.conditions.as_ref();
        let sessions = said.authentications.iter();
        let ends = sessions.filter_map(|it| it.session_not_on_or_after);
        let ends = ends.chain(conditions.and_then(|it| it.not_on_or_after));
        let until = ends.fold(now.saturating_add(lifetime), Seconds::min);
        if until <= now {
            return Err(UserRefused::invalid("the assertion has expired meanwhile"));
        }
        let from = conditions.and_then(|it| it.not_before).unwrap_or(now);
        let issue = Issue {
            audience: onward.audience.to_vec(),
            from: from.max(now),
            until,
            one_time_use: conditions.is_some_and(|it| it.one_time_use),
        };
        let id = new_id().map_err(|error| UserRefused::invalid(error.to_string()))?;
        let mut onward = assertion(&self.name, id, &user, &issue);
        onward.issued = now;
        // How the user was authenticated, only the first issuer knows.
        onward.authentications = said.authentications;
        self.sign(&onward)
    }
}
