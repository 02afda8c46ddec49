//! One value as JSON: by VR a text, a number, a name, a tag or base64 (annex F.2.3).

use std::fmt::{Display, Write};

use dicom_core::{Tag, VR};

use super::hexadecimal;
use crate::text::CharacterSet;

/// Opens the attribute: its name and VR.
pub(super) fn name(json: &mut String, tag: Tag, vr: VR) {
    json.push('"');
    hexadecimal(json, tag);
    json.push_str("\":{\"vr\":\"");
    json.push_str(vr.to_string());
    json.push('"');
}

/// VRs whose value is a string of bytes or words.
pub(super) fn is_binary(vr: VR) -> bool {
    use VR::{OB, OD, OF, OL, OV, OW, UN};
    matches!(vr, OB | OD | OF | OL | OV | OW | UN)
}

/// `Value` or `InlineBinary` of bytes that are not empty. Numbers are little endian.
pub(super) fn write(json: &mut String, vr: VR, bytes: &[u8], set: &CharacterSet) {
    match vr {
        vr if is_binary(vr) => {
            json.push_str(",\"InlineBinary\":\"");
            base64(json, bytes);
            json.push('"');
        }
        VR::US => numbers(json, bytes, |json, it| put(json, u16::from_le_bytes(it))),
        VR::SS => numbers(json, bytes, |json, it| put(json, i16::from_le_bytes(it))),
        VR::UL => numbers(json, bytes, |json, it| put(json, u32::from_le_bytes(it))),
        VR::SL => numbers(json, bytes, |json, it| put(json, i32::from_le_bytes(it))),
        VR::FL => numbers(json, bytes, |json, it| {
            let number = f32::from_le_bytes(it);
            float(json, number.is_finite(), &number);
        }),
        VR::FD => numbers(json, bytes, |json, it| {
            let number = f64::from_le_bytes(it);
            float(json, number.is_finite(), &number);
        }),
        VR::UV => numbers(json, bytes, |json, it| {
            long(json, u64::from_le_bytes(it).into())
        }),
        VR::SV => numbers(json, bytes, |json, it| {
            long(json, i64::from_le_bytes(it).into())
        }),
        VR::AT => numbers(json, bytes, |json, [a, b, c, d]| {
            let tag = Tag(u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
            json.push('"');
            hexadecimal(json, tag);
            json.push('"');
        }),
        VR::ST | VR::LT | VR::UT | VR::UR => one(json, &set.whole(bytes)),
        _ => several(json, vr, set.values(bytes).iter().map(String::as_str)),
    }
}

/// The value or values of a text, padding removed.
pub(super) fn text(json: &mut String, vr: VR, text: &str) {
    match vr {
        VR::ST | VR::LT | VR::UT | VR::UR => one(json, text),
        _ => several(json, vr, text.split('\\')),
    }
}

/// A text in which a backslash divides nothing, and spaces in front are part of it (PS3.5 section
/// 6.2).
fn one(json: &mut String, text: &str) {
    let text = text.trim_end_matches([' ', '\0']);
    if !text.is_empty() {
        list(json, [text].into_iter(), string);
    }
}

fn several<'a>(json: &mut String, vr: VR, values: impl Iterator<Item = &'a str> + Clone) {
    let values = values.map(|value| value.trim_matches([' ', '\0']));
    if values.clone().all(str::is_empty) && values.clone().nth(1).is_none() {
        return;
    }
    list(json, values, |json, value| match vr {
        _ if value.is_empty() => json.push_str("null"),
        VR::PN => person(json, value),
        VR::IS | VR::DS => decimal(json, value),
        _ => string(json, value),
    });
}

fn list<T>(
    json: &mut String,
    values: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    json.push_str(",\"Value\":[");
    for (index, value) in values.enumerate() {
        if index > 0 {
            json.push(',');
        }
        write(json, value);
    }
    json.push(']');
}

fn numbers<const N: usize>(json: &mut String, bytes: &[u8], write: fn(&mut String, [u8; N])) {
    let numbers = bytes.chunks_exact(N).filter_map(|it| it.try_into().ok());
    if bytes.len() >= N {
        list(json, numbers, write);
    }
}

fn put(json: &mut String, number: impl Display) {
    // Writing to a String does not fail.
    let _ = write!(json, "{number}");
}

/// A reader that takes numbers for doubles is exact up to 2^53 (annex F.2.3, note).
fn long(json: &mut String, number: i128) {
    if number.unsigned_abs() <= 1 << 53 {
        put(json, number);
    } else {
        string(json, &number.to_string());
    }
}

/// The shortest text that gives the same number. JSON has no words for what is not finite: that is
/// a value that is absent.
fn float(json: &mut String, finite: bool, number: &impl serde::Serialize) {
    match serde_json::to_string(number) {
        Ok(text) if finite => json.push_str(&text),
        _ => json.push_str("null"),
    }
}

/// IS and DS: a number if that says the same, else the text (annex F.2.3, note).
fn decimal(json: &mut String, text: &str) {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    match number {
        Some(number) if Digits::of(text) == Digits::of(&format!("{number:e}")) => {
            // Integers without a point, as most readers want IS.
            if number.fract() == 0.0 && number.abs() < 1e15 {
                put(json, number as i64);
            } else {
                float(json, true, &number);
            }
        }
        _ => string(json, text),
    }
}

/// A decimal number as what it is worth: `1.50`, `15e-1` and `+1.5` are equal.
#[derive(PartialEq)]
struct Digits {
    negative: bool,
    /// Without zeros in front and behind.
    digits: String,
    /// The power of ten of the last digit.
    exponent: i64,
}

impl Digits {
    /// `None` if it is no decimal number; `inf` and `nan` are none.
    fn of(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let negative = mantissa.starts_with('-');
        let mantissa = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if !(whole.bytes().chain(fraction.bytes())).all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let kept = digits.trim_end_matches('0');
        let exponent = if kept.is_empty() {
            0
        } else {
            let zeros = (digits.len() - kept.len()) as i64;
            i64::from(exponent) - fraction.len() as i64 + zeros
        };
        Some(Self {
            // Minus zero is zero.
            negative: negative && !kept.is_empty(),
            digits: kept.to_owned(),
            exponent,
        })
    }
}

/// The groups of a name that are not empty (annex F.2.2).
fn person(json: &mut String, name: &str) {
    json.push('{');
    let mut first = true;
    let groups = ["Alphabetic", "Ideographic", "Phonetic"];
    for (group, text) in groups.into_iter().zip(name.split('=')) {
        let text = text.trim_end_matches(' ');
        if text.is_empty() {
            continue;
        }
        if !first {
            json.push(',');
        }
        first = false;
        string(json, group);
        json.push(':');
        string(json, text);
    }
    json.push('}');
}

/// A JSON string.
pub(super) fn string(json: &mut String, text: &str) {
    // Text always serializes.
    json.push_str(&serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned()));
}

fn base64(json: &mut String, bytes: &[u8]) {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode_string(bytes, json);
}
