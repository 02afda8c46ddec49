//! One attribute: its VR and what it says, as the bytes that a file would have.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dicom_core::VR;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Object, Read, count, tag_of};
use crate::walk::{Apart, DataSet, Value};

/// A single value longer than this is not kept, as in files.
const MAX_KEPT_VALUE: usize = 64 * 1024;

/// Reads an attribute; `None` if it says nothing that can be kept.
pub(super) struct Attribute<'c> {
    pub(super) counted: &'c mut usize,
}

impl<'de> DeserializeSeed<'de> for Attribute<'_> {
    type Value = Option<(VR, Value)>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Attribute<'_> {
    type Value = Option<(VR, Value)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an attribute")
    }

    /// Its members may come in any order.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut vr = None;
        let mut values = Vec::new();
        let mut inline = None;
        let mut elsewhere = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "vr" => vr = map.next_value::<String>()?.parse::<VR>().ok(),
                "Value" => {
                    let counted = &mut *self.counted;
                    values = map.next_value_seed(Values { counted })?;
                }
                "InlineBinary" => inline = map.next_value::<Option<String>>()?,
                "BulkDataURI" => {
                    elsewhere = true;
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let Some(vr) = vr else {
            return Ok(None);
        };
        if elsewhere {
            // It is somewhere, but not in a file.
            let (offset, length) = (0, u64::MAX);
            return Ok(Some((vr, Value::Apart(Apart { offset, length }))));
        }
        if vr == VR::SQ {
            let items = values.into_iter().filter_map(Single::item).collect();
            return Ok(Some((vr, Value::Items(items))));
        }
        let bytes = match inline {
            Some(text) => STANDARD.decode(text.trim()).ok(),
            None => Some(bytes(vr, &values)),
        };
        let bytes = bytes.filter(|bytes| bytes.len() <= MAX_KEPT_VALUE);
        Ok(bytes.map(|bytes| (vr, Value::Bytes(bytes))))
    }
}

/// One of an attribute's values.
#[derive(Debug)]
enum Single {
    Nothing,
    Text(String),
    /// As it is written shortest.
    Number(String),
    Object(Read),
}

impl Single {
    fn item(self) -> Option<DataSet> {
        match self {
            Self::Object(read) => Some(DataSet::of(read.into_elements())),
            // An item without anything.
            Self::Nothing => Some(DataSet::default()),
            _ => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) | Self::Number(text) => text.clone(),
            Self::Object(read) => {
                let groups = read.name.iter().map(|it| it.as_deref().unwrap_or_default());
                let name = groups.collect::<Vec<_>>().join("=");
                name.trim_end_matches('=').to_owned()
            }
        }
    }

    fn integer(&self) -> Option<i128> {
        let text = match self {
            Self::Text(text) | Self::Number(text) => text.trim(),
            _ => return None,
        };
        let whole = text.parse().ok();
        // Some write 1.0.
        let float = || text.parse::<f64>().ok().filter(|it| it.fract() == 0.0);
        whole.or_else(|| float().map(|it| it as i128))
    }

    fn float(&self) -> Option<f64> {
        match self {
            Self::Text(text) | Self::Number(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

/// Values as a file has them.
fn bytes(vr: VR, values: &[Single]) -> Vec<u8> {
    fn integers<const N: usize>(values: &[Single]) -> Vec<u8> {
        let integers = values.iter().filter_map(Single::integer);
        // What does not fit is nobody's number.
        integers
            .filter(|it| it.unsigned_abs() >> (8 * N) == 0)
            .flat_map(|it| it.to_le_bytes().into_iter().take(N).collect::<Vec<_>>())
            .collect()
    }
    match vr {
        VR::US | VR::SS => integers::<2>(values),
        VR::UL | VR::SL => integers::<4>(values),
        VR::UV | VR::SV => integers::<8>(values),
        VR::FL => {
            let floats = values.iter().filter_map(Single::float);
            floats.flat_map(|it| (it as f32).to_le_bytes()).collect()
        }
        VR::FD => {
            let floats = values.iter().filter_map(Single::float);
            floats.flat_map(f64::to_le_bytes).collect()
        }
        VR::AT => {
            let tags = values.iter().filter_map(|it| tag_of(&it.text()));
            tags.flat_map(|tag| {
                let ([a, b], [c, d]) = (tag.group().to_le_bytes(), tag.element().to_le_bytes());
                [a, b, c, d]
            })
            .collect()
        }
        _ => {
            let texts: Vec<String> = values.iter().map(Single::text).collect();
            texts.join("\\").into_bytes()
        }
    }
}

/// Reads the list of values.
struct Values<'c> {
    counted: &'c mut usize,
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = Vec<Single>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = Vec<Single>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of values")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let counted = &mut *self.counted;
            let Some(value) = list.next_element_seed(One { counted })? else {
                return Ok(values);
            };
            count(self.counted)?;
            values.push(value);
        }
    }
}

/// Reads one value, whatever it is.
struct One<'c> {
    counted: &'c mut usize,
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Single;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = Single;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Single, E> {
        Ok(Single::Nothing)
    }

    fn visit_str<E>(self, text: &str) -> Result<Single, E> {
        Ok(Single::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Single, E> {
        Ok(Single::Text(text))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Single, E> {
        Ok(Single::Number(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Single, E> {
        Ok(Single::Number(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Single, E> {
        Ok(Single::Number(number.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Single, A::Error> {
        let counted = self.counted;
        Object { counted }.visit_map(map).map(Single::Object)
    }
}
