//! The lines of a measured value: `name=component^component`, delimiters escaped as in HL7 v2.
//!
//! A line of more than 256 characters (ebRIM LongName) goes on in lines `name+=`, which follow it.

use super::{ContextValue, Measurement};
use crate::metadata::{Code, hl7};

/// ebRIM's LongName.
const MAX_CHARACTERS: usize = 256;

/// What is said, as lines.
pub(super) fn of(it: &Measurement) -> Vec<String> {
    let mut lines = Lines(Vec::new());
    lines.code("concept", it.concept.as_ref());
    if let Some(value) = it.value.filter(|value| value.is_finite()) {
        lines.say("value", &[&value.to_string()]);
    }
    lines.code("unit", it.unit.as_ref());
    lines.code("coded-value", it.coded_value.as_ref());
    if it.per_pixel {
        lines.say("per-pixel", &["true"]);
    }
    lines.code("qualifier", it.qualifier.as_ref());
    lines.code("finding", it.finding.as_ref());
    lines.code("site", it.site.as_ref());
    lines.code("laterality", it.laterality.as_ref());
    lines.code("method", it.method.as_ref());
    lines.code("derivation", it.derivation.as_ref());
    if let Some((name, version)) = &it.algorithm {
        lines.say("algorithm", &[name, version]);
    }
    lines.text("tracking-identifier", it.tracking_identifier.as_ref());
    lines.text("tracking-uid", it.tracking_uid.as_ref());
    lines.text("irradiation-event", it.irradiation_event_uid.as_ref());
    for (name, value) in &it.context {
        lines.context(name, value);
    }
    lines.text("said-in", it.said_in.as_ref());
    if let Some((instance, number)) = &it.segment {
        lines.say("segment", &[instance, &number.to_string()]);
    }
    for uid in &it.source_series {
        lines.text("source-series", Some(uid));
    }
    for uid in &it.source_instances {
        lines.text("source-instance", Some(uid));
    }
    lines.0
}

/// What lines say. If something that can be said once is said again, the last word counts.
pub(super) fn read(values: &[String]) -> Option<Measurement> {
    let mut it = Measurement::default();
    let mut understood = false;
    for (name, text) in joined(values) {
        understood |= take(&mut it, name, &text).is_some();
    }
    understood.then_some(it)
}

fn take(it: &mut Measurement, name: &str, text: &str) -> Option<()> {
    let parts = components(text)?;
    match name {
        "concept" => it.concept = Some(code(&parts)?),
        "value" => it.value = Some(finite(only(&parts)?)?),
        "unit" => it.unit = Some(code(&parts)?),
        "coded-value" => it.coded_value = Some(code(&parts)?),
        "per-pixel" => it.per_pixel = only(&parts)?.parse().ok()?,
        "qualifier" => it.qualifier = Some(code(&parts)?),
        "finding" => it.finding = Some(code(&parts)?),
        "site" => it.site = Some(code(&parts)?),
        "laterality" => it.laterality = Some(code(&parts)?),
        "method" => it.method = Some(code(&parts)?),
        "derivation" => it.derivation = Some(code(&parts)?),
        "algorithm" => {
            let [name, version] = parts.as_slice() else {
                return None;
            };
            it.algorithm = Some((name.clone(), version.clone()));
        }
        "tracking-identifier" => it.tracking_identifier = Some(only(&parts)?.to_owned()),
        "tracking-uid" => it.tracking_uid = Some(only(&parts)?.to_owned()),
        "irradiation-event" => it.irradiation_event_uid = Some(only(&parts)?.to_owned()),
        "context" => it.context.push(context(&parts)?),
        "said-in" => it.said_in = Some(only(&parts)?.to_owned()),
        "segment" => {
            let [instance, number] = parts.as_slice() else {
                return None;
            };
            it.segment = Some((instance.clone(), number.parse().ok()?));
        }
        "source-series" => it.source_series.push(only(&parts)?.to_owned()),
        "source-instance" => it.source_instances.push(only(&parts)?.to_owned()),
        _ => return None,
    }
    Some(())
}

fn only(parts: &[String]) -> Option<&str> {
    match parts {
        [one] => Some(one),
        _ => None,
    }
}

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

fn code(parts: &[String]) -> Option<Code> {
    match parts {
        [code, meaning, scheme] => Some(Code::new(code, scheme, meaning)),
        _ => None,
    }
}

fn context(parts: &[String]) -> Option<(Code, ContextValue)> {
    let (name, value) = parts.split_at_checked(3)?;
    let value = match value {
        [text] => ContextValue::Text(text.clone()),
        value => ContextValue::Code(code(value)?),
    };
    Some((code(name)?, value))
}

struct Lines(Vec<String>);

impl Lines {
    fn code(&mut self, name: &str, code: Option<&Code>) {
        if let Some(code) = code {
            self.say(name, &in_components(code));
        }
    }

    fn text(&mut self, name: &str, text: Option<&String>) {
        if let Some(text) = text {
            self.say(name, &[text]);
        }
    }

    fn context(&mut self, name: &Code, value: &ContextValue) {
        let mut parts = in_components(name).to_vec();
        match value {
            ContextValue::Code(code) => parts.extend(in_components(code)),
            ContextValue::Text(text) => parts.push(text),
        }
        self.say("context", &parts);
    }

    /// One line, or as many as it needs.
    fn say(&mut self, name: &str, parts: &[&str]) {
        let parts: Vec<_> = parts.iter().map(|part| escape(part)).collect();
        let text: Vec<char> = parts.join("^").chars().collect();
        let mut rest = text.as_slice();
        let mut sign = "=";
        loop {
            let mut room = MAX_CHARACTERS - name.len() - sign.len();
            // Spaces at the end of a value do not survive everywhere. Escaped text has no two
            // together.
            if rest.len() > room && rest[room - 1] == ' ' {
                room -= 1;
            }
            let (now, later) = rest.split_at(room.min(rest.len()));
            let now: String = now.iter().collect();
            self.0.push(format!("{name}{sign}{now}"));
            if later.is_empty() {
                return;
            }
            (rest, sign) = (later, "+=");
        }
    }
}

/// Code, meaning, scheme: the order of HL7's coded elements.
fn in_components(code: &Code) -> [&str; 3] {
    let meaning = code.display.first().unwrap_or_default();
    [&code.code, meaning, &code.scheme]
}

/// Lines with what continues them.
fn joined(values: &[String]) -> Vec<(&str, String)> {
    let mut joined: Vec<(&str, String)> = Vec::new();
    for value in values {
        let Some((name, text)) = value.split_once('=') else {
            continue;
        };
        match (name.strip_suffix('+'), joined.last_mut()) {
            (Some(name), Some((last, so_far))) if *last == name => so_far.push_str(text),
            (Some(_), _) => {}
            (None, _) => joined.push((name, text.to_owned())),
        }
    }
    joined
}

/// The five delimiters as HL7 escapes them; what XML cannot carry or what white space loses, as
/// `\X` and the character's number in hexadecimal.
fn escape(text: &str) -> String {
    let plain = hl7::escape(text);
    let mut escaped = String::with_capacity(plain.len());
    let mut before = ' ';
    let mut characters = plain.chars().peekable();
    while let Some(character) = characters.next() {
        let after = characters.peek().copied().unwrap_or(' ');
        let survives = match character {
            ' ' => !before.is_whitespace() && !after.is_whitespace(),
            '\u{FFFE}' | '\u{FFFF}' => false,
            _ => !character.is_control() && !character.is_whitespace(),
        };
        if survives {
            escaped.push(character);
        } else {
            escaped.push_str(&format!("\\X{:X}\\", u32::from(character)));
        }
        before = character;
    }
    escaped
}

/// The components of a text; `None` if one of them has an escape that stands for nothing.
fn components(text: &str) -> Option<Vec<String>> {
    text.split('^').map(unescape).collect()
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    // Every second piece stands between two escape characters.
    for (at, piece) in text.split('\\').enumerate() {
        if at % 2 == 0 {
            plain.push_str(piece);
            continue;
        }
        plain.push(match piece {
            "E" => '\\',
            "S" => '^',
            "T" => '&',
            "R" => '~',
            "F" => '|',
            other => char::from_u32(u32::from_str_radix(other.strip_prefix('X')?, 16).ok()?)?,
        });
    }
    text.matches('\\')
        .count()
        .is_multiple_of(2)
        .then_some(plain)
}
