//! Whether a patient is the one that is asked for: a rule that is stated, with its confidence
//! (`docs/patients.md`).
//!
//! Pure functions. [`fits`] says whether a patient has everything that is asked (ITI-47); [`degree`] says
//! how sure it is that both are one person, from 0 to 100, and [`choose`] whether that is enough to say so
//! to another community (ITI-55).

use std::collections::BTreeSet;

use super::words::{digits, words, words_of};
use super::{Address, Gender, Person, PersonName, Telecom};
use crate::hl7v3::InstanceId;
use crate::hl7v3::find_candidates::{AskedTime, Parameters, Wanted};
use crate::metadata::Timestamp;

/// The degree from which on two descriptions are of one person: family name, given name and date of birth.
pub const MATCH: u8 = 80;
/// The most that is given to whom something contradicts that does not change: the date of birth, or another
/// identifier of the same domain.
pub const CONTRADICTED: i32 = 50;

/// Points for what agrees.
const IDENTIFIER: i32 = 80;
const FAMILY: i32 = 30;
const FAMILY_PART: i32 = 20;
const GIVEN: i32 = 20;
const GIVEN_PART: i32 = 18;
const INITIAL: i32 = 8;
const BIRTH_DAY: i32 = 30;
const BIRTH_MONTH: i32 = 20;
const BIRTH_YEAR: i32 = 10;
const GENDER: i32 = 5;
const ADDRESS: i32 = 5;
const TOWN: i32 = 2;
const TELECOM: i32 = 5;
const MOTHER: i32 = 5;
const BIRTH_PLACE: i32 = 2;
/// Points against what does not.
const OTHER_NAME: i32 = -20;
const OTHER_GENDER: i32 = -20;
const OTHER_MOTHER: i32 = -10;

/// Digits of two telephone numbers that must be the same, if one is written with more in front.
const LOCAL_NUMBER: usize = 7;

/// How sure it is that the patient is the one who is asked for: 0 to 100. What is not asked, or not known,
/// counts nothing.
pub fn degree(asked: &Parameters, patient: &Person) -> u8 {
    let identity = identity(&asked.ids, patient);
    let birth = birth(asked.birth_time.as_ref(), patient.birth_time.as_ref());
    let contradicted = identity == Agreement::Against || birth == Some(Agreement::Against);
    let mut points = match identity {
        Agreement::For(points) => points,
        _ => 0,
    };
    if let Some(Agreement::For(more)) = birth {
        points += more;
    }
    points += best(&asked.names, &patient.names, name_points);
    points += match (asked.gender, patient.gender) {
        (Some(asked), Some(known)) if asked == known => GENDER,
        (Some(Gender::Other), _) | (_, Some(Gender::Other)) => 0,
        (Some(_), Some(_)) => OTHER_GENDER,
        _ => 0,
    };
    points += best(&asked.addresses, &patient.addresses, address_points);
    points += best(&asked.telecoms, &patient.telecoms, |asked, known| {
        if same_telecom(asked, known) {
            TELECOM
        } else {
            0
        }
    });
    let mother: Vec<PersonName> = patient.mothers_maiden_name.iter().cloned().collect();
    points += best(
        &asked.mothers_maiden_names,
        &mother,
        |asked, known| match name_points(asked, known) {
            0 => 0,
            ..0 => OTHER_MOTHER,
            _ => MOTHER,
        },
    );
    points += birth_place_points(asked, patient);
    let most = if contradicted { CONTRADICTED } else { 100 };
    u8::try_from(points.clamp(0, most)).unwrap_or_default()
}

/// What can be said of the patients who may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice<T> {
    /// It is this one.
    One(T),
    /// Nobody is near enough.
    Nobody,
    /// It may be any of several, which a community must not be told of.
    Ambiguous(Vec<T>),
}

/// Chooses among patients and their degrees. Whoever has at least `least`, but never less than [`MATCH`],
/// is meant; two of them are too many.
pub fn choose<T>(judged: impl IntoIterator<Item = (T, u8)>, least: Option<u8>) -> Choice<T> {
    let least = least.unwrap_or(MATCH).max(MATCH);
    let meant = judged.into_iter().filter(|(_, degree)| *degree >= least);
    let mut meant: Vec<T> = meant.map(|(patient, _)| patient).collect();
    match (meant.len(), meant.pop()) {
        (1, Some(one)) => Choice::One(one),
        (_, Some(last)) => {
            meant.push(last);
            Choice::Ambiguous(meant)
        }
        (_, None) => Choice::Nobody,
    }
}

/// What would tell these patients apart and was not asked: only what is known of one of them.
pub fn wanted<'p>(
    asked: &Parameters,
    patients: impl IntoIterator<Item = &'p Person> + Clone,
) -> Vec<Wanted> {
    let known = |of: &dyn Fn(&Person) -> bool| patients.clone().into_iter().any(of);
    let all = [
        (
            asked.gender.is_none() && known(&|it| it.gender.is_some()),
            Wanted::LivingSubjectAdministrativeGenderRequested,
        ),
        (
            asked.addresses.is_empty() && known(&|it| !it.addresses.is_empty()),
            Wanted::PatientAddressRequested,
        ),
        (
            asked.telecoms.is_empty() && known(&|it| !it.telecoms.is_empty()),
            Wanted::PatientTelecomRequested,
        ),
        (
            asked.birth_place_names.is_empty() && known(&|it| it.birth_place.name.is_some()),
            Wanted::LivingSubjectBirthPlaceNameRequested,
        ),
        (
            asked.birth_place_addresses.is_empty() && known(&|it| it.birth_place.address.is_some()),
            Wanted::LivingSubjectBirthPlaceAddressRequested,
        ),
        (
            asked.mothers_maiden_names.is_empty() && known(&|it| it.mothers_maiden_name.is_some()),
            Wanted::MothersMaidenNameRequested,
        ),
    ];
    let helpful = all.into_iter().filter(|(helps, _)| *helps);
    helpful.map(|(_, wanted)| wanted).collect()
}

/// Whether a patient has everything that is asked (ITI TF-2 3.47.4.1.2.1): all identifiers, one of the
/// names, addresses and telephone numbers. Of what is not known, nothing fits.
pub fn fits(asked: &Parameters, patient: &Person) -> bool {
    let ids = asked.ids.iter().all(|id| has_id(id, patient));
    let gender = asked.gender.is_none() || asked.gender == patient.gender;
    let born = match (&asked.birth_time, &patient.birth_time) {
        (None, _) => true,
        (Some(asked), Some(known)) => overlaps(asked, known),
        (Some(_), None) => false,
    };
    let mother: Vec<PersonName> = patient.mothers_maiden_name.iter().cloned().collect();
    let place = &patient.birth_place;
    let birth_name: Vec<String> = place.name.iter().cloned().collect();
    let birth_address: Vec<Address> = place.address.iter().cloned().collect();
    ids && gender
        && born
        && one_of(&asked.names, &patient.names, has_name)
        && one_of(&asked.addresses, &patient.addresses, has_address)
        && one_of(&asked.telecoms, &patient.telecoms, same_telecom)
        && one_of(&asked.mothers_maiden_names, &mother, has_name)
        && one_of(&asked.birth_place_names, &birth_name, |asked, known| {
            words(asked) == words(known)
        })
        && one_of(&asked.birth_place_addresses, &birth_address, has_address)
}

/// Why nobody can be found by something that is asked: it is no date, or has no letter and no digit, so that
/// it would fit everybody. Says it in words that name the parameter.
pub fn unusable(asked: &Parameters) -> Option<String> {
    if asked.birth_time_is_wrong {
        return Some("LivingSubjectBirthTime is not a date (YYYY[MM[DD]])".to_owned());
    }
    let is_empty = |address: &Address| {
        let single = [
            &address.city,
            &address.state,
            &address.postal_code,
            &address.country,
            &address.text,
        ];
        let parts = single.into_iter().flatten().chain(&address.lines);
        words_of(parts).is_empty()
    };
    let names = |names: &[PersonName]| names.iter().any(|name| all_words(name).is_empty());
    let all = [
        (names(&asked.names), "LivingSubjectName"),
        (names(&asked.mothers_maiden_names), "MothersMaidenName"),
        (asked.addresses.iter().any(is_empty), "PatientAddress"),
        (
            asked
                .birth_place_names
                .iter()
                .any(|it| words(it).is_empty()),
            "LivingSubjectBirthPlaceName",
        ),
        (
            asked.birth_place_addresses.iter().any(is_empty),
            "LivingSubjectBirthPlaceAddress",
        ),
    ];
    let (_, name) = all.into_iter().find(|(is_empty, _)| *is_empty)?;
    Some(format!(
        "{name} has nothing to find by: neither letters nor digits"
    ))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreement {
    For(i32),
    Neither,
    Against,
}

/// One identifier in common is enough. Without one, another of the same domain is against it.
fn identity(asked: &[InstanceId], patient: &Person) -> Agreement {
    let named = || asked.iter().filter_map(InstanceId::patient);
    if named().any(|id| patient.ids.contains(&id)) {
        return Agreement::For(IDENTIFIER);
    }
    match named().any(|id| patient.ids_of(&id.authority).next().is_some()) {
        true => Agreement::Against,
        false => Agreement::Neither,
    }
}

/// Days that agree count more than years.
fn birth(asked: Option<&AskedTime>, known: Option<&Timestamp>) -> Option<Agreement> {
    let (asked, known) = (asked?, known?);
    if !overlaps(asked, known) {
        return Some(Agreement::Against);
    }
    let Some(value) = &asked.value else {
        return Some(Agreement::For(BIRTH_YEAR));
    };
    Some(Agreement::For(
        match day(value).len().min(day(known).len()) {
            8.. => BIRTH_DAY,
            6.. => BIRTH_MONTH,
            _ => BIRTH_YEAR,
        },
    ))
}

/// The date of a moment, as far as it is known.
fn day(time: &Timestamp) -> &str {
    let digits = time.as_str();
    digits.get(..8).unwrap_or(digits)
}

/// Whether somebody who was born then can have been born in the time that is asked for. Only dates count.
fn overlaps(asked: &AskedTime, known: &Timestamp) -> bool {
    let known = day(known);
    let value = asked.value.as_ref().map(day);
    let same = value.is_none_or(|value| value.starts_with(known) || known.starts_with(value));
    // Of two dates of different precision, the common part decides.
    let cut = |bound: &Timestamp| {
        let bound = day(bound);
        let common = bound.len().min(known.len());
        (
            bound.get(..common).unwrap_or_default().to_owned(),
            known.get(..common).unwrap_or_default().to_owned(),
        )
    };
    let after = asked.low.as_ref().map(cut);
    let before = asked.high.as_ref().map(cut);
    same && after.is_none_or(|(low, known)| known >= low)
        && before.is_none_or(|(high, known)| known <= high)
}

/// The most that any pair has; nothing, if there is none.
fn best<T>(asked: &[T], known: &[T], points: impl Fn(&T, &T) -> i32) -> i32 {
    let pairs = asked
        .iter()
        .flat_map(|one| known.iter().map(move |other| (one, other)));
    pairs
        .map(|(one, other)| points(one, other))
        .max()
        .unwrap_or(0)
}

/// Whether one of what is asked is had, or nothing is asked.
fn one_of<T>(asked: &[T], known: &[T], has: impl Fn(&T, &T) -> bool) -> bool {
    asked.is_empty()
        || asked
            .iter()
            .any(|one| known.iter().any(|other| has(one, other)))
}

/// Both ways the same.
fn name_points(one: &PersonName, other: &PersonName) -> i32 {
    let (family, other_family) = (words_of(&one.family), words_of(&other.family));
    let (given, other_given) = (words_of(&one.given), words_of(&other.given));
    if one.text.is_some() || other.text.is_some() {
        let (all, other_all) = (all_words(one), all_words(other));
        return if all == other_all { FAMILY + GIVEN } else { 0 };
    }
    let family = compare(&family, &other_family, FAMILY, FAMILY_PART);
    let given = match compare(&given, &other_given, GIVEN, GIVEN_PART) {
        OTHER_NAME if initials(&given, &other_given) || initials(&other_given, &given) => INITIAL,
        points => points,
    };
    family + given
}

/// Words that are the same in any order count most; if one has all words of the other, less.
fn compare(one: &BTreeSet<String>, other: &BTreeSet<String>, all: i32, part: i32) -> i32 {
    if one.is_empty() || other.is_empty() {
        return 0;
    }
    if one == other {
        return all;
    }
    match one.is_subset(other) || other.is_subset(one) {
        true => part,
        false => OTHER_NAME,
    }
}

/// Whether `short` is nothing but initials of words of `long`.
fn initials(short: &BTreeSet<String>, long: &BTreeSet<String>) -> bool {
    short.iter().all(|initial| {
        initial.chars().count() == 1 && long.iter().any(|word| word.starts_with(initial.as_str()))
    })
}

fn all_words(name: &PersonName) -> BTreeSet<String> {
    words_of(name.family.iter().chain(&name.given).chain(&name.text))
}

fn has_id(asked: &InstanceId, patient: &Person) -> bool {
    match &asked.extension {
        Some(_) => asked.patient().is_some_and(|id| patient.ids.contains(&id)),
        None => patient.ids_of(&asked.root).next().is_some(),
    }
}

/// Whether a name has all parts that are asked: the family name as it is, and all given names that are
/// asked. Of a name that is searched for (`SRCH`), each word may be the beginning of one.
fn has_name(asked: &PersonName, known: &PersonName) -> bool {
    let family = words_of(&asked.family);
    let given = words_of(&asked.given);
    if asked.is_search() {
        let begins = |asked: &BTreeSet<String>, known: &BTreeSet<String>| {
            asked
                .iter()
                .all(|part| known.iter().any(|word| word.starts_with(part.as_str())))
        };
        // Of a name as a whole, every word may be of either part.
        let with_text = |part: &[String]| words_of(part.iter().chain(&known.text));
        return begins(&family, &with_text(&known.family))
            && begins(&given, &with_text(&known.given))
            && begins(&words_of(&asked.text), &all_words(known));
    }
    if asked.text.is_some() || known.text.is_some() {
        return all_words(asked).is_subset(&all_words(known));
    }
    let same_family = family.is_empty() || family == words_of(&known.family);
    same_family && given.is_subset(&words_of(&known.given))
}

fn address_points(asked: &Address, known: &Address) -> i32 {
    let same = |one: &Option<String>, other: &Option<String>| match (one, other) {
        (Some(one), Some(other)) => words(one) == words(other),
        _ => false,
    };
    let street = words_of(&asked.lines);
    let same_street = !street.is_empty() && street == words_of(&known.lines);
    let town = same(&asked.postal_code, &known.postal_code) || same(&asked.city, &known.city);
    match (same_street, town) {
        (true, true) => ADDRESS,
        (false, true) => TOWN,
        _ => 0,
    }
}

/// Whether an address has all parts that are asked.
fn has_address(asked: &Address, known: &Address) -> bool {
    let part = |asked: &Option<String>, known: &Option<String>| match (asked, known) {
        (None, _) => true,
        (Some(asked), Some(known)) => words(asked) == words(known),
        (Some(_), None) => false,
    };
    words_of(asked.lines.iter().chain(&asked.text))
        .is_subset(&words_of(known.lines.iter().chain(&known.text)))
        && part(&asked.city, &known.city)
        && part(&asked.state, &known.state)
        && part(&asked.postal_code, &known.postal_code)
        && part(&asked.country, &known.country)
}

/// Telephone numbers by their digits, with or without what stands in front of a local one; everything else
/// by its letters.
fn same_telecom(one: &Telecom, other: &Telecom) -> bool {
    let plain = |telecom: &Telecom| telecom.value.to_lowercase();
    let (one, other) = (plain(one), plain(other));
    let is_number = |value: &str| value.starts_with("tel:") || value.starts_with("fax:");
    if !is_number(&one) || !is_number(&other) {
        return one == other;
    }
    let (one, other) = (digits(&one), digits(&other));
    let shorter = one.len().min(other.len());
    let long_enough = shorter >= LOCAL_NUMBER;
    (!one.is_empty() && one == other)
        || (long_enough && (one.ends_with(&other) || other.ends_with(&one)))
}

fn birth_place_points(asked: &Parameters, patient: &Person) -> i32 {
    let place = &patient.birth_place;
    let name: Vec<String> = place.name.iter().cloned().collect();
    let address: Vec<Address> = place.address.iter().cloned().collect();
    let named = best(&asked.birth_place_names, &name, |asked, known| {
        if words(asked) == words(known) {
            BIRTH_PLACE
        } else {
            0
        }
    });
    let there = best(&asked.birth_place_addresses, &address, |asked, known| {
        address_points(asked, known).min(BIRTH_PLACE)
    });
    named + there
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
