//! Why somebody was not authenticated, in words for the operator. The peer gets the alert of TLS.

use std::fmt;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Error, Ssl, SslRef, SslVersion};
use openssl::x509::{X509, X509Ref, X509StoreContext, X509StoreContextRef, X509VerifyResult};

use super::advice;
use super::judge::{Trust, same_name};
use super::rules::alternatives;
use crate::caller::distinguished_name;

/// Why those do not pass who are trusted, but not among those who may call.
pub(super) const NOT_NAMED: &str = "not among `names`, who may call";

/// The other end refuses our certificate.
const OUR_CERTIFICATE: &str = "it does not accept our certificate";

/// The other end wants a certificate, and got none.
const NONE_OF_OURS: &str = "it wants a certificate of ours, and got none";

/// Names of a certificate that are told in one line.
const NAMES_TOLD: usize = 20;

/// Somebody was not authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAuthenticated {
    /// Whom the certificate names that was shown, if there was one. Without control characters.
    pub subject: Option<String>,
    /// Why they do not pass.
    pub reason: String,
    /// The library's own words, for who looks for more.
    pub library: Option<String>,
}

impl fmt::Display for NotAuthenticated {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Some(subject) => write!(out, "{subject}: {}", self.reason),
            None => out.write_str(&self.reason),
        }
    }
}

impl NotAuthenticated {
    /// Why this handshake failed.
    pub(super) fn of(session: &SslRef, error: &Error) -> Self {
        let stack = error.ssl_error().map(ErrorStack::errors);
        let reason = stack.and_then(|errors| errors.last()?.reason());
        if let Some(noted) = noted(session) {
            let library = noted.library.or_else(|| reason.map(str::to_owned));
            return Self { library, ..noted };
        }
        let offered = NOTES.as_ref().and_then(|it| session.ex_data(*it));
        let offered = offered.and_then(|notes| notes.offered.get().copied());
        Self {
            library: Some(reason.map_or_else(|| error.to_string(), str::to_owned)),
            ..Self::because(said(reason, offered))
        }
    }

    /// Why TLS ended after the handshake. With TLS 1.3 a client learns only then that its certificate is not
    /// accepted, because the server looks at it last (RFC 8446, section 4.4).
    pub fn afterwards(error: &Error) -> Self {
        let stack = error.ssl_error().map(ErrorStack::errors);
        let reason = stack.and_then(|errors| errors.last()?.reason());
        let words = match reason {
            None | Some("unexpected eof while reading") => "the connection broke".to_owned(),
            Some(reason) if reason.contains("alert ") => said(Some(reason), None),
            Some(_) => "what came is not what TLS wants there".to_owned(),
        };
        Self {
            library: Some(reason.map_or_else(|| error.to_string(), str::to_owned)),
            ..Self::because(words)
        }
    }

    /// Whether the other end refuses our certificate, or wants one.
    pub fn is_of_ours(&self) -> bool {
        self.reason.starts_with(OUR_CERTIFICATE) || self.reason.starts_with(NONE_OF_OURS)
    }

    /// Nothing is known but why.
    pub fn because(reason: impl Into<String>) -> Self {
        Self {
            subject: None,
            reason: reason.into(),
            library: None,
        }
    }

    /// What the operator does about it.
    pub fn advice(&self) -> Option<&'static str> {
        advice::of(&self.reason)
    }
}

/// The library's words for what is not about certificates, as operators say it.
fn said(reason: Option<&str>, offered: Option<SslVersion>) -> String {
    let Some(reason) = reason else {
        // The library has no complaint: the connection is gone.
        return "the connection ended within the handshake".to_owned();
    };
    let words = match reason {
        "peer did not return a certificate" => "no client certificate",
        "no shared cipher" => "no cipher suite of BCP 195 offered",
        "no suitable key share" | "no shared group" | "no suitable groups" => {
            "no curve of BCP 195 offered"
        }
        "unsupported protocol" | "version too low" => {
            return match offered.and_then(old) {
                Some(old) => format!("protocol {old} offered"),
                // What else it offers, it says in an extension.
                None => "neither TLS 1.2 nor TLS 1.3 offered".to_owned(),
            };
        }
        "no shared signature algorithms"
        | "no suitable signature algorithm"
        | "wrong signature type" => "no signature algorithm of BCP 195 offered",
        "http request" | "https proxy request" => "HTTP without TLS",
        "wrong version number"
        | "packet length too long"
        | "bad record type"
        | "record layer failure"
        | "unknown protocol"
        | "record too small" => "no TLS was spoken",
        "certificate verify failed" => "its certificate cannot be verified",
        "bad signature" | "digest check failed" | "decrypt error" => {
            "its certificate is not the one of its key"
        }
        "unexpected eof while reading" => "the connection ended within the handshake",
        _ => match reason.split_once("alert ") {
            Some((_, alert)) => return format!("{} (alert: {alert})", of_alert(alert)),
            None => "the TLS handshake failed",
        },
    };
    words.to_owned()
}

/// What the other end means by an alert (RFC 8446, section 6.2).
fn of_alert(alert: &str) -> &'static str {
    match alert {
        "unknown ca"
        | "bad certificate"
        | "certificate unknown"
        | "certificate expired"
        | "certificate revoked"
        | "unsupported certificate"
        | "access denied" => OUR_CERTIFICATE,
        "certificate required" => NONE_OF_OURS,
        "protocol version" => "it takes no version of TLS that we do",
        "handshake failure" | "insufficient security" => {
            "it takes no cipher suite, curve or certificate that we do"
        }
        _ => "it broke off",
    }
}

/// The name of a version that is too old.
const fn old(version: SslVersion) -> Option<&'static str> {
    match version {
        SslVersion::SSL3 => Some("SSL 3"),
        SslVersion::TLS1 => Some("TLS 1.0"),
        SslVersion::TLS1_1 => Some("TLS 1.1"),
        _ => None,
    }
}

/// What is noted while a handshake goes on.
#[derive(Default)]
struct Notes {
    /// The host that our client wants to reach.
    wanted: Option<String>,
    /// The version that a client offers, without what it says in extensions.
    offered: OnceLock<SslVersion>,
    refused: Mutex<Option<NotAuthenticated>>,
}

static NOTES: LazyLock<Option<Index<Ssl, Notes>>> = LazyLock::new(|| Ssl::new_ex_index().ok());

/// Lets things be noted of a handshake.
pub(super) fn begin(session: &mut SslRef, wanted: Option<&str>) {
    if let Some(index) = *NOTES {
        let notes = Notes {
            wanted: wanted.map(str::to_owned),
            ..Notes::default()
        };
        session.set_ex_data(index, notes);
    }
}

/// Notes what a client said first.
pub(super) fn heard(session: &SslRef) {
    let notes = NOTES.as_ref().and_then(|index| session.ex_data(*index));
    if let (Some(notes), Some(version)) = (notes, session.client_hello_legacy_version()) {
        // The second time, after a retry, it is the same.
        let _ = notes.offered.set(version);
    }
}

/// The host that our client wants to reach.
pub(super) fn wanted(context: &X509StoreContextRef) -> Option<String> {
    notes(context)?.wanted.clone()
}

/// Notes why a certificate does not pass.
pub(super) fn note(context: &X509StoreContextRef, leaf: &X509Ref, reason: String) {
    let Some(notes) = notes(context) else { return };
    let mut refused = notes.refused.lock().unwrap_or_else(PoisonError::into_inner);
    let error = context.error();
    *refused = Some(NotAuthenticated {
        subject: Some(distinguished_name(leaf.subject_name())),
        reason,
        library: (error != X509VerifyResult::OK).then(|| error.error_string().to_owned()),
    });
}

fn notes(context: &X509StoreContextRef) -> Option<&Notes> {
    let index = X509StoreContext::ssl_idx().ok()?;
    context.ex_data(index)?.ex_data((*NOTES)?)
}

fn noted(session: &SslRef) -> Option<NotAuthenticated> {
    let notes = session.ex_data((*NOTES)?)?;
    let refused = notes.refused.lock().unwrap_or_else(PoisonError::into_inner);
    refused.clone()
}

/// What the library objects to.
pub(super) struct Objection {
    pub(super) kind: Kind,
    depth: u32,
    certificate: Option<X509>,
    number: i32,
}

/// Kinds of objections that are treated, or told, in their own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No chain leads to somebody trusted.
    NotTrusted,
    Dates,
    Revoked,
    NoList,
    ListExpired,
    ListNotYet,
    ShortKey,
    WeakSignature,
    OtherName,
    Other,
}

impl Objection {
    pub(super) fn of(context: &X509StoreContextRef) -> Self {
        let error = context.error();
        Self {
            kind: kind(error),
            depth: context.error_depth(),
            certificate: context.current_cert().map(X509Ref::to_owned),
            number: error.as_raw(),
        }
    }

    /// The objection as a sentence goes on after the name of who does not pass.
    pub(super) fn words(&self, trust: Option<&Trust>) -> String {
        let Some(certificate) = &self.certificate else {
            return unusable(self.number).to_owned();
        };
        let issuer = || distinguished_name(certificate.issuer_name());
        let words = match self.kind {
            Kind::NotTrusted
                if same_name(certificate.issuer_name(), certificate.subject_name()) =>
            {
                // The last of its chain is named here, which may be the only one.
                format!("issuer not in trust: {}", issuer())
            }
            Kind::NotTrusted => return format!("issuer not in trust: {}", issuer()),
            Kind::Dates => {
                wrong_dates(certificate).unwrap_or_else(|| unusable(self.number).to_owned())
            }
            Kind::Revoked => {
                let revoked = trust.and_then(|trust| trust.revoked(certificate));
                revoked.unwrap_or_else(|| format!("revoked by {}", issuer()))
            }
            Kind::NoList => format!("no revocation list of its issuer {} is here", issuer()),
            Kind::ListExpired => {
                let ended = trust.and_then(|trust| newest_end(trust, certificate));
                let ended = ended.map_or_else(String::new, |it| format!(" on {it}"));
                format!(
                    "the revocation list of its issuer {} expired{ended}",
                    issuer()
                )
            }
            Kind::ListNotYet => {
                format!(
                    "the revocation list of its issuer {} is not valid yet",
                    issuer()
                )
            }
            Kind::ShortKey => "its key is too short".to_owned(),
            Kind::WeakSignature => "it is signed with a weak hash".to_owned(),
            Kind::OtherName => "name does not match".to_owned(),
            Kind::Other => unusable(self.number).to_owned(),
        };
        match (self.depth, self.kind) {
            (0, _) | (_, Kind::NotTrusted) => words,
            _ => {
                let subject = distinguished_name(certificate.subject_name());
                format!("its issuer {subject} does not pass: {words}")
            }
        }
    }
}

/// Why no chain of certificates is accepted, where nothing is known of revocations and pins.
pub(crate) fn objection(context: &X509StoreContextRef) -> String {
    Objection::of(context).words(None)
}

/// The numbers are those of `x509_vfy.h`, which the library keeps stable.
fn kind(error: X509VerifyResult) -> Kind {
    match error.as_raw() {
        2 | 18..=21 | 27 | 33 => Kind::NotTrusted,
        9 | 10 => Kind::Dates,
        23 => Kind::Revoked,
        3 => Kind::NoList,
        12 => Kind::ListExpired,
        11 => Kind::ListNotYet,
        66 | 67 => Kind::ShortKey,
        68 => Kind::WeakSignature,
        62 | 64 => Kind::OtherName,
        _ => Kind::Other,
    }
}

/// What is wrong with a certificate that is not used as it should be, as a sentence goes on after the
/// name of who showed it.
const fn unusable(number: i32) -> &'static str {
    match number {
        4 | 7 => "its certificate was changed, or signed with another key than that of its issuer",
        5 | 8 | 35 => "the revocation list of its issuer is not signed by it, or may not be",
        6 => "its certificate has a key that cannot be read",
        13 | 14 => "its certificate has dates that cannot be read",
        15 | 16 => "the revocation list of its issuer has dates that cannot be read",
        22 | 25 => "its chain has more authorities than it may have",
        24 | 32 | 37 | 79 => "its chain has a certificate in it that may not sign others",
        26 => "its certificate is for something else",
        34 | 36 => "its certificate has a critical extension that is not understood",
        47..=49 | 51..=53 => "its certificate is for names that its issuer may not certify",
        _ => "its certificate cannot be used",
    }
}

/// When the last of the revocation lists ended in which a certificate would stand.
fn newest_end(trust: &Trust, certificate: &X509Ref) -> Option<String> {
    let lists = trust.lists().iter();
    let named = lists.filter(|it| same_name(it.issuer_name(), certificate.issuer_name()));
    let ends = named.filter_map(|it| it.next_update());
    let newest = ends.reduce(|one, other| if one > other { one } else { other });
    newest.map(date)
}

/// What is wrong with the dates of a certificate now.
pub(super) fn wrong_dates(certificate: &X509Ref) -> Option<String> {
    let now = Asn1Time::days_from_now(0).ok()?;
    if certificate.not_after() < now {
        return Some(format!("expired on {}", date(certificate.not_after())));
    }
    let begin = certificate.not_before();
    (begin > now).then(|| format!("not valid before {}", date(begin)))
}

/// The certificate of a server is for other names.
pub(super) fn other_name(wanted: &str, certificate: &X509Ref) -> String {
    let mut names = alternatives(certificate);
    names.truncate(NAMES_TOLD);
    let has = match names.is_empty() {
        true => "no name at all".to_owned(),
        false => names.join(", "),
    };
    format!("name does not match: wanted {wanted}, has {has}")
}

/// A moment as people write it: `2026-01-03 12:00 UTC`.
pub(crate) fn date(moment: &Asn1TimeRef) -> String {
    let since = Asn1Time::from_unix(0).and_then(|epoch| epoch.diff(moment));
    let Ok(since) = since else {
        return moment.to_string();
    };
    let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let minutes = seconds.rem_euclid(86_400) / 60;
    let (hour, minute) = (minutes / 60, minutes % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Year, month and day of a day since 1970, in the Gregorian calendar. Years begin in March here, so
/// that leap days come last; 146,097 days are 400 years.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let shown = |seconds| date(&Asn1Time::from_unix(seconds).unwrap());
        assert_eq!(shown(0), "1970-01-01 00:00 UTC");
        assert_eq!(shown(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(shown(1_767_441_540), "2026-01-03 11:59 UTC");
        assert_eq!(shown(4_107_542_399), "2100-02-28 23:59 UTC");
        assert_eq!(shown(4_107_542_400), "2100-03-01 00:00 UTC");
        assert_eq!(shown(-86_400), "1969-12-31 00:00 UTC");
    }

    #[test]
    fn the_library_s_words_become_the_operator_s() {
        let said = |reason, offered| said(Some(reason), offered);
        let old = said("unsupported protocol", Some(SslVersion::TLS1_1));
        assert_eq!(old, "protocol TLS 1.1 offered");
        let none = said("peer did not return a certificate", None);
        assert_eq!(none, "no client certificate");
        let alert = said("tlsv1 alert unknown ca", None);
        assert_eq!(
            alert,
            "it does not accept our certificate (alert: unknown ca)"
        );
        let nothing_common = said("sslv3 alert handshake failure", None);
        let no_version = said("tlsv1 alert protocol version", None);
        let wants_one = said("tlsv13 alert certificate required", None);
        assert!(wants_one.ends_with("and got none (alert: certificate required)"));
        let expired = said("sslv3 alert certificate expired", None);
        assert!(expired.starts_with(OUR_CERTIFICATE) && wants_one.starts_with(NONE_OF_OURS));
        let other = said("tlsv1 alert internal error", None);
        assert_eq!(other, "it broke off (alert: internal error)");
        assert_eq!(said("something new", None), "the TLS handshake failed");
        let gone = super::said(None, None);
        assert_eq!(gone, "the connection ended within the handshake");
        let alerts = [nothing_common, no_version, wants_one, expired, other];
        for reason in [old, none, alert, gone].into_iter().chain(alerts) {
            assert!(advice::of(&reason).is_some(), "{reason}");
        }
        for number in 0..100 {
            assert!(advice::of(unusable(number)).is_some(), "{number}");
        }
    }
}
