//! How one value is written: `2000 ms`, `FFE`, `69536005^Head^2.16.840.1.113883.6.96`.

use super::{Kind, Parameter, Value};
use crate::metadata::{Code, hl7};

/// A value of a slot is a LongName of ebRIM: 256 characters. No keyword is longer than 50.
pub(super) const MAX_CHARACTERS: usize = 200;
/// Ends a text that was cut; as a text of its own, says that there are more.
pub const CUT: &str = "…";

impl Parameter {
    /// The value as it stands behind the `=` in a slot; at most 200 characters. A number has its unit
    /// behind it, a code is written as the data type CE of HL7 v2: code, name, scheme, with the
    /// escapes of HL7. Texts are trimmed, and what is too long is cut.
    ///
    /// `None` if it cannot be written: another kind than the parameter's, no finite number, an empty
    /// text, or a code that is empty or too long.
    pub fn write(&self, value: &Value) -> Option<String> {
        match (self.kind, value) {
            (Kind::Number("1"), Value::Number(number)) => write_number(*number),
            (Kind::Number(unit), Value::Number(number)) => {
                Some(format!("{} {unit}", write_number(*number)?))
            }
            (Kind::Text, Value::Text(text)) => write_text(text),
            (Kind::Code, Value::Code(code)) => write_code(code),
            _ => None,
        }
    }

    /// Reads what [`write`](Self::write) wrote; `None` if it is not that.
    pub fn read(&self, text: &str) -> Option<Value> {
        if text.chars().count() > MAX_CHARACTERS {
            return None;
        }
        match self.kind {
            Kind::Number("1") => read_number(text).map(Value::Number),
            Kind::Number(unit) => {
                let number = text.strip_suffix(unit)?.strip_suffix(' ')?;
                read_number(number).map(Value::Number)
            }
            Kind::Text => write_text(text).map(Value::Text),
            Kind::Code => read_code(text).map(Value::Code),
        }
    }
}

/// The shortest digits that read back as the same number.
fn write_number(number: f64) -> Option<String> {
    let size = number.abs();
    if !number.is_finite() {
        None
    } else if size != 0.0 && !(1e-6..1e15).contains(&size) {
        Some(format!("{number:e}"))
    } else {
        Some(number.to_string())
    }
}

fn read_number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn write_text(text: &str) -> Option<String> {
    let text: String = text
        .chars()
        .map(|c| if is_plain(c) { c } else { ' ' })
        .collect();
    let text = text.trim();
    if text.chars().count() <= MAX_CHARACTERS {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let kept: String = text.chars().take(MAX_CHARACTERS - 1).collect();
    Some(format!("{}{CUT}", kept.trim_end()))
}

/// XML cannot carry the others.
fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

fn write_code(code: &Code) -> Option<String> {
    let part = |text: &str| write_text(text).map(|text| hl7::escape(&text));
    let (value, scheme) = (part(&code.code)?, part(&code.scheme)?);
    let display = code.display.first().and_then(part).unwrap_or_default();
    // Without its name, a code still means the same.
    [display, String::new()]
        .into_iter()
        .map(|display| format!("{value}^{display}^{scheme}"))
        .find(|text| text.chars().count() <= MAX_CHARACTERS)
}

fn read_code(text: &str) -> Option<Code> {
    let part = |part: &str| hl7::unescape(part).ok().map(|part| write_text(&part));
    let mut parts = text.split('^').map(part);
    let (code, display, scheme) = (parts.next()??, parts.next()??, parts.next()??);
    let nothing_more = parts.next().is_none();
    nothing_more.then_some(Code::new(code?, scheme?, display.unwrap_or_default()))
}
