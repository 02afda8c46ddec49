//! The new data set, attribute by attribute, at all levels.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::content;
use super::identity::Identity;
use super::plan::{Actions, Element, Planned, in_order};
use super::private::{private_creators, used_creators};
use super::profile::Profile;
use super::pseudonym::Pseudonyms;
use super::table::Action;
use super::value::dummy;
use super::verdict::{Verdict, is_empty, verdict};
use super::{Refused, unknown};
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
    pub(super) coded: bool,
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
        if tag == tags::PIXEL_DATA {
            return pixel_data(vr, value, place).map(Some);
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
        let id = place.characters.exactly(bytes);
        let id = id.map(|id| id.trim_matches([' ', '\0']).to_owned());
        id.filter(|id| !id.is_empty()).map_or_else(
            || self.patient.to_owned(),
            |id| self.pseudonyms.patient(&id),
        )
    }

    pub(super) fn acted(
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
}

/// Pixels of the object itself. In an item nobody has looked for text in them.
fn pixel_data(vr: VR, value: &Value, place: Place<'_>) -> Result<Element, Refused> {
    let tag = tags::PIXEL_DATA;
    let value = match value {
        _ if place.depth > 0 => return Err(Refused::attribute(tag, "an image inside an image")),
        Value::Fragments(fragments) => Planned::Fragments(fragments.clone()),
        Value::Apart(apart) => Planned::Pixels(*apart),
        _ => return Err(Refused::attribute(tag, "pixels that are no pixels")),
    };
    Ok(Element { tag, vr, value })
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

pub(super) const fn is_bulk(vr: VR) -> bool {
    use VR::*;
    matches!(vr, OB | OW | OF | OD | OL | OV | UN)
}

/// VRs in which something can be said in words.
pub(super) const fn is_words(vr: VR) -> bool {
    use VR::*;
    matches!(vr, AE | CS | LO | LT | PN | SH | ST | UC | UR | UT)
}

pub(super) fn empty(tag: Tag, vr: VR) -> Element {
    if vr == VR::SQ {
        Element::items(tag, Vec::new())
    } else {
        Element::bytes(tag, vr, Vec::new())
    }
}
