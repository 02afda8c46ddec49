//! Resources as XML: elements in the order that FHIR gives them.
//! <https://hl7.org/fhir/R4/xml.html>

use serde_json::{Map, Value};
use xds_schemas::xml::Writer;

use super::FHIR;
use super::shape::{self, Element, RESOURCE};

/// The document that a resource is.
pub(crate) fn xml(resource: &Value) -> String {
    let mut writer = Writer::with_capacity(4096);
    writer.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    whole(&mut writer, resource, true);
    writer.finish()
}

fn whole(writer: &mut Writer, resource: &Value, is_root: bool) {
    let of = resource["resourceType"].as_str().unwrap_or_default();
    // It becomes the name of an element.
    if of.is_empty() || !of.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return;
    }
    let Some(object) = resource.as_object() else {
        return;
    };
    writer.open(of);
    if is_root {
        writer.attribute("xmlns", FHIR);
    }
    members(writer, of, object, true);
    writer.close(of);
}

/// The members in FHIR's order, and then what FHIR does not know here, as what somebody brought along.
fn members(writer: &mut Writer, of: &str, object: &Map<String, Value>, is_resource: bool) {
    let known = shape::elements(of).into_iter().flatten();
    let known: Vec<Element> = known.collect();
    for element in &known {
        // The id of an element is an attribute, and was written.
        if element.name != "id" || is_resource {
            member(writer, element.name, element.of, object);
        }
    }
    for name in object.keys() {
        let plain = name.strip_prefix('_').unwrap_or(name);
        let is_written = known.iter().any(|element| element.name == plain)
            || name == "resourceType"
            || (name == "id" && !is_resource)
            || (of == "Extension" && name == "url")
            || (plain.len() < name.len() && object.contains_key(plain));
        if !is_written && plain.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let of = shape::element(of, plain).map_or("", |element| element.of);
            member(writer, plain, of, object);
        }
    }
}

/// One member: its values, each with what belongs to it besides.
fn member(writer: &mut Writer, name: &str, of: &str, object: &Map<String, Value>) {
    let value = object.get(name);
    let besides = object.get(&format!("_{name}"));
    if let (Some(Value::Array(values)), besides) = (value, besides) {
        for (at, value) in values.iter().enumerate() {
            element(writer, name, of, Some(value), besides.map(|it| &it[at]));
        }
        return;
    }
    if value.is_some() || besides.is_some() {
        element(writer, name, of, value, besides);
    }
}

fn element(
    writer: &mut Writer,
    name: &str,
    of: &str,
    value: Option<&Value>,
    besides: Option<&Value>,
) {
    match value {
        Some(Value::String(div)) if of == "xhtml" => {
            // It was found to be XML when it came.
            writer.raw(div);
        }
        Some(Value::Object(object)) if of == RESOURCE || object.contains_key("resourceType") => {
            writer.open(name);
            whole(writer, &Value::Object(object.clone()), false);
            writer.close(name);
        }
        Some(Value::Object(object)) => {
            writer.open(name);
            writer.optional("id", object.get("id").and_then(Value::as_str));
            if name == "extension" || name == "modifierExtension" {
                writer.optional("url", object.get("url").and_then(Value::as_str));
            }
            members(writer, of, object, false);
            writer.close(name);
        }
        value => {
            writer.open(name);
            let besides = besides.and_then(Value::as_object);
            if let Some(besides) = besides {
                writer.optional("id", besides.get("id").and_then(Value::as_str));
            }
            match value {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => _ = writer.attribute("value", text),
                Some(value) => _ = writer.attribute("value", &value.to_string()),
            }
            if let Some(besides) = besides {
                member(writer, "extension", "Extension", besides);
            }
            writer.close(name);
        }
    }
}
