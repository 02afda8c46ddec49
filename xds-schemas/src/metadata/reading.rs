//! From ebRIM to attributes, one object at a time: what is taken, what offends, what stays extra.

mod parts;

use super::judge::{Concern, Judge, Subject};
use super::optionality::Optionality;
use super::{DocumentEntryType, EntryUuid, Extra, HomeCommunityId, Rules, formats};
use crate::codes::status::AvailabilityStatus;
use crate::ebrim::{Body, InternationalString, RegistryObject, Slot};

/// One object while it is read.
pub(super) struct Reading<'a> {
    judge: &'a mut Judge,
    subject: Subject<'a>,
    pub(super) extra: Extra,
    /// Attributes that were there but offended: they are not missing as well.
    malformed: Vec<String>,
}

impl<'a> Reading<'a> {
    /// Begins with what all objects have in common.
    pub(super) fn new(
        kind: &'static str,
        object: &'a RegistryObject,
        judge: &'a mut Judge,
    ) -> Self {
        let subject = Subject {
            kind,
            id: &object.id,
        };
        let extra = Extra::default();
        let mut reading = Self {
            judge,
            subject,
            extra,
            malformed: Vec::new(),
        };
        reading.slots_are_sound(&object.slots);
        if let Some(home) = object.home.as_deref() {
            reading.check("homeCommunityId", formats::oid_urn(home));
        }
        reading
    }

    pub(super) fn offend(&mut self, concern: Concern, attribute: &str, problem: &str) {
        self.malformed.push(attribute.to_owned());
        self.judge
            .offence(concern, self.subject, attribute, problem);
    }

    fn check(&mut self, attribute: &str, result: Result<(), String>) {
        if let Err(problem) = result {
            self.offend(Concern::Registry, attribute, &problem);
        }
    }

    /// The entryUUID and the logicalID of something that is registered for the first time.
    pub(super) fn identities(&mut self, object: &RegistryObject) -> (EntryUuid, Option<EntryUuid>) {
        // A logicalID of another object makes it a new version, which only ITI-57 and ITI-92 carry.
        if object.lid.as_ref().is_some_and(|lid| *lid != object.id) {
            self.offend(
                Concern::Registry,
                "logicalID",
                "differs from the entryUUID, as only that of a document entry or folder in an update may",
            );
        }
        self.names(object)
    }

    /// The same of something that may be a new version.
    pub(super) fn versioned(&mut self, object: &RegistryObject) -> (EntryUuid, Option<EntryUuid>) {
        if !self.judge.takes_versions() {
            return self.identities(object);
        }
        if let Some(logical_id) = object.lid.as_ref().filter(|lid| **lid != object.id) {
            self.check("logicalID", formats::uuid_urn(logical_id));
        }
        self.names(object)
    }

    fn names(&mut self, object: &RegistryObject) -> (EntryUuid, Option<EntryUuid>) {
        if object.id.is_empty() {
            self.offend(Concern::Registry, "entryUUID", "is missing");
        } else if object.id.starts_with("urn:uuid:") {
            self.check("entryUUID", formats::uuid_urn(&object.id));
        }
        let logical_id = object.lid.as_deref().map(EntryUuid::from);
        (EntryUuid(object.id.clone()), logical_id)
    }

    /// Whether the object is a package, as submission sets and folders are.
    pub(super) fn is_package(&mut self, object: &RegistryObject) -> bool {
        let is_package = object.body == Body::RegistryPackage;
        if !is_package {
            self.offend(
                Concern::Everybody,
                "the element",
                "is not a RegistryPackage",
            );
        }
        is_package
    }

    /// The title: texts of less than `limit` characters.
    pub(super) fn title(&mut self, title: Option<&InternationalString>, limit: usize) {
        let texts = title.map_or(&[][..], |title| title.texts.as_slice());
        if texts
            .iter()
            .any(|text| formats::longer_than(&text.value, limit - 1))
        {
            self.offend(
                Concern::Registry,
                "title",
                &format!("does not have less than {limit} characters"),
            );
        }
    }

    pub(super) fn home(object: &RegistryObject) -> Option<HomeCommunityId> {
        object.home.as_deref().map(HomeCommunityId::from)
    }

    pub(super) fn status(object: &RegistryObject) -> Option<AvailabilityStatus> {
        object.status.as_deref().and_then(AvailabilityStatus::parse)
    }

    /// The type that document entries must have here, if it is prescribed.
    pub(super) fn entry_type(&self) -> Option<DocumentEntryType> {
        self.judge.entry_type
    }

    /// By whose rules the object is judged.
    pub(super) fn rules(&self) -> Rules {
        self.judge.rules
    }

    /// What the rules say of an attribute.
    fn optionality(&self, attribute: &str) -> Optionality {
        self.judge.optionality(self.subject.kind, attribute)
    }

    /// An attribute that is absent offends where it is required, unless it already did by its form.
    pub(super) fn require(&mut self, concern: Concern, attribute: &str, present: bool) {
        if present || self.optionality(attribute) != Optionality::Required {
            return;
        }
        if !self
            .malformed
            .iter()
            .any(|malformed| malformed == attribute)
        {
            let concern = concern.min(Concern::Recipient);
            self.judge
                .offence(concern, self.subject, attribute, "is missing");
        }
    }

    fn slots_are_sound(&mut self, slots: &[Slot]) {
        let mut names: Vec<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
        names.sort_unstable();
        for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
            self.offend(
                Concern::Registry,
                pair[0],
                "stands in two slots of one object",
            );
        }
        for slot in slots {
            // ebRIM: a value is a LongName.
            if slot
                .values
                .iter()
                .any(|value| formats::longer_than(value, 256))
            {
                self.offend(
                    Concern::Registry,
                    &slot.name,
                    "has a value of more than 256 characters",
                );
            }
        }
    }

    /// The value of a slot that must not have several. None for an empty slot, which is as good as
    /// none, and for a slot that has to stay extra.
    fn single<'s>(&mut self, concern: Concern, slot: &'s Slot, taken: bool) -> Option<&'s str> {
        match slot.values.as_slice() {
            [] => return None,
            [value] if !taken => return Some(value),
            [_] => {}
            _ => self.offend(concern, &slot.name, "has several values"),
        }
        self.extra.slots.push(slot.clone());
        None
    }

    /// Takes an attribute of one value that has a type; what cannot be read stays extra.
    pub(super) fn typed<T>(
        &mut self,
        concern: Concern,
        slot: &Slot,
        target: &mut Option<T>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) {
        match self.single(concern, slot, target.is_some()).map(parse) {
            Some(Ok(value)) => *target = Some(value),
            Some(Err(problem)) => {
                self.offend(concern, &slot.name, &problem);
                self.extra.slots.push(slot.clone());
            }
            None => {}
        }
    }

    /// Takes an attribute of one value that is kept as text, and checks its form.
    pub(super) fn text(
        &mut self,
        concern: Concern,
        slot: &Slot,
        target: &mut Option<String>,
        form: impl FnOnce(&str) -> Result<(), String>,
    ) {
        if let Some(value) = self.single(concern, slot, target.is_some()) {
            if let Err(problem) = form(value) {
                self.offend(concern, &slot.name, &problem);
            }
            *target = Some(value.to_owned());
        }
    }

    /// Takes an attribute of any number of values that are kept as text.
    pub(super) fn texts(
        &mut self,
        slot: &Slot,
        target: &mut Vec<String>,
        form: impl Fn(&str) -> Result<(), String>,
    ) {
        if !target.is_empty() {
            self.extra.slots.push(slot.clone());
            return;
        }
        if let Some(problem) = slot.values.iter().find_map(|value| form(value).err()) {
            self.offend(Concern::Registry, &slot.name, &problem);
        }
        target.clone_from(&slot.values);
    }

    /// Takes an attribute of any number of typed values; if one cannot be read, all stay extra.
    pub(super) fn typed_list<T>(
        &mut self,
        slot: &Slot,
        target: &mut Vec<T>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) {
        let values: Result<Vec<T>, String> = slot.values.iter().map(|value| parse(value)).collect();
        match values {
            Ok(values) if target.is_empty() => *target = values,
            Ok(_) => self.extra.slots.push(slot.clone()),
            Err(problem) => {
                self.offend(Concern::Registry, &slot.name, &problem);
                self.extra.slots.push(slot.clone());
            }
        }
    }

    /// Keeps a slot that no attribute claims, whose name must be a URN that nobody else may define
    /// (ITI TF-3 4.2.3.1.6).
    pub(super) fn unclaimed(&mut self, slot: &Slot) {
        if !formats::is_urn(&slot.name) {
            self.offend(
                Concern::Registry,
                &slot.name,
                "is neither an attribute nor named by a URN",
            );
        } else if slot.name.starts_with("urn:ihe:") {
            self.offend(
                Concern::Registry,
                &slot.name,
                "is no attribute that IHE defines",
            );
        }
        self.extra.slots.push(slot.clone());
    }
}
