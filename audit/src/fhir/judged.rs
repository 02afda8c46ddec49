//! Whether a resource that somebody sent is one: what FHIR says of its elements, their number and their
//! values, as far as a record must keep to it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};
use xds_schemas::xml::Reader;

use super::shape::{self, Element, RESOURCE};
use super::{XHTML, time};

/// How deep elements may nest.
const DEPTH: usize = 40;
/// Problems that are told of.
const PROBLEMS: usize = 20;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// A path in FHIRPath's simple form: `AuditEvent.agent[0].requestor`.
    pub(crate) place: String,
    /// A code of FHIR's list of issue types.
    pub(crate) code: &'static str,
    /// A sentence that does not quote what was sent.
    pub(crate) text: &'static str,
}

/// What is wrong with an event; nothing if it can be taken.
pub(crate) fn event(resource: &Value) -> Vec<Problem> {
    let mut judge = Judge::default();
    if resource["resourceType"] == "AuditEvent" {
        judge.object("AuditEvent", "AuditEvent", resource, 0);
        judge.codes(resource);
    } else {
        judge.say("AuditEvent", "invalid", "only AuditEvent is taken here");
    }
    judge.problems
}

#[derive(Default)]
struct Judge {
    problems: Vec<Problem>,
}

impl Judge {
    fn say(&mut self, place: &str, code: &'static str, text: &'static str) {
        if self.problems.len() < PROBLEMS {
            let place = place.to_owned();
            self.problems.push(Problem { place, code, text });
        }
    }

    fn object(&mut self, place: &str, of: &str, value: &Value, depth: usize) {
        let Some(object) = value.as_object() else {
            return self.say(place, "structure", "an object is expected here");
        };
        if depth > DEPTH {
            return self.say(place, "too-long", "elements nest too deeply");
        }
        if object.is_empty() {
            return self.say(place, "structure", "an empty object");
        }
        for (name, value) in object {
            self.member(place, of, object, (name, value), depth);
        }
        for element in shape::elements(of)
            .into_iter()
            .flatten()
            .filter(|it| it.must)
        {
            if !object.contains_key(element.name)
                && !object.contains_key(&format!("_{}", element.name))
            {
                self.say(
                    &format!("{place}.{}", element.name),
                    "required",
                    "this must be there",
                );
            }
        }
        match of {
            "Extension" => self.extension(place, object),
            "AuditEvent.entity" if object.contains_key("name") && object.contains_key("query") => {
                self.say(place, "invariant", "a name or a query, not both (sev-1)");
            }
            "AuditEvent.entity.detail" if !has_one(object) => {
                self.say(place, "required", "one value must be there");
            }
            _ => {}
        }
    }

    fn member(
        &mut self,
        place: &str,
        of: &str,
        object: &Map<String, Value>,
        (name, value): (&str, &Value),
        depth: usize,
    ) {
        let is_type = depth == 0 && name == "resourceType";
        if is_type || (of == "Extension" && name == "url") {
            return;
        }
        // Names are not repeated unless they are FHIR's own.
        let plain = name.strip_prefix('_').unwrap_or(name);
        let Some(element) = shape::element(of, plain) else {
            return self.say(place, "structure", "an element that is not known here");
        };
        let place = format!("{place}.{plain}");
        if value.is_null() {
            return self.say(&place, "structure", "nothing stands here");
        }
        if name != plain {
            // What belongs to a primitive besides its value: an id, extensions.
            return self.besides(&place, element, object, value, depth);
        }
        match (value, element.many) {
            (Value::Array(values), true) => {
                if values.is_empty() {
                    self.say(&place, "structure", "an empty list");
                }
                for (at, value) in values.iter().enumerate() {
                    if value.is_null() && object.contains_key(&format!("_{plain}")) {
                        continue;
                    }
                    self.value(&format!("{place}[{at}]"), element, value, depth);
                }
            }
            (Value::Array(_), false) => self.say(&place, "structure", "there can be only one"),
            (_, true) => self.say(&place, "structure", "a list is expected here"),
            (value, false) => self.value(&place, element, value, depth),
        }
    }

    fn besides(
        &mut self,
        place: &str,
        element: Element,
        object: &Map<String, Value>,
        value: &Value,
        depth: usize,
    ) {
        if !shape::is_primitive(element.of) {
            return self.say(place, "structure", "only primitives have this");
        }
        let values = match value {
            Value::Array(values) if element.many => values.iter().collect(),
            value => vec![value],
        };
        for value in values.into_iter().filter(|value| !value.is_null()) {
            self.object(place, "Element", value, depth + 1);
        }
        // What a record is searched by must have a value.
        if element.must && !object.contains_key(element.name) {
            self.say(place, "required", "a value must be there");
        }
    }

    fn value(&mut self, place: &str, element: Element, value: &Value, depth: usize) {
        match element.of {
            RESOURCE => self.contained(place, value),
            of if shape::is_primitive(of) => {
                if let Some(text) = primitive(of, value) {
                    self.say(place, "value", text);
                }
            }
            of => self.object(place, of, value, depth + 1),
        }
    }

    /// What else a record brings along is kept, whatever it is.
    fn contained(&mut self, place: &str, value: &Value) {
        if !value["resourceType"].is_string() {
            self.say(place, "structure", "a resource is expected here");
        }
    }

    fn extension(&mut self, place: &str, object: &Map<String, Value>) {
        let url = object.get("url").and_then(Value::as_str);
        if url.is_none_or(|url| url.trim().is_empty()) {
            self.say(place, "required", "an extension has a url");
        }
        let nested = object.contains_key("extension");
        let values = object.keys().filter(|it| it.starts_with("value")).count();
        if nested == (values > 0) || values > 1 {
            self.say(place, "invariant", "either extensions or one value (ext-1)");
        }
    }

    /// Codes that FHIR requires.
    fn codes(&mut self, resource: &Value) {
        let mut check = |place: &str, value: &Value, known: &[&str]| {
            if let Some(code) = value.as_str()
                && !known.contains(&code)
            {
                self.say(place, "code-invalid", "a code that is not in FHIR's list");
            }
        };
        check(
            "AuditEvent.action",
            &resource["action"],
            &["C", "R", "U", "D", "E"],
        );
        check(
            "AuditEvent.outcome",
            &resource["outcome"],
            &["0", "4", "8", "12"],
        );
        for (at, agent) in resource["agent"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            let place = format!("AuditEvent.agent[{at}].network.type");
            check(
                &place,
                &agent["network"]["type"],
                &["1", "2", "3", "4", "5"],
            );
        }
    }
}

fn has_one(detail: &Map<String, Value>) -> bool {
    let values = ["valueString", "valueBase64Binary"];
    values.iter().filter(|it| detail.contains_key(**it)).count() == 1
}

/// What is wrong with a value of a primitive type.
fn primitive(of: &str, value: &Value) -> Option<&'static str> {
    let wrong = |wrong: bool, text| wrong.then_some(text);
    match of {
        "boolean" => return wrong(!value.is_boolean(), "true or false is expected here"),
        "integer" => return wrong(!value.is_i64(), "a whole number is expected here"),
        "unsignedInt" | "positiveInt" => {
            return wrong(!value.is_u64(), "a whole number is expected here");
        }
        "decimal" => return wrong(!value.is_number(), "a number is expected here"),
        _ => {}
    }
    let Some(text) = value.as_str() else {
        return Some("a string is expected here");
    };
    if text.trim().is_empty() {
        return Some("an empty string");
    }
    if text
        .chars()
        .any(|it| it.is_control() && !"\t\r\n".contains(it))
    {
        return Some("a control character");
    }
    match of {
        "instant" => wrong(
            !is_instant(text),
            "a time with seconds and zone is expected here",
        ),
        "dateTime" | "date" => wrong(time::span(text).is_none(), "no date"),
        "code" => wrong(
            super::codes::token(text) != text,
            "spaces where a code has none",
        ),
        "uri" | "url" | "canonical" | "oid" | "uuid" => {
            wrong(text.contains(char::is_whitespace), "a space in a URI")
        }
        "id" => wrong(
            !is_id(text),
            "an id has up to 64 letters, digits, dashes and points",
        ),
        "base64Binary" => {
            let plain: String = text.split_ascii_whitespace().collect();
            wrong(BASE64.decode(plain).is_err(), "no base64")
        }
        "xhtml" => wrong(!is_narrative(text), "no div of XHTML"),
        _ => None,
    }
}

fn is_instant(text: &str) -> bool {
    let Some((_, clock)) = text.split_once('T') else {
        return false;
    };
    let zone = clock.find(['Z', '+', '-']);
    let seconds = zone.is_some_and(|at| clock[..at].matches(':').count() == 2);
    seconds && time::span(text).is_some()
}

/// Whether this can be the id of a resource.
pub(crate) fn is_id(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(letter)
}

/// Whether this can stand in XML as it is.
fn is_narrative(text: &str) -> bool {
    let read = |text: &str| {
        let mut reader = Reader::new(text.as_bytes())?;
        let root = reader.root()?;
        let is_div = root.is(XHTML, "div");
        reader.skip()?;
        reader.end().map(|()| is_div)
    };
    text.starts_with("<div") && read(text).unwrap_or(false)
}
