//! By what patients are found: nothing but equal keys, so that what is kept need not be readable in the
//! database. A key narrows; whether a patient fits is judged by what is known of it.

use std::collections::{BTreeMap, BTreeSet};

use xds_schemas::hl7v3::find_candidates::{AskedTime, Parameters};
use xds_schemas::metadata::Timestamp;
use xds_schemas::person::{Person, PersonName, Telecom, digits, words, words_of};

/// Letters of a name by which it is found if it is not known whole.
const PREFIX: usize = 3;
/// Digits at the end of a telephone number by which it is found.
const LOCAL_NUMBER: usize = 7;
/// Years between which a birth is looked for.
const MOST_YEARS: u16 = 130;

/// What a key is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An identifier, as CX.
    Id,
    /// The domain of an identifier: an OID.
    Domain,
    /// A word of a family name.
    Family,
    /// Its first letters.
    FamilyPrefix,
    /// A word of a given name.
    Given,
    /// Its first letters.
    GivenPrefix,
    /// The beginning of a date of birth: a year, a month, a day.
    Birth,
    /// A date of birth, exactly as precise as it is known.
    BirthAsKnown,
    /// The end of a telephone number, or another address.
    Telecom,
    /// The postal code of an address.
    PostalCode,
    /// A word of the mother's family name.
    Mother,
}

impl Kind {
    /// As it is kept.
    pub(super) const fn number(self) -> i16 {
        match self {
            Self::Id => 1,
            Self::Domain => 2,
            Self::Family => 3,
            Self::FamilyPrefix => 4,
            Self::Given => 5,
            Self::GivenPrefix => 6,
            Self::Birth => 7,
            Self::BirthAsKnown => 8,
            Self::Telecom => 9,
            Self::PostalCode => 10,
            Self::Mother => 11,
        }
    }

    /// Where its keys have their pseudonyms, if fields are sealed: equal texts of two kinds have two.
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Id => "demographic_keys.id",
            Self::Domain => "demographic_keys.domain",
            Self::Family => "demographic_keys.family",
            Self::FamilyPrefix => "demographic_keys.family_prefix",
            Self::Given => "demographic_keys.given",
            Self::GivenPrefix => "demographic_keys.given_prefix",
            Self::Birth => "demographic_keys.birth",
            Self::BirthAsKnown => "demographic_keys.birth_as_known",
            Self::Telecom => "demographic_keys.telecom",
            Self::PostalCode => "demographic_keys.postal_code",
            Self::Mother => "demographic_keys.mother",
        }
    }
}

/// A key of a patient.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

impl Key {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { kind, text }
    }
}

/// The texts of keys, by their kind.
pub(super) fn by_kind(keys: &[Key]) -> BTreeMap<Kind, Vec<&str>> {
    let mut kinds: BTreeMap<Kind, Vec<&str>> = BTreeMap::new();
    for key in keys {
        let texts = kinds.entry(key.kind).or_default();
        texts.push(&key.text);
    }
    kinds
}

/// All keys of a person.
pub(super) fn of(person: &Person) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    for id in &person.ids {
        keys.insert(Key::new(Kind::Id, id.to_string()));
        keys.insert(Key::new(Kind::Domain, id.authority.as_str()));
    }
    for name in &person.names {
        // Of a name as a whole, every word may be of either part.
        for word in words_of(name.family.iter().chain(&name.text)) {
            keys.insert(Key::new(Kind::FamilyPrefix, prefix(&word)));
            keys.insert(Key::new(Kind::Family, word));
        }
        for word in words_of(name.given.iter().chain(&name.text)) {
            keys.insert(Key::new(Kind::GivenPrefix, prefix(&word)));
            keys.insert(Key::new(Kind::Given, word));
        }
    }
    if let Some(born) = &person.birth_time {
        let day = day(born);
        for length in [4, 6, 8] {
            if let Some(beginning) = day.get(..length) {
                keys.insert(Key::new(Kind::Birth, beginning));
            }
        }
        keys.insert(Key::new(Kind::BirthAsKnown, day));
    }
    keys.extend(person.telecoms.iter().map(telecom));
    for address in &person.addresses {
        let code = address.postal_code.as_deref().map(joined);
        keys.extend(code.map(|code| Key::new(Kind::PostalCode, code)));
    }
    if let Some(name) = &person.mothers_maiden_name {
        for word in words_of(name.family.iter().chain(&name.text)) {
            keys.insert(Key::new(Kind::Mother, word));
        }
    }
    keys
}

/// What every patient who fits has one of, for each thing that is asked: any of these lists narrows.
/// Nothing, if what is asked has no keys.
pub(crate) fn condition(asked: &Parameters) -> Vec<Vec<Key>> {
    let mut all = Vec::new();
    for id in &asked.ids {
        all.push(vec![match id.patient() {
            Some(patient) => Key::new(Kind::Id, patient.to_string()),
            None => Key::new(Kind::Domain, id.root.as_str()),
        }]);
    }
    all.extend(every(&asked.names, name_keys));
    all.extend(asked.birth_time.as_ref().and_then(born));
    all.extend(every(&asked.telecoms, |it| Some(vec![telecom(it)])));
    all.extend(every(&asked.addresses, |address| {
        let code = joined(address.postal_code.as_deref()?);
        Some(vec![Key::new(Kind::PostalCode, code)])
    }));
    all.extend(every(&asked.mothers_maiden_names, |name| {
        let exact = !name.is_search() && name.text.is_none();
        let word = longest(words_of(&name.family)).filter(|_| exact)?;
        Some(vec![Key::new(Kind::Mother, word)])
    }));
    all
}

/// The keys of all alternatives, if each has one: whoever fits has one of them.
fn every<T>(asked: &[T], keys: impl Fn(&T) -> Option<Vec<Key>>) -> Option<Vec<Key>> {
    let lists: Option<Vec<Vec<Key>>> = asked.iter().map(keys).collect();
    lists
        .map(|lists| lists.concat())
        .filter(|keys| !keys.is_empty())
}

fn name_keys(name: &PersonName) -> Option<Vec<Key>> {
    let of = |word: String, whole, beginning| match name.is_search() {
        false => Some(Key::new(whole, word)),
        true if word.chars().count() >= PREFIX => Some(Key::new(beginning, prefix(&word))),
        true => None,
    };
    if let Some(word) = longest(words_of(&name.family))
        && let Some(key) = of(word, Kind::Family, Kind::FamilyPrefix)
    {
        return Some(vec![key]);
    }
    if let Some(word) = longest(words_of(&name.given)) {
        return Some(vec![of(word, Kind::Given, Kind::GivenPrefix)?]);
    }
    let word = longest(words_of(name.text.iter()))?;
    Some(vec![
        of(word.clone(), Kind::Family, Kind::FamilyPrefix)?,
        of(word, Kind::Given, Kind::GivenPrefix)?,
    ])
}

/// Who was born then may be known less precisely.
fn born(asked: &AskedTime) -> Option<Vec<Key>> {
    if let Some(value) = &asked.value {
        let day = day(value);
        let mut keys = vec![Key::new(Kind::Birth, day)];
        let shorter = [4, 6].into_iter().filter(|length| *length < day.len());
        let shorter = shorter.filter_map(|length| day.get(..length));
        keys.extend(shorter.map(|day| Key::new(Kind::BirthAsKnown, day)));
        return Some(keys);
    }
    let year = |time: &Timestamp| time.as_str().get(..4)?.parse::<u16>().ok();
    let (low, high) = (year(asked.low.as_ref()?)?, year(asked.high.as_ref()?)?);
    (high.saturating_sub(low) <= MOST_YEARS).then(|| {
        let years = low..=high;
        years
            .map(|year| Key::new(Kind::Birth, format!("{year:04}")))
            .collect()
    })
}

/// Two numbers that are the same have the same end.
fn telecom(telecom: &Telecom) -> Key {
    let value = telecom.value.to_lowercase();
    let text = match value.starts_with("tel:") || value.starts_with("fax:") {
        true => {
            let digits = digits(&value);
            let local = digits.len().saturating_sub(LOCAL_NUMBER);
            digits.get(local..).unwrap_or_default().to_owned()
        }
        false => value,
    };
    Key::new(Kind::Telecom, text)
}

fn day(time: &Timestamp) -> &str {
    let digits = time.as_str();
    digits.get(..8).unwrap_or(digits)
}

fn prefix(word: &str) -> String {
    word.chars().take(PREFIX).collect()
}

fn joined(text: &str) -> String {
    words(text).into_iter().collect::<Vec<String>>().join(" ")
}

fn longest(words: BTreeSet<String>) -> Option<String> {
    words.into_iter().max_by_key(|word| word.chars().count())
}

#[cfg(test)]
mod tests {
    use xds_schemas::metadata::PatientId;
    use xds_schemas::person::matching::fits;
    use xds_schemas::person::{Address, SEARCH};

    use super::*;

    fn person() -> Person {
        Person {
            ids: vec![PatientId::new("1", "1.2.3.9")],
            names: vec![
                PersonName::of("Žižková Müller", "Anna Maria"),
                PersonName {
                    text: Some("Annie Bell".to_owned()),
                    ..PersonName::default()
                },
            ],
            birth_time: Timestamp::parse("197302").ok(),
            telecoms: vec![Telecom {
                value: "tel:+43-664-1234567".to_owned(),
                usage: None,
            }],
            addresses: vec![Address {
                postal_code: Some("SW1A 1AA".to_owned()),
                ..Address::default()
            }],
            mothers_maiden_name: Some(PersonName::of("Svoboda", "")),
            ..Person::default()
        }
    }

    fn named(family: &str, given: &str, search: bool) -> Parameters {
        let name = PersonName {
            usage: search.then(|| SEARCH.to_owned()),
            ..PersonName::of(family, given)
        };
        Parameters {
            names: vec![name],
            ..Parameters::default()
        }
    }

    /// Nobody who fits is lost by looking for keys.
    #[test]
    fn who_fits_has_a_key_of_every_list() {
        let born = |value: &str| Parameters {
            birth_time: Timestamp::parse(value).ok().map(AskedTime::at),
            ..Parameters::default()
        };
        let between = Parameters {
            birth_time: Some(AskedTime {
                value: None,
                low: Timestamp::parse("19700101").ok(),
                high: Timestamp::parse("1973").ok(),
            }),
            ..Parameters::default()
        };
        let spoken = Parameters {
            names: vec![PersonName {
                text: Some("anna müller".to_owned()),
                ..PersonName::default()
            }],
            ..Parameters::default()
        };
        let call = Parameters {
            telecoms: vec![Telecom {
                value: "tel:0664 1234567".to_owned(),
                usage: None,
            }],
            ..Parameters::default()
        };
        let person = person();
        let keys = of(&person);
        for asked in [
            named("MUELLER ZIZKOVA", "", false),
            named("", "maria", false),
            named("Zizk", "", true),
            named("Zi", "Ann", true),
            named("", "Mar", true),
            named("Bell", "Annie", false),
            born("19730215"),
            born("1973"),
            born("197302"),
            between,
            spoken,
            call,
        ] {
            assert!(fits(&asked, &person), "{asked:?}");
            let lists = condition(&asked);
            assert!(!lists.is_empty(), "{asked:?}");
            for list in lists {
                assert!(
                    list.iter().any(|key| keys.contains(key)),
                    "{asked:?}: {list:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_too_vague_has_no_keys() {
        assert!(condition(&named("Zi", "", true)).is_empty());
        assert!(condition(&Parameters::default()).is_empty());
        let mut alternatives = named("Müller", "", false);
        alternatives
            .names
            .push(named("Zi", "", true).names.remove(0));
        assert!(condition(&alternatives).is_empty());
    }
}
