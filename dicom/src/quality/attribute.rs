//! The attribute that a rule is about: by keyword or tag, also private, also inside sequences.

use std::fmt;
use std::sync::LazyLock;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use super::reader::nearest;
use super::words;
use crate::text::CharacterSet;
use crate::walk::{self, DataSet, Part10, Value};

/// Paths through more sequences than this are refused.
const MAX_STEPS: usize = 16;
/// Of a value no more than this many characters are judged.
const MAX_TEXT: usize = 1024;

/// Groups of which keywords are proposed to whoever misspells one.
const GROUPS: [u16; 15] = [
    0x0002, 0x0008, 0x0010, 0x0012, 0x0018, 0x0020, 0x0022, 0x0028, 0x0032, 0x0038, 0x0040, 0x0048,
    0x0054, 0x300A, 0x5200,
];

/// The dictionary cannot be listed, so it is asked for every number. Only a misspelling asks.
static KEYWORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let numbers = |group: &u16| {
        let group = *group;
        (0..=u16::MAX).map(move |element| Tag(group, element))
    };
    let tags = GROUPS.iter().flat_map(numbers);
    tags.filter_map(|tag| Some(StandardDataDictionary.by_tag(tag)?.alias))
        .collect()
});

/// An attribute and how to come to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attribute {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Step {
    Standard(Tag, Option<&'static str>),
    /// Group, private creator, last two digits of the element.
    Private(u16, String, u8),
}

/// What an attribute is at one place. Of a sequence, only whether it has items.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Held {
    Absent,
    Empty,
    /// Values divided by `\`; numbers of binary VRs as text.
    Filled(VR, String),
}

impl Attribute {
    /// Reads `SliceThickness`, `(0018,0050)`, `00180050`, `(0019,"SIEMENS MR HEADER",0C)`, or several
    /// of them divided by `/` for attributes of sequence items. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let steps = split(text).into_iter().map(step);
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        if steps.len() > MAX_STEPS {
            return Err(format!("a path has at most {MAX_STEPS} steps"));
        }
        Ok(Self { steps })
    }

    /// The last attribute's name for people, with its tag: `Slice Thickness (0018,0050)`.
    pub(super) fn title(&self) -> String {
        match self.steps.last() {
            Some(Step::Standard(tag, Some(keyword))) => {
                let (group, element) = (tag.group(), tag.element());
                format!("{} ({group:04X},{element:04X})", words::spaced(keyword))
            }
            Some(step) => format!("Attribute {step}"),
            None => String::new(),
        }
    }

    pub(super) fn tag(&self) -> Option<Tag> {
        match self.steps.last()? {
            Step::Standard(tag, _) => Some(*tag),
            Step::Private(group, _, element) => Some(Tag(*group, (*element).into())),
        }
    }

    /// What it is in a file: in each item, where it is in a sequence. Objects of many frames have
    /// most attributes of an image in functional groups (PS3.3 C.7.6.16): there it is found without
    /// a path.
    pub(super) fn held(&self, file: &Part10, set: &CharacterSet) -> Vec<Held> {
        let Some((last, sequences)) = self.steps.split_last() else {
            return Vec::new();
        };
        let in_meta = matches!(last, Step::Standard(tag, _) if tag.group() == 0x0002);
        let mut places = vec![if in_meta { &file.meta } else { &file.data }];
        let mut absent = false;
        for step in sequences {
            let mut inner = Vec::new();
            for place in places {
                match step.find(place) {
                    Some((_, Value::Items(items))) if !items.is_empty() => inner.extend(items),
                    _ => absent = true,
                }
            }
            places = inner;
        }
        let held = places.into_iter().map(|place| last.held(place, set));
        let held: Vec<_> = held.chain(absent.then_some(Held::Absent)).collect();
        if sequences.is_empty() && held == [Held::Absent] {
            let in_groups = last.in_functional_groups(&file.data, set);
            return if in_groups.is_empty() {
                held
            } else {
                in_groups
            };
        }
        held
    }
}

impl Step {
    fn find<'a>(&self, data: &'a DataSet) -> Option<(VR, &'a Value)> {
        match self {
            Self::Standard(tag, _) => data.get(*tag),
            Self::Private(group, creator, element) => data.private(*group, creator, *element),
        }
    }

    /// What is said once for all frames, or else of each frame.
    fn in_functional_groups(&self, data: &DataSet, set: &CharacterSet) -> Vec<Held> {
        let of = |frames: &[DataSet]| -> Vec<Held> {
            let groups = frames.iter().flat_map(DataSet::elements);
            let groups = groups.filter_map(|(_, _, value)| match value {
                Value::Items(items) => items.first(),
                _ => None,
            });
            let held = groups.map(|group| self.held(group, set));
            held.filter(|held| *held != Held::Absent).collect()
        };
        let shared = of(data.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE));
        match shared.is_empty() {
            true => of(data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE)),
            false => shared,
        }
    }

    fn held(&self, data: &DataSet, set: &CharacterSet) -> Held {
        let Some((vr, value)) = self.find(data) else {
            return Held::Absent;
        };
        let Value::Bytes(bytes) = value else {
            let is_empty = matches!(value, Value::Items(items) if items.is_empty());
            return match is_empty {
                true => Held::Empty,
                false => Held::Filled(vr, String::new()),
            };
        };
        let text = if is_binary(vr) {
            let numbers = walk::numbers(vr, bytes).into_iter().take(MAX_TEXT / 2);
            let written = |number: f64| match vr {
                // As exact as it is, and no more.
                VR::FL => (number as f32).to_string(),
                _ => number.to_string(),
            };
            let numbers: Vec<_> = numbers.map(written).collect();
            numbers.join("\\")
        } else {
            text(bytes, set)
        };
        match text.is_empty() {
            true => Held::Empty,
            false => Held::Filled(vr, text.chars().take(MAX_TEXT).collect()),
        }
    }
}

/// Each value without its padding.
fn text(bytes: &[u8], set: &CharacterSet) -> String {
    let text = set.decode(bytes).unwrap_or_default();
    let values = text
        .split('\\')
        .map(|value| value.trim_matches([' ', '\0']));
    let values: Vec<_> = values.collect();
    let text = values.join("\\");
    match text.trim_matches('\\').is_empty() {
        true => String::new(),
        false => text,
    }
}

const fn is_binary(vr: VR) -> bool {
    use VR::*;
    matches!(vr, US | SS | UL | SL | FL | FD | UV | SV)
}

/// Divides at `/` outside of quotation marks.
fn split(text: &str) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c| {
        quoted ^= c == '"';
        c == '/' && !quoted
    })
    .collect()
}

fn step(text: &str) -> Result<Step, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("an attribute has a name".to_owned());
    }
    if let Some(inner) = text.strip_prefix('(').and_then(|it| it.strip_suffix(')')) {
        return numbered(inner).ok_or_else(|| bad_tag(text));
    }
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let (group, element) = text.split_at(4);
        return numbered(&format!("{group},{element}")).ok_or_else(|| bad_tag(text));
    }
    match StandardDataDictionary.by_name(text) {
        Some(entry) => Ok(Step::Standard(entry.tag(), Some(entry.alias))),
        None => Err(format!(
            "unknown attribute {text}; {}",
            nearest(text, KEYWORDS.iter().copied())
        )),
    }
}

fn bad_tag(text: &str) -> String {
    format!("{text} is no tag, such as (0018,0050) or (0019,\"SIEMENS MR HEADER\",0C)")
}

fn numbered(inner: &str) -> Option<Step> {
    let hex = |text: &str| u16::from_str_radix(text.trim(), 16).ok();
    let quoted: Vec<&str> = inner.split('"').collect();
    match quoted[..] {
        [plain] => {
            let (group, element) = plain.split_once(',')?;
            let tag = Tag(hex(group)?, hex(element)?);
            // A private element's number depends on the file; it is named by its creator.
            let is_public = tag.group().is_multiple_of(2);
            let entry = StandardDataDictionary.by_tag(tag);
            is_public.then_some(Step::Standard(tag, entry.map(|entry| entry.alias)))
        }
        [group, creator, element] => {
            let group = hex(group.trim().strip_suffix(',')?)?;
            let element = u8::try_from(hex(element.trim().strip_prefix(',')?)?).ok()?;
            let is_private = group % 2 == 1 && !creator.is_empty();
            is_private.then_some(Step::Private(group, creator.to_owned(), element))
        }
        _ => None,
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(_, Some(keyword)) => f.write_str(keyword),
            Self::Standard(tag, None) => write!(f, "({:04X},{:04X})", tag.group(), tag.element()),
            Self::Private(group, creator, element) => {
                write!(f, "({group:04X},\"{creator}\",{element:02X})")
            }
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            let divider = if at == 0 { "" } else { "/" };
            write!(f, "{divider}{step}")?;
        }
        Ok(())
    }
}
