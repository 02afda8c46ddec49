//! Private attributes: by their creator, and removed unless they are known to be safe
//! (PS3.15 section E.3.10, PS3.5 section 7.8).

use std::collections::HashMap;

use dicom_core::{Tag, VR};

use super::Refused;
use super::plan::{Element, Planned};
use super::rewrite::{Place, Rewriting, is_bulk};
use super::table::Action;
use super::verdict::Verdict;
use crate::walk::{DataSet, Value};

impl Rewriting<'_> {
    pub(super) fn private(
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

/// Private creators by group and block.
pub(super) type Creators = HashMap<(u16, u16), String>;

pub(super) fn private_creators(data: &DataSet) -> Creators {
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

pub(super) fn used_creators(creators: &Creators, elements: &mut Vec<Element>) {
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
