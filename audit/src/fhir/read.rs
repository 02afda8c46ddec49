//! Resources that came as XML, as the JSON that says the same.
//!
//! Which elements are lists and which values are numbers, only the type of a resource says: so what is
//! not known is refused.
//! <https://hl7.org/fhir/R4/xml.html>

use serde_json::{Map, Value, json};
use xds_schemas::xml::{Reader, XmlError};

use super::shape::{self, Element, RESOURCE};
use super::{FHIR, XHTML};

/// Reads a document.
///
/// # Errors
/// If it is no XML, or no resource that is known here.
pub(crate) fn resource(xml: &[u8]) -> Result<Value, XmlError> {
    let mut reader = Reader::new(xml)?;
    let root = reader.root()?;
    let resource = whole(&mut reader, &root)?;
    reader.end()?;
    Ok(resource)
}

type Tag<'a> = xds_schemas::xml::Element<'a>;

fn whole(reader: &mut Reader<'_>, tag: &Tag<'_>) -> Result<Value, XmlError> {
    if tag.namespace != FHIR || !shape::is_resource(tag.name()) {
        return Err(reader.error("a resource that is not taken here"));
    }
    let mut object = Map::new();
    object.insert("resourceType".to_owned(), json!(tag.name()));
    children(reader, tag.name(), &mut object)?;
    Ok(Value::Object(object))
}

/// The elements of an object. It is left.
fn children(
    reader: &mut Reader<'_>,
    of: &str,
    object: &mut Map<String, Value>,
) -> Result<(), XmlError> {
    while let Some(tag) = reader.child()? {
        let name = tag.name().to_owned();
        let known = shape::element(of, &name);
        let namespace = if known.is_some_and(|it| it.of == "xhtml") {
            XHTML
        } else {
            FHIR
        };
        let Some(element) = known.filter(|_| tag.namespace == namespace) else {
            return Err(reader.error("an element that is not known here"));
        };
        let (value, besides) = value(reader, element, &tag)?;
        put(reader, object, element, (&name, value, besides))?;
    }
    Ok(())
}

/// A value, and what a primitive has besides it.
fn value(
    reader: &mut Reader<'_>,
    element: Element,
    tag: &Tag<'_>,
) -> Result<(Value, Value), XmlError> {
    match element.of {
        "xhtml" => {
            let text = reader.copy_as_it_is(tag)?;
            Ok((Value::String(text), Value::Null))
        }
        RESOURCE => {
            let Some(inner) = reader.child()? else {
                return Err(reader.error("a resource is expected here"));
            };
            let resource = whole(reader, &inner)?;
            match reader.child()? {
                None => Ok((resource, Value::Null)),
                Some(_) => Err(reader.error("one resource is expected here")),
            }
        }
        of if shape::is_primitive(of) => {
            let text = tag.attribute("value");
            let mut besides = identified(tag);
            children(reader, "Element", &mut besides)?;
            let value = text.map_or(Value::Null, |text| primitive(of, text));
            let besides = match besides.is_empty() {
                true => Value::Null,
                false => Value::Object(besides),
            };
            Ok((value, besides))
        }
        of => {
            let mut object = identified(tag);
            if of == "Extension"
                && let Some(url) = tag.attribute("url")
            {
                object.insert("url".to_owned(), json!(url));
            }
            children(reader, of, &mut object)?;
            Ok((Value::Object(object), Value::Null))
        }
    }
}

fn identified(tag: &Tag<'_>) -> Map<String, Value> {
    let id = tag.attribute("id");
    id.map(|id| ("id".to_owned(), json!(id)))
        .into_iter()
        .collect()
}

/// What is no number where one should be stays a string, and is found wrong later.
fn primitive(of: &str, text: String) -> Value {
    let parsed = match of {
        "boolean" | "integer" | "unsignedInt" | "positiveInt" | "decimal" => {
            serde_json::from_str::<Value>(text.trim()).ok()
        }
        _ => None,
    };
    let parsed = parsed.filter(|it| it.is_boolean() || it.is_number());
    parsed.unwrap_or(Value::String(text))
}

fn put(
    reader: &Reader<'_>,
    object: &mut Map<String, Value>,
    element: Element,
    (name, value, besides): (&str, Value, Value),
) -> Result<(), XmlError> {
    let beside = format!("_{name}");
    if !element.many {
        if object.contains_key(name) || object.contains_key(&beside) {
            return Err(reader.error("an element that can be there only once"));
        }
        if !besides.is_null() {
            object.insert(beside, besides);
        }
        if !value.is_null() {
            object.insert(name.to_owned(), value);
        }
        return Ok(());
    }
    let list = object.entry(name).or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else {
        return Ok(());
    };
    let before = list.len();
    list.push(value);
    if besides.is_null() && !object.contains_key(&beside) {
        return Ok(());
    }
    let all = object.entry(beside).or_insert_with(|| json!([]));
    if let Some(all) = all.as_array_mut() {
        all.resize(before, Value::Null);
        all.push(besides);
    }
    Ok(())
}
