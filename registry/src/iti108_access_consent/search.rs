//! Which consents are wanted: the parameters of a search (2:3.108.4.1.2.1), and some of FHIR's own.
//!
//! Whose consents or which of them must be said. Parameters that are not known are passed over, and are
//! missing in the address that the answer says of itself.

use std::time::SystemTime;

use hilum_security::access::{Consent, Period, Provision, searched_patient, span_of_fhir};

use super::resource::Shown;

/// Values that a parameter can have, ids among them.
const MOST_VALUES: usize = 100;
/// Consents of one page, whoever asks for more.
const MOST: usize = 1000;
/// Parameters that are understood, and their kinds as FHIR names them.
pub(super) const PARAMETERS: [(&str, &str); 10] = [
    ("patient", "reference"),
    ("patient.identifier", "token"),
    ("patient:identifier", "token"),
    ("_id", "token"),
    ("status", "token"),
    ("period", "date"),
    ("date", "date"),
    ("actor:identifier", "token"),
    ("actor.identifier", "token"),
    ("purpose", "token"),
];
/// Identifiers that are URIs need no other system.
const URI: &str = "urn:ietf:rfc:3986";

/// A search. Of each list, one must apply; all lists must.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    patient: Option<String>,
    ids: Vec<String>,
    statuses: Vec<Vec<String>>,
    periods: Vec<Vec<Span>>,
    dates: Vec<Vec<Span>>,
    actors: Vec<Vec<String>>,
    purposes: Vec<Vec<String>>,
    count: Option<usize>,
    /// The id of the last consent of the page before.
    after: Option<String>,
    used: Vec<(String, String)>,
}

/// A part of what was found.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) shown: Vec<Shown>,
    /// How many there are on all pages.
    pub(super) total: usize,
    /// After which consent the next page begins, if there is one.
    pub(super) next: Option<String>,
}

/// A date of a search, and how it is to be compared with.
#[derive(Debug, Clone, Copy)]
struct Span {
    how: How,
    from: SystemTime,
    until: SystemTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    StartsAfter,
    EndsBefore,
}

impl Search {
    pub(super) fn read(parameters: &[(String, String)]) -> Result<Self, String> {
        let mut search = Self::default();
        for (name, value) in parameters {
            search.add(name, value)?;
        }
        match search.patient.is_some() || !search.ids.is_empty() {
            true => Ok(search),
            false => Err("the search needs patient, patient.identifier or _id".to_owned()),
        }
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        if let Some(patient) = searched_patient(name, value) {
            let patient = patient.map_err(|error| error.to_string())?.to_string();
            if self.patient.as_ref().is_some_and(|it| *it != patient) {
                return Err(format!("{name}: one patient is asked for at a time"));
            }
            self.patient = Some(patient);
        } else {
            let values: Vec<String> = value.split(',').map(str::to_owned).collect();
            if values.len() > MOST_VALUES {
                return Err(format!("{name}: there are more than {MOST_VALUES} values"));
            }
            match name {
                "_id" => self.ids.extend(values),
                "status" => self.statuses.push(values),
                "period" => self.periods.push(spans(name, &values)?),
                "date" => self.dates.push(spans(name, &values)?),
                "actor" | "actor:identifier" | "actor.identifier" => self.actors.push(values),
                "purpose" => self.purposes.push(values),
                "_count" => {
                    let count = value.parse::<usize>();
                    let count = count.map_err(|_| format!("{name}: it is a number from 0 on"))?;
                    self.count = Some(count.min(MOST));
                }
                "_page" => self.after = Some(value.to_owned()),
                _ => return Ok(()),
            }
        }
        self.used.push((name.to_owned(), value.to_owned()));
        match self.used.len() + self.ids.len() <= 2 * MOST_VALUES {
            true => Ok(()),
            false => Err("there are too many parameters".to_owned()),
        }
    }

    /// CX of the patient whose consents are wanted.
    pub(super) fn patient(&self) -> Option<String> {
        self.patient.clone()
    }

    pub(super) fn ids(&self) -> &[String] {
        &self.ids
    }

    /// What of the search was understood, as it stands in an address.
    pub(super) fn used(&self) -> String {
        written(self.used.iter())
    }

    /// The same for the page that begins after this consent.
    pub(super) fn following(&self, next: &str) -> String {
        let others = self.used.iter().filter(|(name, _)| name != "_page");
        let page = ("_page".to_owned(), next.to_owned());
        written(others.chain([&page]))
    }

    /// The page that is asked for. Pages are stable: the ids of consents say in which order they were
    /// made, so that those that are made meanwhile come last.
    pub(super) fn page(&self, mut found: Vec<Shown>) -> Page {
        let total = found.len();
        found.sort_by(|one, other| one.id.cmp(&other.id));
        if let Some(after) = &self.after {
            found.retain(|shown| shown.id > *after);
        }
        let count = self.count.unwrap_or(found.len());
        // Who asks for none wants to know how many there are.
        let more = count > 0 && found.len() > count;
        found.truncate(count);
        Page {
            next: found.last().filter(|_| more).map(|it| it.id.clone()),
            shown: found,
            total,
        }
    }

    pub(super) fn accepts(&self, shown: &Shown) -> bool {
        let consent = &shown.meant;
        let of_tokens = |all: &[Vec<String>], accepts: &dyn Fn(&str) -> bool| {
            all.iter().all(|any| any.iter().any(|one| accepts(one)))
        };
        let within = |all: &[Vec<Span>], period: Period| {
            all.iter()
                .all(|any| any.iter().any(|it| it.accepts(period)))
        };
        (self.ids.is_empty() || self.ids.contains(&shown.id))
            && of_tokens(&self.statuses, &|token| is_code(token, &shown.status))
            && within(&self.periods, consent.period)
            && within(&self.dates, given(consent))
            && of_tokens(&self.actors, &|token| {
                any(&consent.provisions, &|it| {
                    let mut names = it.organisations.iter().chain(&it.actors);
                    names.any(|name| is_identifier(token, name))
                })
            })
            && of_tokens(&self.purposes, &|token| {
                any(&consent.provisions, &|it| {
                    it.purposes.iter().any(|purpose| is_coding(token, purpose))
                })
            })
    }
}

fn written<'a>(parameters: impl Iterator<Item = &'a (String, String)>) -> String {
    let written = parameters.map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    written.collect::<Vec<_>>().join("&")
}

/// When a consent was given; nothing is known of one that does not say so, and any date is after it.
fn given(consent: &Consent) -> Period {
    Period {
        from: consent.given,
        until: consent
            .given
            .map(|it| it + std::time::Duration::from_secs(1)),
    }
}

/// Whether something is said in a provision, or in one within it.
fn any(provisions: &[Provision], says: &dyn Fn(&Provision) -> bool) -> bool {
    provisions
        .iter()
        .any(|it| says(it) || any(&it.provisions, says))
}

/// `code`, or `system|code` of whatever system: codes of FHIR have one only.
fn is_code(token: &str, code: &str) -> bool {
    token.rsplit('|').next() == Some(code)
}

/// `code`, `system|code` or `|code`; the coding is `code^^system`.
fn is_coding(token: &str, coding: &str) -> bool {
    let (code, system) = coding.split_once("^^").unwrap_or((coding, ""));
    match token.split_once('|') {
        None => token == code,
        Some((asked, "")) => asked == system,
        Some((asked, of)) => of == code && asked == system,
    }
}

/// The same for `system|value`, as it is kept.
fn is_identifier(token: &str, name: &str) -> bool {
    let (system, value) = name.rsplit_once('|').unwrap_or((URI, name));
    match token.split_once('|') {
        None => token == value,
        Some((asked, of)) => of == value && (asked == system || asked.is_empty()),
    }
}

fn spans(name: &str, values: &[String]) -> Result<Vec<Span>, String> {
    let span = |value: &String| {
        let (how, date) = How::before(value);
        let span = span_of_fhir(date);
        let (from, until) = span.ok_or_else(|| format!("{name}: it is no date of FHIR"))?;
        Ok(Span { how, from, until })
    };
    values.iter().map(span).collect()
}

impl How {
    fn before(value: &str) -> (Self, &str) {
        let how = match value.get(..2) {
            Some("eq") => Self::Equal,
            Some("ne") => Self::NotEqual,
            Some("gt") => Self::Greater,
            Some("lt") => Self::Less,
            Some("ge") => Self::GreaterOrEqual,
            Some("le") => Self::LessOrEqual,
            Some("sa") => Self::StartsAfter,
            Some("eb") => Self::EndsBefore,
            _ => return (Self::Equal, value),
        };
        (how, &value[2..])
    }
}

impl Span {
    /// As FHIR compares ranges (R4, search: date). A period that is open on a side goes on for ever there.
    fn accepts(self, period: Period) -> bool {
        let begins = |after: SystemTime| period.from.is_some_and(|from| from >= after);
        let ends = |before: SystemTime| period.until.is_some_and(|until| until <= before);
        let within = begins(self.from) && ends(self.until);
        match self.how {
            How::Equal => within,
            How::NotEqual => !within,
            How::Greater => !ends(self.until),
            How::Less => !begins(self.from),
            How::GreaterOrEqual => !ends(self.until) || within,
            How::LessOrEqual => !begins(self.from) || within,
            How::StartsAfter => begins(self.until),
            How::EndsBefore => ends(self.from),
        }
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' | b':' | b',' => {
                escaped.push(char::from(byte));
            }
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
