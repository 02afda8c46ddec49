//! The new data set, attribute by attribute, at all levels.

use std::collections::HashMap;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::content;
use super::identity::Identity;
use super::plan::{Actions, Element, Planned, in_order};
use super::profile::Profile;
use super::pseudonym::Pseudonyms;
use super::table::Action;
use super::value::{capped_age, dummy, is_numeric, shifted};
use super::verdict::{Verdict, is_empty, verdict};
use super::{Refused, terms, uids, unknown};
use crate::text::CharacterSet;
use crate::walk::{DataSet, Value};

/// How an object is rewritten: whose it is, and what must not be left in it.
pub(super) struct Rewriting<'a> {
    pub(super) profile: &'a Profile,
    pub(super) pseudonyms: &'a Pseudonyms<'a>,
    pub(super) identity: &'a Identity,
    /// What stands for the patient.
    pub(super) patient: &'a str,
    /// How far dates are shifted.
    pub(super) days: i64,
    /// Pixels are signed, and with them other values whose VR depends on that.
    pub(super) signed: bool,
    pub(super) done: Actions,
}

/// Where in the object a data set stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) characters: &'a CharacterSet,
    /// Inside a sequence that is replaced by dummies.
    pub(super) dummies: bool,
    /// Inside the content of a structured report.
    pub(super) content: Option<content::Item>,
    /// A code of a scheme that everybody uses.
    coded: bool,
    /// An item that names a character set of its own.
    foreign: bool,
    depth: usize,
}

impl<'a> Place<'a> {
    /// The object's own data set.
    pub(super) const fn top(characters: &'a CharacterSet) -> Self {
        Self {
            characters,
            dummies: false,
            content: None,
            coded: false,
            foreign: false,
            depth: 0,
        }
    }
}

/// How much is taken out of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scrub {
    /// The words that the object itself removes elsewhere.
    Words,
    /// And what looks like a name, a date or a number.
    All,
}

impl Rewriting<'_> {
    /// The elements of a data set or item.
    pub(super) fn data_set(
        &mut self,
        data: &DataSet,
        place: Place<'_>,
    ) -> Result<Vec<Element>, Refused> {
        let own = characters_of(data);
        let place = Place {
            characters: own.as_ref().unwrap_or(place.characters),
            coded: is_public_code(data),
            foreign: place.foreign || (own.is_some() && place.depth > 0),
            ..place
        };
        let creators = private_creators(data);
        let mut elements = Vec::new();
        for (tag, vr, value) in data.elements() {
            let dropped = tag.element() == 0 || tag == tags::SPECIFIC_CHARACTER_SET;
            if dropped || is_technical(tag) {
                continue;
            }
            let element = match (tag.group() % 2, is_graphics(tag)) {
                (1, _) => self.private(tag, vr, value, &creators, place)?,
                (_, true) => self.removed(),
                _ => match unknown::items(tag, vr, value) {
                    Some(items) => self.standard(tag, VR::SQ, &Value::Items(items), place)?,
                    None => self.standard(tag, vr, value, place)?,
                },
            };
            elements.extend(element);
        }
        used_creators(&creators, &mut elements);
        in_order(&mut elements);
        Ok(elements)
    }

    fn standard(
        &mut self,
        tag: Tag,
        vr: VR,
        value: &Value,
        place: Place<'_>,
    ) -> Result<Option<Element>, Refused> {
        if let Value::Fragments(fragments) = value {
            let value = Planned::Fragments(fragments.clone());
            return Ok(Some(Element { tag, vr, value }));
        }
        if let (tags::PIXEL_DATA, Value::Apart(apart)) = (tag, value) {
            let value = Planned::Pixels(*apart);
            return Ok(Some(Element { tag, vr, value }));
        }
        let verdict = verdict(tag, vr, value, self.signed, &self.profile.options)?;
        if matches!(tag, tags::PATIENT_NAME | tags::PATIENT_ID) && !is_empty(value) {
            self.done.replaced += 1;
            return Ok(Some(Element::text(
                tag,
                verdict.vr,
                &self.stand_in(tag, value, place),
            )));
        }
        let mut verdict = content::verdict(tag, verdict, place.content);
        if tag == tags::ENCAPSULATED_DOCUMENT {
            // The profile says that such documents are known; otherwise nobody would be here.
            verdict.action = Action::Keep;
        }
        self.acted(tag, verdict, value, place)
    }

    /// The patient's pseudonym; another patient's, in an item about somebody else.
    fn stand_in(&self, tag: Tag, value: &Value, place: Place<'_>) -> String {
        let (tags::PATIENT_ID, Value::Bytes(bytes)) = (tag, value) else {
            return self.patient.to_owned();
        };
        let id = place.characters.decode(bytes);
        let id = id.map(|id| id.trim_matches([' ', '\0']).to_owned());
        id.filter(|id| !id.is_empty()).map_or_else(
            || self.patient.to_owned(),
            |id| self.pseudonyms.patient(&id),
        )
    }

    fn acted(
        &mut self,
        tag: Tag,
        verdict: Verdict,
        value: &Value,
        place: Place<'_>,
    ) -> Result<Option<Element>, Refused> {
        let vr = verdict.vr;
        let action = match verdict.action {
            Action::Keep if place.dummies && is_words(vr) => Action::Dummy,
            Action::Clean if place.dummies && is_words(vr) => Action::Dummy,
            // Bytes cannot be cleaned.
            Action::Clean if is_bulk(vr) => Action::Remove,
            action => action,
        };
        match (action, value) {
            (Action::Remove, _) => Ok(self.removed()),
            (Action::Empty, _) => {
                self.done.emptied += 1;
                Ok(Some(empty(tag, vr)))
            }
            (_, value) if is_empty(value) => Ok(Some(empty(tag, vr))),
            (_, Value::Items(items)) => {
                let dummies = place.dummies || action == Action::Dummy;
                self.items(tag, items, Place { dummies, ..place }).map(Some)
            }
            (Action::Dummy, Value::Bytes(bytes)) if vr == VR::UI => self.uids(tag, bytes),
            (Action::Dummy, value) => {
                let length = match value {
                    Value::Bytes(bytes) => bytes.len(),
                    _ => 0,
                };
                self.done.replaced += 1;
                Ok(Some(Element::bytes(tag, vr, dummy(vr, length))))
            }
            (Action::NewUid, Value::Bytes(bytes)) => self.uids(tag, bytes),
            (_, Value::Bytes(bytes)) => self.kept(tag, vr, action, bytes, place),
            (_, Value::Apart(_)) if place.foreign && is_words(vr) => Err(Refused::attribute(
                tag,
                "a long text of another character set",
            )),
            (_, Value::Apart(apart)) if is_words(vr) || matches!(vr, VR::DS | VR::IS) => {
                let value = Planned::Text(*apart);
                Ok(Some(Element { tag, vr, value }))
            }
            (_, Value::Apart(apart)) if is_bulk(vr) || crate::walk::unit(vr) > 1 => {
                self.done.kept += 1;
                let value = Planned::Copy(*apart);
                Ok(Some(Element { tag, vr, value }))
            }
            _ => Err(Refused::attribute(
                tag,
                "a value too long for its representation",
            )),
        }
    }

    fn removed(&mut self) -> Option<Element> {
        self.done.removed += 1;
        None
    }

    fn items(&mut self, tag: Tag, items: &[DataSet], place: Place<'_>) -> Result<Element, Refused> {
        let cleaned = self.profile.options.clean_structured_content;
        let items = items.iter().map(|item| {
            let content = (tag == tags::CONTENT_SEQUENCE).then(|| content::Item::of(item, cleaned));
            // In a content tree text is judged by what each item says it is.
            let dummies = place.dummies && content.is_none();
            let place = Place {
                content,
                dummies,
                depth: place.depth + 1,
                ..place
            };
            self.data_set(item, place)
        });
        Ok(Element::items(tag, items.collect::<Result<_, _>>()?))
    }

    /// A value that stays, or stays in part.
    fn kept(
        &mut self,
        tag: Tag,
        vr: VR,
        action: Action,
        bytes: &[u8],
        place: Place<'_>,
    ) -> Result<Option<Element>, Refused> {
        let clean = action == Action::Clean;
        let text = || {
            String::from_utf8_lossy(bytes)
                .trim_matches([' ', '\0'])
                .to_owned()
        };
        let kept = match vr {
            VR::PN => {
                self.done.emptied += 1;
                return Ok(Some(empty(tag, vr)));
            }
            VR::DA | VR::DT if clean => return Ok(Some(self.dates(tag, vr, &text()))),
            VR::AS => capped_age(&text()).unwrap_or_default().into_bytes(),
            VR::DS | VR::IS | VR::TM if is_numeric(bytes) => bytes.to_vec(),
            _ if terms::is_term(tag, vr, bytes) || (place.coded && terms::is_code(tag)) => {
                bytes.to_vec()
            }
            _ if is_words(vr) || matches!(vr, VR::DS | VR::IS | VR::DA | VR::DT | VR::TM) => {
                let scrub = if clean && vr != VR::TM {
                    Scrub::All
                } else {
                    Scrub::Words
                };
                self.scrubbed(tag, vr, bytes, scrub, place)?.into_bytes()
            }
            _ => bytes.to_vec(),
        };
        if kept == bytes {
            self.done.kept += 1;
        } else {
            self.done.cleaned += 1;
        }
        Ok(Some(Element::bytes(tag, vr, kept)))
    }

    fn dates(&mut self, tag: Tag, vr: VR, text: &str) -> Element {
        let dates = text
            .split('\\')
            .map(|date| shifted(date, self.days).unwrap_or_default());
        let dates: Vec<String> = dates.collect();
        self.done.dates += 1;
        Element::text(tag, vr, &dates.join("\\"))
    }

    fn uids(&mut self, tag: Tag, bytes: &[u8]) -> Result<Option<Element>, Refused> {
        let text = String::from_utf8_lossy(bytes);
        let mut changed = false;
        let new = text.split('\\').map(|uid| {
            let uid = uid.trim_matches([' ', '\0']);
            if uid.is_empty() || uids::stays(tag, uid) {
                return uid.to_owned();
            }
            changed = true;
            self.pseudonyms.uid(uid)
        });
        let new = new.collect::<Vec<_>>().join("\\");
        if new
            .bytes()
            .any(|byte| !byte.is_ascii_digit() && !b".\\".contains(&byte))
        {
            return Err(Refused::attribute(tag, "a UID that is none"));
        }
        self.done.uids += u64::from(changed);
        self.done.kept += u64::from(!changed);
        Ok(Some(Element::text(tag, VR::UI, &new)))
    }

    fn scrubbed(
        &self,
        tag: Tag,
        vr: VR,
        bytes: &[u8],
        scrub: Scrub,
        place: Place<'_>,
    ) -> Result<String, Refused> {
        let text = place.characters.decode(bytes);
        let text = text.ok_or_else(|| Refused::attribute(tag, "text of another character set"))?;
        let text = text.trim_matches('\0');
        let clean = |text: &str| match scrub {
            Scrub::Words => self.identity.without(text),
            Scrub::All => self.identity.cleaned(text),
        };
        // A backslash parts values, except in these VRs.
        if matches!(vr, VR::LT | VR::ST | VR::UT | VR::UR) {
            return Ok(clean(text));
        }
        Ok(text.split('\\').map(clean).collect::<Vec<_>>().join("\\"))
    }

    /// A long text, when its bytes have been read.
    pub(super) fn long_text(
        &self,
        tag: Tag,
        vr: VR,
        bytes: &[u8],
        characters: &CharacterSet,
    ) -> Result<Vec<u8>, Refused> {
        if matches!(vr, VR::DS | VR::IS) && is_numeric(bytes) {
            return Ok(bytes.to_vec());
        }
        let text = self.scrubbed(tag, vr, bytes, Scrub::All, Place::top(characters))?;
        Ok(text.into_bytes())
    }

    fn private(
        &mut self,
        tag: Tag,
        vr: VR,
        value: &Value,
        creators: &Creators,
        place: Place<'_>,
    ) -> Result<Option<Element>, Refused> {
        let creator = creators.get(&(tag.group(), tag.element() >> 8));
        let safe = creator.is_some_and(|creator| self.profile.is_safe_private(creator, tag));
        if !safe {
            // Creators are put back for the blocks of which something is left.
            self.done.private_removed += u64::from(tag.element() > 0xFF);
            return Ok(None);
        }
        self.done.private_kept += 1;
        let modified = self.profile.options.modified_dates;
        let action = match vr {
            VR::PN => Action::Empty,
            VR::UI => Action::NewUid,
            VR::DA | VR::DT if self.profile.options.full_dates => Action::Keep,
            VR::DA | VR::DT if !modified => Action::Dummy,
            _ if is_bulk(vr) => {
                return self.bulk(tag, vr, value).map(Some);
            }
            _ => Action::Clean,
        };
        let verdict = Verdict {
            vr,
            action,
            identifies: false,
        };
        self.acted(tag, verdict, value, place)
    }

    /// Bytes of a private attribute that is known to be safe.
    fn bulk(&mut self, tag: Tag, vr: VR, value: &Value) -> Result<Element, Refused> {
        let value = match value {
            Value::Bytes(bytes) if self.identity.is_in(bytes) => {
                return Err(Refused::attribute(
                    tag,
                    "a private attribute names the patient",
                ));
            }
            Value::Bytes(bytes) => Planned::Bytes(bytes.clone()),
            Value::Apart(apart) if vr != VR::UN => Planned::Copy(*apart),
            _ => {
                return Err(Refused::attribute(
                    tag,
                    "a private attribute of unknown content",
                ));
            }
        };
        Ok(Element { tag, vr, value })
    }
}

/// The character set that a data set names for itself, if it does.
pub(super) fn characters_of(data: &DataSet) -> Option<CharacterSet> {
    data.get(tags::SPECIFIC_CHARACTER_SET)
        .map(|_| CharacterSet::of(data))
}

/// Whether an item is a code of a public scheme: private ones begin with 99 (PS3.16 section 8.2).
fn is_public_code(data: &DataSet) -> bool {
    let scheme = data.ascii(tags::CODING_SCHEME_DESIGNATOR);
    scheme.is_some_and(|scheme| !scheme.is_empty() && !scheme.starts_with("99"))
}

/// Groups that have no place in a data set: commands, file meta information, directory records.
fn is_technical(tag: Tag) -> bool {
    tag.group() < 0x0008 && tag.group().is_multiple_of(2)
}

/// Curves and overlays. Nobody looks at what is drawn in them, so they go as a whole, and with them
/// what describes them.
pub(super) fn is_graphics(tag: Tag) -> bool {
    matches!(tag.group() & 0xFF00, 0x5000 | 0x6000)
}

const fn is_bulk(vr: VR) -> bool {
    use VR::*;
    matches!(vr, OB | OW | OF | OD | OL | OV | UN)
}

/// VRs in which something can be said in words.
pub(super) const fn is_words(vr: VR) -> bool {
    use VR::*;
    matches!(vr, AE | CS | LO | LT | PN | SH | ST | UC | UR | UT)
}

fn empty(tag: Tag, vr: VR) -> Element {
    if vr == VR::SQ {
        Element::items(tag, Vec::new())
    } else {
        Element::bytes(tag, vr, Vec::new())
    }
}

/// Private creators by group and block.
type Creators = HashMap<(u16, u16), String>;

fn private_creators(data: &DataSet) -> Creators {
    let mut creators = Creators::new();
    for (tag, _, value) in data.elements() {
        let is_creator = tag.group() % 2 == 1 && (0x10..=0xFF).contains(&tag.element());
        if let (true, Value::Bytes(name)) = (is_creator, value) {
            let name = String::from_utf8_lossy(name);
            let name = name.trim_matches([' ', '\0']).to_owned();
            creators.entry((tag.group(), tag.element())).or_insert(name);
        }
    }
    creators
}

fn used_creators(creators: &Creators, elements: &mut Vec<Element>) {
    let used: Vec<_> = creators
        .iter()
        .filter(|((group, block), _)| {
            let mut tags = elements.iter().map(|element| element.tag);
            tags.any(|tag| tag.group() == *group && tag.element() >> 8 == *block)
        })
        .map(|((group, block), name)| Element::text(Tag(*group, *block), VR::LO, name))
        .collect();
    elements.extend(used);
}
