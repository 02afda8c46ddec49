//! What a search asks, read from its parameters.
//!
//! Names are FHIR's, and those of the supplement where it chains them. A name that is not known here is
//! passed over and said to be so, unless the asker wants it refused (`Prefer: handling=strict`). A
//! value that cannot be read is refused always.

use crate::record_repository::index::{
    DateTest, Found, Hit, Index, Kind, Search, Times, Word, Words,
};
use crate::record_repository::log::Log;
use crate::record_repository::understood::EventId;
use crate::record_repository::web::Refused;

use super::tokens::{Token, of_code, of_identifier, tokens};
use super::{MOST, PAGE, Searched, date, texts};

/// Values of one kind that a part of a text may fit.
pub(in crate::record_repository) const FITTING: usize = 20_000;
/// Parameters that narrow one search.
const NARROWING: usize = 100;
/// Characters of a name that are repeated to whoever sent it.
const NAME: usize = 64;

/// What can be searched by, and how FHIR calls the kind of it.
pub(in crate::record_repository) const PARAMETERS: [(&str, &str); 27] = [
    ("_id", "token"),
    ("_lastUpdated", "date"),
    ("action", "token"),
    ("address", "string"),
    ("agent", "reference"),
    ("agent.identifier", "token"),
    ("agent-name", "string"),
    ("agent-role", "token"),
    ("altid", "token"),
    ("date", "date"),
    ("entity", "reference"),
    ("entity-id", "token"),
    ("entity.identifier", "token"),
    ("entity-name", "string"),
    ("entity-role", "token"),
    ("entity-type", "token"),
    ("outcome", "token"),
    ("patient", "reference"),
    ("patient.identifier", "token"),
    ("policy", "uri"),
    ("purpose", "token"),
    ("site", "token"),
    ("source", "reference"),
    ("source.identifier", "token"),
    ("subtype", "token"),
    ("type", "token"),
    ("user", "string"),
];

/// What is asked.
#[derive(Debug, Default)]
pub(in crate::record_repository) struct Question {
    conditions: Vec<Condition>,
    times: Times,
    /// When it came.
    arrived: Times,
    ids: Option<Vec<EventId>>,
    oldest_first: bool,
    count: Option<usize>,
    page: Option<(Hit, u64)>,
    /// The parameters that were used, as they were sent: the link to this page.
    pub(super) used: Vec<(String, String)>,
    /// Names that mean nothing here.
    pub(super) ignored: Vec<String>,
}

/// Something by which events are found.
#[derive(Debug)]
enum Condition {
    Code(Kind, Vec<Token>),
    Identifier(Vec<Kind>, Vec<Token>),
    Plain(Kind, Vec<String>),
    Text(Kind, Part, Vec<String>),
    User(Vec<String>),
}

/// Which part of a text is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Beginning,
    Anywhere,
    All,
}

impl Part {
    /// Whether a text has it, whatever the case of letters.
    fn is_in(self, text: &str, part: &str) -> bool {
        match self {
            Self::All => text == part,
            Self::Beginning => text.to_lowercase().starts_with(&part.to_lowercase()),
            Self::Anywhere => text.to_lowercase().contains(&part.to_lowercase()),
        }
    }
}

impl Question {
    pub(super) fn read(parameters: Vec<(String, String)>, strict: bool) -> Result<Self, Refused> {
        let mut question = Self::default();
        for (name, value) in parameters {
            let known = question.parameter(&name, &value)?;
            if known {
                question.used.push((name, value));
            } else if strict {
                return Err(wrong(&name, "there is no such parameter"));
            } else {
                question.ignored.push(shown(&name));
            }
        }
        if question.conditions.len() > NARROWING
            || question.times.0.len() + question.arrived.0.len() > NARROWING
        {
            return Err(Refused::new(400, "too-costly", "too many parameters"));
        }
        if question.times.0.is_empty() && question.ids.is_none() {
            return Err(Refused::new(
                400,
                "required",
                "date: it must be given at least once",
            ));
        }
        Ok(question)
    }

    /// Reads one parameter. Says whether it is known.
    fn parameter(&mut self, name: &str, value: &str) -> Result<bool, Refused> {
        match name {
            "date" => self.times.0.push(dates(name, value)?),
            "_lastUpdated" => self.arrived.0.push(dates(name, value)?),
            "_id" => {
                let ids = texts(value)
                    .into_iter()
                    .filter_map(|id| EventId::parse(&id));
                let ids: Vec<EventId> = ids.collect();
                self.ids = Some(match self.ids.take() {
                    Some(before) => before.into_iter().filter(|id| ids.contains(id)).collect(),
                    None => ids,
                });
            }
            "_count" => self.count = Some(number(name, value)?.min(MOST)),
            "_summary" if value == "count" => self.count = Some(0),
            "_sort" => match value {
                "date" => self.oldest_first = true,
                "-date" => self.oldest_first = false,
                _ => return Err(wrong(name, "date or -date is expected")),
            },
            "_page" => {
                self.page = Some(page(value).ok_or_else(|| wrong(name, "it is none of ours"))?)
            }
            "_format" | "_pretty" | "_total" => {}
            name => return self.condition(name, value),
        }
        Ok(true)
    }

    fn condition(&mut self, name: &str, value: &str) -> Result<bool, Refused> {
        let (plain, modifier) = name.split_once(':').unwrap_or((name, ""));
        let token = || tokens(value).ok_or_else(|| wrong(name, "a value is missing"));
        let code = |kind| Ok::<_, Refused>(Condition::Code(kind, token()?));
        let id = |kinds: &[Kind]| Ok::<_, Refused>(Condition::Identifier(kinds.to_vec(), token()?));
        let text = |kind, part| Condition::Text(kind, part, texts(value));
        let part = match modifier {
            "exact" => Part::All,
            "contains" => Part::Anywhere,
            _ => Part::Beginning,
        };
        let (condition, allowed): (_, &[&str]) = match plain {
            "type" => (code(Kind::Type)?, &[]),
            "subtype" => (code(Kind::Subtype)?, &[]),
            "action" => (code(Kind::Action)?, &[]),
            "outcome" => (code(Kind::Outcome)?, &[]),
            "agent-role" => (code(Kind::AgentRole)?, &[]),
            "entity-type" => (code(Kind::EntityType)?, &[]),
            "entity-role" => (code(Kind::EntityRole)?, &[]),
            "purpose" => (code(Kind::Purpose)?, &[]),
            "agent" | "agent.identifier" => (id(&[Kind::Agent])?, &["identifier"]),
            "source" | "source.identifier" => (id(&[Kind::Source])?, &["identifier"]),
            "patient" | "patient.identifier" => (id(&[Kind::Patient])?, &["identifier", "Patient"]),
            "entity" | "entity-id" | "entity.identifier" => (id(&[Kind::Entity])?, &["identifier"]),
            "altid" => (Condition::Plain(Kind::AlternativeId, texts(value)), &[]),
            "site" => (Condition::Plain(Kind::Site, texts(value)), &[]),
            "policy" => (Condition::Plain(Kind::Policy, texts(value)), &[]),
            // The supplement asks for any part of it.
            "address" => {
                let part = if part == Part::All {
                    part
                } else {
                    Part::Anywhere
                };
                (text(Kind::Address, part), &["exact", "contains"])
            }
            "agent-name" => (text(Kind::AgentName, part), &["exact", "contains"]),
            "entity-name" => (text(Kind::EntityName, part), &["exact", "contains"]),
            "user" => (Condition::User(texts(value)), &[]),
            _ => return Ok(false),
        };
        if !modifier.is_empty() && !allowed.contains(&modifier) {
            return Err(wrong(name, "this modifier is not supported"));
        }
        if texts(value).is_empty() {
            return Err(wrong(name, "a value is missing"));
        }
        self.conditions.push(condition);
        Ok(true)
    }

    /// How many events are given.
    pub(super) fn count(&self) -> usize {
        self.count.unwrap_or(PAGE)
    }

    /// Looks in the index for what was there when the log ended at `end`.
    pub(super) fn search(&self, index: &Index, log: &Log, end: u64) -> Result<Searched, Refused> {
        let words = index.words().map_err(anyhow::Error::new)?;
        let mut all = vec![vec![words.plain(Kind::Event, "")]];
        for condition in &self.conditions {
            all.push(condition.words(index, &words)?);
        }
        let before = self.page.map_or(end, |(_, before)| before.min(end));
        let search = Search {
            all,
            times: self.times.clone(),
            arrived: self.arrived.clone(),
            newest_first: !self.oldest_first,
            limit: self.count(),
            after: self.page.map(|(hit, _)| hit),
            before: Some(before),
            since: log.begin(),
            only: self.ids.clone(),
        };
        let mut searched = Searched::of(index, &search)?;
        if search.limit == 0 {
            let total = searched.found.total;
            searched.found = Found {
                total,
                ..Found::default()
            };
        }
        Ok(searched)
    }
}

impl Condition {
    fn words(&self, index: &Index, words: &Words) -> Result<Vec<Word>, Refused> {
        let mut all = Vec::new();
        match self {
            Self::Code(kind, tokens) => {
                let these = tokens.iter().flat_map(|token| of_code(words, *kind, token));
                all.extend(these);
            }
            Self::Identifier(kinds, tokens) => {
                for kind in kinds {
                    let these = tokens.iter().flat_map(|it| of_identifier(words, *kind, it));
                    all.extend(these);
                }
            }
            Self::Plain(kind, values) => {
                all.extend(values.iter().map(|value| words.plain(*kind, value)));
            }
            Self::Text(kind, part, values) => all = fitting(index, *kind, *part, values)?,
            Self::User(values) => {
                for value in values {
                    all.extend(words.asked(Kind::Agent, None, value));
                    all.push(words.plain(Kind::AlternativeId, value));
                }
                all.extend(fitting(index, Kind::AgentName, Part::Anywhere, values)?);
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }
}

fn fitting(index: &Index, kind: Kind, part: Part, values: &[String]) -> Result<Vec<Word>, Refused> {
    let fits = |text: &str| values.iter().any(|value| part.is_in(text, value));
    let found = index
        .fitting(kind, FITTING, fits)
        .map_err(anyhow::Error::new)?;
    found.ok_or_else(|| {
        Refused::new(
            400,
            "too-costly",
            "too many different values fit; ask for more of it",
        )
    })
}

/// Any of these dates.
fn dates(name: &str, value: &str) -> Result<Vec<DateTest>, Refused> {
    let dates: Option<Vec<DateTest>> = texts(value).iter().map(|it| date(it)).collect();
    let dates = dates.filter(|dates| !dates.is_empty());
    dates.ok_or_else(|| wrong(name, "a date is expected, perhaps with a prefix like ge"))
}

fn number(name: &str, value: &str) -> Result<usize, Refused> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|_| digits);
    number.ok_or_else(|| wrong(name, "it is no number"))
}

/// Where a page begins: after which hit, and which records are left out because they came later.
fn page(value: &str) -> Option<(Hit, u64)> {
    let mut parts = value.split('_');
    let hit = Hit {
        recorded: parts.next()?.parse().ok()?,
        id: EventId::parse(parts.next()?)?,
    };
    let before = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((hit, before))
}

/// The opposite.
pub(super) fn page_after(hit: Hit, before: u64) -> String {
    format!("{}_{}_{before}", hit.recorded, hit.id)
}

pub(in crate::record_repository) fn wrong(parameter: &str, problem: &str) -> Refused {
    Refused::new(400, "invalid", format!("{}: {problem}", shown(parameter)))
}

/// A name that somebody sent, so that it can stand in an answer.
pub(in crate::record_repository) fn shown(name: &str) -> String {
    let letters = name.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() || "._-:".contains(letter) => letter,
        _ => '?',
    });
    letters.take(NAME).collect()
}
