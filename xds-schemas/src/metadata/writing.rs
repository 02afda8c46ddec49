//! From attributes to ebRIM, one object at a time.

use super::{Author, Code, EntryUuid, Extra, HomeCommunityId};
use crate::codes::status::AvailabilityStatus;
use crate::ebrim::{
    self, Body, Classification, ExternalIdentifier, InternationalString, RegistryObject, Slot,
};

/// An object while it is written.
pub(super) struct Writing(RegistryObject);

impl Writing {
    pub(super) fn new(id: &EntryUuid, object_type: &str, body: Body) -> Self {
        let mut object = RegistryObject::new(id.as_str(), body);
        object.object_type = Some(object_type.to_owned());
        Self(object)
    }

    pub(super) fn common(
        &mut self,
        logical_id: Option<&EntryUuid>,
        home: Option<&HomeCommunityId>,
        status: Option<AvailabilityStatus>,
    ) {
        self.0.lid = logical_id.map(ToString::to_string);
        self.0.home = home.map(ToString::to_string);
        self.0.status = status.map(|status| status.as_str().to_owned());
    }

    pub(super) fn version(&mut self, version: Option<&String>) {
        self.0.version = version.cloned();
    }

    pub(super) fn texts(
        &mut self,
        title: Option<&InternationalString>,
        comments: Option<&InternationalString>,
    ) {
        self.0.name = title.cloned();
        self.0.description = comments.cloned();
    }

    pub(super) fn slot(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.0.slots.push(Slot::single(name, value.to_string()));
        }
    }

    pub(super) fn slots(&mut self, name: &str, values: Vec<String>) {
        push_slot(&mut self.0.slots, name, values);
    }

    pub(super) fn author(&mut self, scheme: &str, author: &Author) {
        let mut classification = self.classification(Some(scheme), &author.id);
        classification.node_representation = Some(String::new());
        let slots = &mut classification.slots;
        push_slot(
            slots,
            "authorPerson",
            author.person.iter().cloned().collect(),
        );
        push_slot(slots, "authorInstitution", author.institutions.clone());
        push_slot(slots, "authorRole", author.roles.clone());
        push_slot(slots, "authorSpecialty", author.specialties.clone());
        push_slot(
            slots,
            "authorTelecommunication",
            author.telecommunications.clone(),
        );
        slots.extend_from_slice(&author.extra.slots);
        self.0.classifications.push(classification);
    }

    pub(super) fn codes<'c>(&mut self, scheme: &str, codes: impl IntoIterator<Item = &'c Code>) {
        for code in codes {
            let mut classification = self.classification(Some(scheme), &code.id);
            classification.node_representation = Some(code.code.clone());
            classification
                .slots
                .push(Slot::single("codingScheme", code.scheme.clone()));
            classification.slots.extend_from_slice(&code.extra.slots);
            classification.name = (!code.display.texts.is_empty()).then(|| code.display.clone());
            self.0.classifications.push(classification);
        }
    }

    /// A flag that says what the object is.
    pub(super) fn node(&mut self, node: &str) {
        let mut classification = self.classification(None, "");
        classification.id = part_id(&self.0.id, node, 0);
        classification.node = Some(node.to_owned());
        self.0.classifications.push(classification);
    }

    fn classification(&self, scheme: Option<&str>, id: &str) -> Classification {
        let id = match (id, scheme) {
            ("", Some(scheme)) => part_id(&self.0.id, scheme, self.0.classifications.len()),
            _ => id.to_owned(),
        };
        Classification {
            id,
            object_type: Some(ebrim::CLASSIFICATION.to_owned()),
            scheme: scheme.map(str::to_owned),
            classified_object: self.0.id.clone(),
            ..Classification::default()
        }
    }

    pub(super) fn identifier(
        &mut self,
        scheme: &str,
        name: &str,
        value: Option<&impl ToString>,
        extra: &Extra,
    ) {
        let value = value.map(ToString::to_string);
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return;
        };
        let given = extra.identifier_uuids.iter().find(|(of, _)| of == scheme);
        self.0.external_identifiers.push(ExternalIdentifier {
            id: given.map_or_else(|| part_id(&self.0.id, scheme, 0), |(_, id)| id.clone()),
            object_type: Some(ebrim::EXTERNAL_IDENTIFIER.to_owned()),
            scheme: scheme.to_owned(),
            registry_object: self.0.id.clone(),
            value,
            name: Some(InternationalString::of(name)),
            ..ExternalIdentifier::default()
        });
    }

    /// Adds what no attribute claims.
    pub(super) fn finish(mut self, extra: &Extra) -> RegistryObject {
        let object = &mut self.0;
        object.slots.extend_from_slice(&extra.slots);
        object
            .classifications
            .extend_from_slice(&extra.classifications);
        object
            .external_identifiers
            .extend_from_slice(&extra.external_identifiers);
        // After symbolic ids were resolved, what stayed extra must follow its object.
        for (at, classification) in object.classifications.iter_mut().enumerate() {
            classification.classified_object.clone_from(&object.id);
            if classification.id.is_empty() {
                let scheme = classification
                    .scheme
                    .as_ref()
                    .or(classification.node.as_ref());
                classification.id = part_id(&object.id, scheme.map_or("", String::as_str), at);
            }
        }
        for (at, identifier) in object.external_identifiers.iter_mut().enumerate() {
            identifier.registry_object.clone_from(&object.id);
            if identifier.id.is_empty() {
                identifier.id = part_id(&object.id, &identifier.scheme, at);
            }
        }
        self.0
    }
}

fn push_slot(slots: &mut Vec<Slot>, name: &str, values: Vec<String>) {
    if !values.is_empty() {
        slots.push(Slot {
            name: name.to_owned(),
            slot_type: None,
            values,
        });
    }
}

/// The id of a part of an object, for which nobody gave one: made of the object's own UUID and of
/// what the part is, so that it is the same whenever the object is written. (RFC 9562 calls such
/// UUIDs version 8.) A part of an object with a symbolic name has a symbolic name too.
fn part_id(object: &str, scheme: &str, ordinal: usize) -> String {
    match (uuid_bits(object), uuid_bits(scheme)) {
        (Some(object), Some(scheme)) => {
            // Odd factors spread ids that follow one another over all bits.
            let spread = object.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            let place = (ordinal as u128).wrapping_mul(0xda94_2042_e4dd_58b5_0b5a_d4ce_a1f3_6c2d);
            let mixed = spread ^ scheme.rotate_left(1) ^ place;
            let version = (mixed & !(0xf << 76)) | (8 << 76);
            uuid_urn((version & !(3 << 62)) | (2 << 62))
        }
        _ => format!("{object}.{}.{ordinal}", scheme.get(9..17).unwrap_or(scheme)),
    }
}

/// The 128 bits of `urn:uuid:…`, if it is one.
fn uuid_bits(urn: &str) -> Option<u128> {
    let uuid = urn
        .strip_prefix("urn:uuid:")
        .filter(|uuid| uuid.len() == 36)?;
    let mut bits = 0;
    for (at, byte) in uuid.bytes().enumerate() {
        match (at, char::from(byte).to_digit(16)) {
            (8 | 13 | 18 | 23, None) if byte == b'-' => {}
            (8 | 13 | 18 | 23, _) | (_, None) => return None,
            (_, Some(digit)) => bits = bits << 4 | u128::from(digit),
        }
    }
    Some(bits)
}

fn uuid_urn(bits: u128) -> String {
    let mut urn = String::with_capacity(45);
    urn.push_str("urn:uuid:");
    for at in 0..32 {
        if matches!(at, 8 | 12 | 16 | 20) {
            urn.push('-');
        }
        let digit = (bits >> (124 - 4 * at)) as u32 & 0xf;
        urn.extend(char::from_digit(digit, 16));
    }
    urn
}
