//! How a value is compared with what is wanted (PS3.4 C.2.2.2).
//!
//! The database narrows down as far as it can; what it cannot tell is decided here.

use super::super::names::{fold, words};

/// Values of one list. More UIDs do not fit into a URL.
const LIST: usize = 2000;

/// Of what kind an attribute's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::imaging) enum Kind {
    /// UI.
    Uid,
    /// DA.
    Date,
    /// TM.
    Time,
    /// PN.
    Name,
    /// IS.
    Number,
    /// CS: one of a list can be wanted.
    Code,
    /// Any other text.
    Text,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::imaging) enum Matching {
    /// Anything, nothing included.
    Anything,
    /// One of these.
    OneOf(Vec<String>),
    /// Like one of these, in which `*` and `?` stand for others.
    Like(Vec<String>),
    /// From the first to the last, both included.
    Between(Option<String>, Option<String>),
    /// Times, likewise, written to the microsecond.
    Times(String, String),
    /// This number.
    Number(i64),
    /// A name like this, which is folded.
    Named(String),
    /// A name in which every one of these words begins another word; they are folded.
    Words(Vec<String>),
}

impl Matching {
    /// Reads what is wanted of an attribute of this kind.
    ///
    /// # Errors
    /// Says what it should be.
    pub(in crate::imaging) fn of(
        kind: Kind,
        value: &str,
        fuzzy: bool,
    ) -> Result<Self, &'static str> {
        let value = value.trim();
        if value.is_empty() || value.bytes().all(|byte| byte == b'*') {
            return Ok(Self::Anything);
        }
        match kind {
            Kind::Uid => {
                let uids = listed(value, &['\\', ','])?;
                let digits = |uid: &String| uid.bytes().all(|it| it == b'.' || it.is_ascii_digit());
                match uids.iter().all(digits) {
                    true => Ok(Self::OneOf(uids)),
                    false => Err("it is no list of UIDs"),
                }
            }
            Kind::Date => dates(value),
            Kind::Time => times(value),
            Kind::Number => {
                let number = value.parse().map(Self::Number);
                number.map_err(|_| "it is no number")
            }
            Kind::Name if fuzzy => {
                let folded = fold(value).replace(['*', '?'], " ");
                let wanted: Vec<String> = words(&folded).map(str::to_owned).collect();
                match wanted.is_empty() {
                    true => Ok(Self::Anything),
                    false => Ok(Self::Words(wanted)),
                }
            }
            Kind::Name => Ok(Self::Named(fold(value))),
            Kind::Code => Ok(Self::either(listed(value, &['\\', ','])?)),
            Kind::Text => Ok(Self::either(listed(value, &['\\'])?)),
        }
    }

    fn either(values: Vec<String>) -> Self {
        match values.iter().any(|value| value.contains(['*', '?'])) {
            true => Self::Like(values),
            false => Self::OneOf(values),
        }
    }

    /// Whether a value is wanted. One that is absent is empty.
    pub(in crate::imaging) fn takes(&self, value: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::OneOf(values) => values.iter().any(|it| it == value),
            Self::Like(patterns) => patterns.iter().any(|pattern| like(pattern, value)),
            Self::Between(first, last) => {
                !value.is_empty()
                    && first.as_deref().is_none_or(|first| first <= value)
                    && last.as_deref().is_none_or(|last| value <= last)
            }
            Self::Times(first, last) => {
                exact_time(value, '0').is_some_and(|time| (first..=last).contains(&&time))
            }
            Self::Number(number) => value.parse() == Ok(*number),
            Self::Named(pattern) => {
                let folded = fold(value);
                let same =
                    |name: &str| like(pattern.trim_end_matches('^'), name.trim_end_matches('^'));
                same(&folded) || folded.split('=').any(same)
            }
            Self::Words(wanted) => {
                let folded = fold(value);
                let mut there: Vec<&str> = words(&folded).collect();
                // The longest first, so that a short one does not take what only a long one fits.
                let mut wanted: Vec<&String> = wanted.iter().collect();
                wanted.sort_by_key(|word| std::cmp::Reverse(word.len()));
                wanted.into_iter().all(|word| {
                    let begins = there.iter().position(|it| it.starts_with(word.as_str()));
                    begins.map(|at| there.swap_remove(at)).is_some()
                })
            }
        }
    }
}

/// The values of a list, without the spaces around them.
fn listed(value: &str, divided_by: &[char]) -> Result<Vec<String>, &'static str> {
    let values = value.split(divided_by).map(str::trim);
    let values: Vec<String> = values
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect();
    match values.len() {
        0 => Err("it is a list of nothing"),
        1..=LIST => Ok(values),
        _ => Err("the list is too long"),
    }
}

/// `20260101`, `20260101-`, `-20261231`, or both ends.
fn dates(value: &str) -> Result<Matching, &'static str> {
    let is_date = |it: &str| it.len() == 8 && it.bytes().all(|byte| byte.is_ascii_digit());
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    let end = |it: &str| match it.trim() {
        "" => Ok(None),
        it if is_date(it) => Ok(Some(it.to_owned())),
        _ => Err("it is no date YYYYMMDD and no range of dates"),
    };
    Ok(Matching::Between(end(first)?, end(last)?))
}

/// The same with times. `10` is the whole hour.
fn times(value: &str) -> Result<Matching, &'static str> {
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    let end = |it: &str, fill| match it.trim() {
        "" => Some(match fill {
            '0' => String::new(),
            _ => "99".to_owned(),
        }),
        it => exact_time(it, fill),
    };
    let wrong = "it is no time HHMMSS.FFFFFF and no range of times";
    let first = end(first, '0').ok_or(wrong)?;
    let last = end(last, '9').ok_or(wrong)?;
    Ok(Matching::Times(first, last))
}

/// Twelve digits: hours, minutes, seconds and microseconds. What is not said is filled up.
fn exact_time(time: &str, fill: char) -> Option<String> {
    let time = time.trim();
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    let digits = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
    let fits = matches!(whole.len(), 2 | 4 | 6) && fraction.len() <= 6;
    let whole_seconds = whole.len() == 6 || fraction.is_empty();
    if !fits || !whole_seconds || !digits(whole) || !digits(fraction) {
        return None;
    }
    let mut exact = format!("{whole}{fraction}");
    while exact.len() < 12 {
        exact.push(fill);
    }
    Some(exact)
}

/// Whether `value` is like a pattern in which `*` stands for anything and `?` for one character.
fn like(pattern: &str, value: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let value: Vec<char> = value.chars().collect();
    let (mut at, mut place) = (0, 0);
    // The last asterisk, and where what it stands for ends.
    let mut asterisk: Option<(usize, usize)> = None;
    while place < value.len() {
        match pattern.get(at) {
            Some('*') => {
                asterisk = Some((at, place));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == value[place] => {
                at += 1;
                place += 1;
            }
            _ => match &mut asterisk {
                Some((star, end)) => {
                    *end += 1;
                    (at, place) = (*star + 1, *end);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(kind: Kind, wanted: &str, value: &str) -> bool {
        Matching::of(kind, wanted, false).unwrap().takes(value)
    }

    fn fuzzily(wanted: &str, name: &str) -> bool {
        Matching::of(Kind::Name, wanted, true).unwrap().takes(name)
    }

    #[test]
    fn wildcards_stand_for_others() {
        for (pattern, value, is) in [
            ("CT*", "CT HEAD", true),
            ("*HEAD", "CT HEAD", true),
            ("*T?H*", "CT HEAD", true),
            ("C?", "CT HEAD", false),
            ("*a*b*c", "xxaxxbxbxc", true),
            ("*a*b*c", "xxaxxbxbx", false),
            ("A[1]*", "A[1]2", true),
            ("A[1]*", "A12", false),
            ("?", "ä", true),
            ("ct head", "CT HEAD", false),
            ("a\\C*", "CT", true),
            ("", "whatever", true),
            ("**", "", true),
        ] {
            assert_eq!(takes(Kind::Text, pattern, value), is, "{pattern} {value}");
        }
    }

    #[test]
    fn dates_and_times_have_ranges() {
        for (range, value, is) in [
            ("20260105", "20260105", true),
            ("20260105", "20260106", false),
            ("20260101-20260131", "20260131", true),
            ("20260101-", "20251231", false),
            ("-20260131", "19700101", true),
            ("-20260131", "", false),
        ] {
            assert_eq!(takes(Kind::Date, range, value), is, "{range} {value}");
        }
        for (range, value, is) in [
            ("10", "105959.9", true),
            ("1030", "103000", true),
            ("1030", "1031", false),
            ("103000.5", "103000.500000", true),
            ("0800-1200", "120059", true),
            ("0800-1200", "1201", false),
            ("0800-", "23", true),
            ("-0800", "080059.999999", true),
            ("-0800", "nonsense", false),
        ] {
            assert_eq!(takes(Kind::Time, range, value), is, "{range} {value}");
        }
        for wrong in [
            "2026",
            "2026-01-01",
            "2026010a",
            "20260101-2026",
            "20260101--",
        ] {
            assert!(Matching::of(Kind::Date, wrong, false).is_err(), "{wrong}");
        }
        for wrong in ["1", "10:30", "10.5", "103", "25h", "103000.1234567"] {
            assert!(Matching::of(Kind::Time, wrong, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_of_uids_codes_and_texts() {
        assert!(takes(Kind::Uid, "1.2\\1.3", "1.3"));
        assert!(takes(Kind::Uid, "1.2, 1.3", "1.3"));
        assert!(!takes(Kind::Uid, "1.2", "1.23"));
        assert!(Matching::of(Kind::Uid, "1.2*", false).is_err());
        assert!(Matching::of(Kind::Uid, ",", false).is_err());
        let many = "1,".repeat(LIST + 1);
        assert!(Matching::of(Kind::Uid, &many, false).is_err());
        assert!(takes(Kind::Code, "CT,MR", "MR"));
        assert!(!takes(Kind::Text, "CT,MR", "MR"));
        assert!(takes(Kind::Number, "7", "7"));
        assert!(!takes(Kind::Number, "7", ""));
        assert!(Matching::of(Kind::Number, "seven", false).is_err());
    }

    #[test]
    fn names_are_compared_without_case_and_accents() {
        for (wanted, name, is) in [
            ("MULLER^JORG", "Müller^Jörg", true),
            ("müller^jörg^^", "MULLER^JORG", true),
            ("Müller", "Müller^Jörg", false),
            ("Mül*", "Muller^Jörg", true),
            ("*jörg*", "Muller^Jörg", true),
            ("山田*", "Yamada^Tarou=山田^太郎", true),
            ("Yamada^Tarou", "Yamada^Tarou=山田^太郎", true),
            ("Tarou*", "Yamada^Tarou=山田^太郎", false),
        ] {
            assert_eq!(takes(Kind::Name, wanted, name), is, "{wanted} {name}");
        }
    }

    #[test]
    fn fuzzy_names_are_words_that_begin_words() {
        for (wanted, name, is) in [
            ("jorg mull", "Müller^Jörg", true),
            ("Müller^J*", "Müller^Jörg", true),
            ("mull mull", "Müller^Jörg", false),
            ("a an", "Anna^Berta", false),
            ("an a", "Anna^Arnold", true),
            ("a an", "Anna^Arnold", true),
            ("ller", "Müller^Jörg", false),
            ("smith", "O'Hara-Smith^Ann", true),
            ("smith jones", "Smith^Ann", false),
            ("太", "Yamada^Tarou=山田^太郎", true),
            ("*", "", true),
        ] {
            assert_eq!(fuzzily(wanted, name), is, "{wanted} {name}");
        }
    }
}
