//! Values that stay, and what is taken out of them.

use dicom_core::{Tag, VR};

use super::plan::Element;
use super::rewrite::{Place, Rewriting, empty, is_words};
use super::table::Action;
use super::value::{capped_age, is_numeric, shifted};
use super::{Refused, terms, uids};
use crate::text::CharacterSet;

/// How much is taken out of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scrub {
    /// The words that the object itself removes elsewhere.
    Words,
    /// And what looks like a name, a date or a number.
    All,
}

impl Rewriting<'_> {
    /// A value that stays, or stays in part.
    pub(super) fn kept(
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

    pub(super) fn uids(&mut self, tag: Tag, bytes: &[u8]) -> Result<Option<Element>, Refused> {
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
        let text = place.characters.exactly(bytes);
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
}
