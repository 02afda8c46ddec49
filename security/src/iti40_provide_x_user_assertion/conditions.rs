//! Whether an assertion holds here and now.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openssl::sha::sha256;
use xds_schemas::saml::{
    Assertion, BEARER, Conditions, Confirmation, HOLDER_OF_KEY, Seconds, Subject,
};

use super::Settings;
use super::signed_info::decoded;
use crate::caller::Caller;
use crate::user_refused::UserRefused;

/// A point in time with the leave that clocks have to differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    now: Seconds,
    skew: Seconds,
}

impl Now {
    pub(super) fn of(now: SystemTime, skew: Duration) -> Self {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = |time: Duration| Seconds::try_from(time.as_secs()).unwrap_or(Seconds::MAX);
        Self {
            now: seconds(now),
            skew: seconds(skew),
        }
    }

    pub(super) const fn is_before(self, moment: Seconds) -> bool {
        self.now < moment.saturating_sub(self.skew)
    }

    pub(super) const fn is_at_or_after(self, moment: Seconds) -> bool {
        self.now >= moment.saturating_add(self.skew)
    }

    /// Whether it lies between both, as far as they are given.
    fn check(
        self,
        what: &str,
        from: Option<Seconds>,
        until: Option<Seconds>,
    ) -> Result<(), UserRefused> {
        if from.zip(until).is_some_and(|(from, until)| from >= until) {
            // The leave that clocks have would make a moment of it at which both hold.
            let why = format!("{what} ends before it begins (NotBefore, NotOnOrAfter)");
            return Err(UserRefused::invalid(why));
        }
        if from.is_some_and(|from| self.is_before(from)) {
            return Err(UserRefused::failed(format!("{what} is not valid yet")));
        }
        if until.is_some_and(|until| self.is_at_or_after(until)) {
            return Err(UserRefused::failed(format!("{what} has expired")));
        }
        Ok(())
    }
}

/// Checks everything that does not change while the assertion lives: that it says what ITI-40
/// demands (3.40.4.1.2), and that it is meant for us. Gives the moment when it ends.
pub(super) fn check_content(
    assertion: &Assertion,
    settings: &Settings,
) -> Result<Seconds, UserRefused> {
    let conditions = conditions(assertion)?;
    if conditions.others {
        return Err(UserRefused::failed(
            "the assertion has a condition that is not known here",
        ));
    }
    let (Some(from), Some(until)) = (conditions.not_before, conditions.not_on_or_after) else {
        return Err(UserRefused::invalid(
            "the assertion lacks NotBefore or NotOnOrAfter",
        ));
    };
    let lifetime = until.saturating_sub(from);
    let longest = Seconds::try_from(settings.longest_lifetime.as_secs()).unwrap_or(Seconds::MAX);
    if lifetime > longest {
        let why = format!("the assertion is valid for longer than {longest} seconds");
        return Err(UserRefused::failed(why));
    }
    if conditions.audiences.is_empty() {
        return Err(UserRefused::invalid("the assertion names no audience"));
    }
    let is_ours = |audience: &String| settings.audience.contains(audience);
    let meant = |audiences: &Vec<String>| audiences.iter().any(is_ours);
    if !conditions.audiences.iter().all(meant) {
        return Err(UserRefused::failed("the assertion is meant for others"));
    }
    let how = assertion.authentications.iter();
    let how: Vec<&str> = how.filter_map(|it| it.context.as_deref()).collect();
    if how.is_empty() {
        return Err(UserRefused::invalid(
            "the assertion does not say how its subject was authenticated",
        ));
    }
    let accepted = &settings.authentication;
    let is_accepted = |how: &&str| accepted.iter().any(|accepted| accepted == how);
    if !accepted.is_empty() && !how.iter().any(is_accepted) {
        return Err(UserRefused::failed(
            "the assertion's subject was authenticated in a way that is not accepted here",
        ));
    }
    Ok(until)
}

/// Checks what depends on the moment and on who shows the assertion.
pub(super) fn check_use(
    assertion: &Assertion,
    caller: &Caller,
    now: Now,
) -> Result<(), UserRefused> {
    let conditions = conditions(assertion)?;
    let (from, until) = (conditions.not_before, conditions.not_on_or_after);
    now.check("the assertion", from, until)?;
    // Issuers that write NotBefore an hour early must not write IssueInstant into the future.
    now.check("the assertion", Some(assertion.issued), None)?;
    for authentication in &assertion.authentications {
        let until = authentication.session_not_on_or_after;
        now.check("the session of the assertion", None, until)?;
    }
    let mut why = UserRefused::invalid("the assertion says in no way how its subject is confirmed");
    for confirmation in &subject(assertion)?.confirmations {
        match confirm(confirmation, caller, now) {
            Ok(()) => return Ok(()),
            Err(refused) => why = refused,
        }
    }
    Err(why)
}

fn confirm(confirmation: &Confirmation, caller: &Caller, now: Now) -> Result<(), UserRefused> {
    let (from, until) = (confirmation.not_before, confirmation.not_on_or_after);
    let what = "the confirmation of the assertion's subject";
    match confirmation.method.as_str() {
        BEARER => now.check(what, from, until),
        HOLDER_OF_KEY => {
            now.check(what, from, until)?;
            // What is held is the key of the connection, which TLS has proven.
            let node = caller.node.as_ref();
            let shown = node.map(|node| node.fingerprint.as_str());
            let is_shown = |certificate: &String| {
                decoded(certificate).is_some_and(|der| Some(hex(&sha256(&der)).as_str()) == shown)
            };
            match confirmation.certificates.iter().any(is_shown) {
                true => Ok(()),
                false => Err(UserRefused::failed(
                    "the caller does not hold the key of the assertion's subject",
                )),
            }
        }
        _ => Err(UserRefused::failed(
            "the assertion's subject is confirmed in a way that is not known here",
        )),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn conditions(assertion: &Assertion) -> Result<&Conditions, UserRefused> {
    let conditions = assertion.conditions.as_ref();
    conditions.ok_or_else(|| UserRefused::invalid("the assertion has no Conditions"))
}

pub(super) fn subject(assertion: &Assertion) -> Result<&Subject, UserRefused> {
    let subject = assertion.subject.as_ref();
    subject.ok_or_else(|| UserRefused::invalid("the assertion has no Subject"))
}
