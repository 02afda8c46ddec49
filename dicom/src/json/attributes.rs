//! Attributes made from simple parts: what a query (QIDO-RS) is answered with.

use std::collections::BTreeMap;

use dicom_core::{Tag, VR};

use super::value;

/// Attributes that are being put together. Each is there once: the last one wins. In JSON they stand
/// in the order of their tags.
#[derive(Debug, Clone, Default)]
pub struct Attributes(BTreeMap<Tag, String>);

impl Attributes {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A value or values as text in UTF-8, written as in a file: several are divided by `\`, the
    /// components of a name by `^`, its groups by `=`. For every VR that is text in a file; IS and DS
    /// become numbers. An empty text is an attribute without value.
    #[must_use]
    pub fn text(mut self, tag: Tag, vr: VR, text: &str) -> Self {
        let json = self.opened(tag, vr);
        value::text(json, vr, text);
        json.push('}');
        self
    }

    /// A number, for the VRs US, SS, UL, SL, UV, SV, and IS.
    #[must_use]
    pub fn number(mut self, tag: Tag, vr: VR, number: i64) -> Self {
        let json = self.opened(tag, vr);
        value::text(json, VR::IS, &number.to_string());
        json.push('}');
        self
    }

    /// A sequence.
    #[must_use]
    pub fn items(mut self, tag: Tag, items: impl IntoIterator<Item = Self>) -> Self {
        let json = self.opened(tag, VR::SQ);
        let items: Vec<_> = items.into_iter().map(|item| item.to_json()).collect();
        if !items.is_empty() {
            json.push_str(",\"Value\":[");
            json.push_str(&items.join(","));
            json.push(']');
        }
        json.push('}');
        self
    }

    /// As a JSON object.
    pub fn to_json(&self) -> String {
        let attributes: Vec<_> = self.0.values().map(String::as_str).collect();
        format!("{{{}}}", attributes.join(","))
    }

    fn opened(&mut self, tag: Tag, vr: VR) -> &mut String {
        let json = self.0.entry(tag).or_default();
        json.clear();
        value::name(json, tag, vr);
        json
    }
}
