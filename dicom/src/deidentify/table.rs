//! The rules: what becomes of an attribute under the basic profile and each option.
//!
//! PS3.15 annex E, Table E.1-1, as data.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part15.html#table_E.1-1>

use std::collections::HashMap;
use std::sync::LazyLock;

use dicom_core::{Tag, VR};

use super::profile::Options;

/// What is done with an attribute (PS3.15 Table E.1-1a).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// X: it is removed.
    Remove,
    /// Z: it stays without value.
    Empty,
    /// D: it gets a value that says nothing.
    Dummy,
    /// K: it is kept; the items of a sequence are cleaned.
    Keep,
    /// C: what identifies is taken out.
    Clean,
    /// U: it gets another UID, the same one everywhere.
    NewUid,
}

/// The rule for one attribute.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    basic: Action,
    options: Vec<(char, Action)>,
}

impl Rule {
    /// The action under these options. Keeping prevails over cleaning, except that a date which one
    /// option keeps and another shifts is shifted, so that all intervals stay what they were.
    pub(super) fn action(&self, vr: VR, options: &Options) -> Action {
        let wanted = |letter: char| options.has(letter);
        let given = |action: Action| {
            let mut options = self.options.iter();
            options.any(|(letter, given)| *given == action && wanted(*letter))
        };
        let dated = matches!(vr, VR::DA | VR::DT) && wanted('m');
        match (given(Action::Keep), given(Action::Clean)) {
            (true, true) if dated => Action::Clean,
            (true, _) => Action::Keep,
            (_, true) => Action::Clean,
            _ => self.basic,
        }
    }

    /// Whether it describes something in words that the Clean Descriptors Option may keep.
    pub(super) fn is_descriptor(&self) -> bool {
        self.options.iter().any(|(letter, _)| *letter == 'e')
    }
}

/// The rule for an attribute, if it has one.
pub(super) fn rule(tag: Tag) -> Option<&'static Rule> {
    let exact = (u32::from(tag.group()) << 16) | u32::from(tag.element());
    TABLE.exact.get(&exact).or_else(|| {
        let mut patterns = TABLE.patterns.iter();
        patterns
            .find(|(mask, value, _)| exact & mask == *value)
            .map(|(.., rule)| rule)
    })
}

struct Table {
    exact: HashMap<u32, Rule>,
    /// Mask, value under the mask, rule.
    patterns: Vec<(u32, u32, Rule)>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table {
        exact: HashMap::new(),
        patterns: Vec::new(),
    };
    for line in include_str!("table.txt").lines() {
        if line.starts_with('#') {
            continue;
        }
        let (mask, value, rule) = row(line).expect("the table has no bad row: a test reads it all");
        if mask == u32::MAX {
            table.exact.insert(value, rule);
        } else {
            table.patterns.push((mask, value, rule));
        }
    }
    table
});

fn row(line: &str) -> Option<(u32, u32, Rule)> {
    let mut columns = line.split_ascii_whitespace();
    let (tag, basic, strictest, options) = (
        columns.next()?,
        columns.next()?,
        columns.next()?,
        columns.next()?,
    );
    let (mut mask, mut value) = (0, 0);
    for digit in tag.chars() {
        let wild = digit == 'X';
        mask = (mask << 4) | if wild { 0 } else { 0xF };
        value = (value << 4) | if wild { 0 } else { digit.to_digit(16)? };
    }
    let options = options.split(',').filter(|option| *option != "-");
    let options = options.map(|option| {
        let mut letters = option.chars();
        Some((letters.next()?, action(letters.next()?)?))
    });
    Some((
        mask,
        value,
        Rule {
            basic: resolved(basic, strictest)?,
            options: options.collect::<Option<_>>()?,
        },
    ))
}

/// Actions that leave a choice depend on the Type of the attribute in its IOD. Files do not always keep
/// to their IOD, so the strictest Type of any module decides: then the object stays valid.
fn resolved(actions: &str, strictest: &str) -> Option<Action> {
    let choices: Vec<&str> = actions.split('/').collect();
    let has = |choice: &str| choices.contains(&choice);
    Some(match (choices.as_slice(), strictest) {
        ([one], _) => action(one.chars().next()?)?,
        // A reference to other instances is kept with their new UIDs.
        _ if has("U*") => Action::Keep,
        (_, "1") if has("D") => Action::Dummy,
        (_, "1" | "2") if has("Z") => Action::Empty,
        (_, "2") if has("D") => Action::Dummy,
        _ if has("X") => Action::Remove,
        _ => Action::Empty,
    })
}

const fn action(letter: char) -> Option<Action> {
    Some(match letter {
        'X' => Action::Remove,
        'Z' => Action::Empty,
        'D' => Action::Dummy,
        'K' => Action::Keep,
        'C' => Action::Clean,
        'U' => Action::NewUid,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom_dictionary_std::tags;

    #[test]
    fn every_row_is_read() {
        let rows = include_str!("table.txt")
            .lines()
            .filter(|line| !line.starts_with('#'));
        let rows: Vec<_> = rows.map(|line| (line, row(line))).collect();
        assert!(rows.iter().all(|(_, row)| row.is_some()), "{rows:?}");
        assert_eq!(rows.len(), TABLE.exact.len() + TABLE.patterns.len());
        assert!(rows.len() > 700);
    }

    #[test]
    fn options_change_what_the_basic_profile_does() {
        let none = Options::default();
        let action = |tag, vr, options: &Options| rule(tag).unwrap().action(vr, options);
        assert_eq!(action(tags::STUDY_DATE, VR::DA, &none), Action::Empty);
        let shifted = Options {
            modified_dates: true,
            retain_device_identity: true,
            ..none
        };
        assert_eq!(action(tags::STUDY_DATE, VR::DA, &shifted), Action::Clean);
        let calibrated = tags::DATE_OF_LAST_CALIBRATION;
        assert_eq!(action(calibrated, VR::DA, &shifted), Action::Clean);
        assert_eq!(
            action(tags::DEVICE_SERIAL_NUMBER, VR::LO, &shifted),
            Action::Keep
        );
        assert_eq!(
            action(tags::DEVICE_SERIAL_NUMBER, VR::LO, &none),
            Action::Dummy
        );
        assert_eq!(
            action(tags::SOP_INSTANCE_UID, VR::UI, &none),
            Action::NewUid
        );
        assert_eq!(
            action(Tag(0x6012, 0x3000), VR::OW, &none),
            Action::Remove,
            "overlays repeat in groups of two"
        );
        assert!(rule(tags::ROWS).is_none());
    }
}
