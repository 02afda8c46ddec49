//! The ebXML registry services 3.0 messages that document sharing carries (ITI TF-3 4.2.4,
//! OASIS regrep-rs-3.0): submissions, queries, and the answers to both.
//!
//! Each message declares the prefixes that are used inside of it; the pieces of
//! [`ebrim`](crate::ebrim) declare none.

use crate::codes::error_code::ErrorCode;
use crate::codes::status::{ResponseStatus, Severity};
use crate::ebrim::{RegistryObject, RegistryObjectList, Slot};
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// A `lcm:SubmitObjectsRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubmitObjectsRequest {
    /// Slots of the request itself (`rs:RequestSlotList`).
    pub slots: Vec<Slot>,
    /// What is submitted.
    pub objects: RegistryObjectList,
}

/// One reason why something was not done, or a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError {
    /// `@errorCode`.
    pub code: ErrorCode,
    /// `@codeContext`: the same for people, with the object concerned, without patient data
    /// beyond what the framework asks for.
    pub context: String,
    /// `@severity`.
    pub severity: Severity,
    /// `@location`: where it happened, or which object is meant.
    pub location: Option<String>,
}

impl RegistryError {
    /// An error.
    pub fn error(code: ErrorCode, context: impl Into<String>) -> Self {
        Self {
            code,
            context: context.into(),
            severity: Severity::Error,
            location: None,
        }
    }

    /// A warning: the request was carried out all the same.
    pub fn warning(code: ErrorCode, context: impl Into<String>) -> Self {
        Self {
            code,
            context: context.into(),
            severity: Severity::Warning,
            location: None,
        }
    }

    /// The same with `@location`.
    #[must_use]
    pub fn at(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }
}

/// An `rs:RegistryResponse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryResponse {
    /// `@status`.
    pub status: ResponseStatus,
    /// Errors and warnings.
    pub errors: Vec<RegistryError>,
}

impl RegistryResponse {
    /// Success, perhaps with warnings.
    pub fn success(warnings: Vec<RegistryError>) -> Self {
        Self {
            status: ResponseStatus::Success,
            errors: warnings,
        }
    }

    /// Nothing was done, for these reasons.
    pub fn failure(errors: Vec<RegistryError>) -> Self {
        Self {
            status: ResponseStatus::Failure,
            errors,
        }
    }
}

/// Whether a query wants whole objects or their names (`query:ResponseOption/@returnType`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ReturnType {
    /// Whole objects with everything in them.
    LeafClass,
    /// Names only.
    ObjectRef,
    /// The multi-patient kind of ITI-51 and others: kept to be refused by name. The schema's
    /// default is `RegistryObject`.
    Other(String),
    /// The sender left it out.
    #[default]
    Unsaid,
}

/// A `query:AdhocQueryRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AdhocQueryRequest {
    /// What to return.
    pub return_type: ReturnType,
    /// `rim:AdhocQuery/@id`: which stored query.
    pub id: String,
    /// `rim:AdhocQuery/@home`: homeCommunityId.
    pub home: Option<String>,
    /// The query's parameters, repeated slots kept apart.
    pub slots: Vec<Slot>,
}

/// A `query:AdhocQueryResponse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdhocQueryResponse {
    /// `@status`.
    pub status: ResponseStatus,
    /// Errors and warnings.
    pub errors: Vec<RegistryError>,
    /// What was found.
    pub objects: Vec<RegistryObject>,
}

impl FromXml for SubmitObjectsRequest {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::LCM, "SubmitObjectsRequest") {
            return Err(reader.unexpected(element, "lcm:SubmitObjectsRequest"));
        }
        let mut slots = Vec::new();
        let mut objects = None;
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::RS, "RequestSlotList") => slots.extend(read_slots(reader)?),
                (ns::RIM, "RegistryObjectList") if objects.is_none() => {
                    objects = Some(RegistryObjectList::from_xml(reader, &child)?);
                }
                _ => return Err(reader.unexpected(&child, "one rim:RegistryObjectList")),
            }
        }
        let objects = objects.ok_or_else(|| {
            reader.error("lcm:SubmitObjectsRequest has no rim:RegistryObjectList")
        })?;
        Ok(Self { slots, objects })
    }
}

impl ToXml for SubmitObjectsRequest {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("lcm:SubmitObjectsRequest")
            .attribute("xmlns:lcm", ns::LCM)
            .attribute("xmlns:rs", ns::RS)
            .attribute("xmlns:rim", ns::RIM);
        if !self.slots.is_empty() {
            writer.open("rs:RequestSlotList");
            for slot in &self.slots {
                slot.to_xml(writer);
            }
            writer.close("rs:RequestSlotList");
        }
        self.objects.to_xml(writer);
        writer.close("lcm:SubmitObjectsRequest");
    }
}

/// Reads the `rim:Slot` children of the element whose start was just read.
pub(crate) fn read_slots(reader: &mut Reader<'_>) -> Result<Vec<Slot>, XmlError> {
    let mut slots = Vec::new();
    while let Some(child) = reader.child()? {
        if !child.is(ns::RIM, "Slot") {
            return Err(reader.unexpected(&child, "rim:Slot"));
        }
        slots.push(Slot::from_xml(reader, &child)?);
    }
    Ok(slots)
}

/// Reads an `rs:RegistryErrorList`, whose start was just read.
pub fn read_errors(reader: &mut Reader<'_>) -> Result<Vec<RegistryError>, XmlError> {
    let mut errors = Vec::new();
    while let Some(child) = reader.child()? {
        if !child.is(ns::RS, "RegistryError") {
            return Err(reader.unexpected(&child, "rs:RegistryError"));
        }
        let code = child.attribute("errorCode").unwrap_or_default();
        let severity = child.attribute("severity");
        errors.push(RegistryError {
            code: ErrorCode::parse(&code),
            context: child.attribute("codeContext").unwrap_or_default(),
            severity: severity
                .as_deref()
                .and_then(Severity::parse)
                .unwrap_or(Severity::Error),
            location: child
                .attribute("location")
                .filter(|location| !location.is_empty()),
        });
        reader.skip()?;
    }
    Ok(errors)
}

/// Writes an `rs:RegistryErrorList`, or nothing if there is nothing to say.
pub fn write_errors(errors: &[RegistryError], writer: &mut Writer) {
    let Some(highest) = errors.iter().map(|error| error.severity).max() else {
        return;
    };
    writer
        .open("rs:RegistryErrorList")
        .attribute("highestSeverity", highest.as_str());
    for error in errors {
        writer
            .open("rs:RegistryError")
            .attribute("errorCode", error.code.as_str())
            .attribute("codeContext", &error.context)
            .attribute("severity", error.severity.as_str());
        writer.optional("location", error.location.as_deref());
        writer.close("rs:RegistryError");
    }
    writer.close("rs:RegistryErrorList");
}

/// Reads `@status` of a response.
pub fn read_status(reader: &Reader<'_>, element: &Element<'_>) -> Result<ResponseStatus, XmlError> {
    let urn = reader.required(element, "status")?;
    ResponseStatus::parse(&urn)
        .ok_or_else(|| reader.error("the status of the response is none that the framework knows"))
}

impl FromXml for RegistryResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::RS, "RegistryResponse") {
            return Err(reader.unexpected(element, "rs:RegistryResponse"));
        }
        let status = read_status(reader, element)?;
        let mut errors = Vec::new();
        while let Some(child) = reader.child()? {
            if child.is(ns::RS, "RegistryErrorList") {
                errors.extend(read_errors(reader)?);
            } else {
                reader.skip()?;
            }
        }
        Ok(Self { status, errors })
    }
}

impl ToXml for RegistryResponse {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("rs:RegistryResponse")
            .attribute("xmlns:rs", ns::RS)
            .attribute("status", self.status.as_str());
        write_errors(&self.errors, writer);
        writer.close("rs:RegistryResponse");
    }
}

impl FromXml for AdhocQueryRequest {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::QUERY, "AdhocQueryRequest") {
            return Err(reader.unexpected(element, "query:AdhocQueryRequest"));
        }
        let mut request = Self::default();
        let mut queries = 0;
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::RS, "RequestSlotList") => reader.skip()?,
                (ns::QUERY, "ResponseOption") => {
                    request.return_type = match child.attribute("returnType").as_deref() {
                        Some("LeafClass") => ReturnType::LeafClass,
                        Some("ObjectRef") => ReturnType::ObjectRef,
                        Some(other) => ReturnType::Other(other.to_owned()),
                        None => ReturnType::Unsaid,
                    };
                    reader.skip()?;
                }
                (ns::RIM, "AdhocQuery") => {
                    queries += 1;
                    request.id = reader.required(&child, "id")?;
                    request.home = child.attribute("home").filter(|home| !home.is_empty());
                    request.slots = read_slots(reader)?;
                }
                _ => {
                    return Err(reader.unexpected(&child, "query:ResponseOption or rim:AdhocQuery"));
                }
            }
        }
        match queries {
            1 => Ok(request),
            _ => Err(reader.error("query:AdhocQueryRequest must have one rim:AdhocQuery")),
        }
    }
}

impl ToXml for AdhocQueryRequest {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("query:AdhocQueryRequest")
            .attribute("xmlns:query", ns::QUERY)
            .attribute("xmlns:rim", ns::RIM);
        writer
            .open("query:ResponseOption")
            .attribute("returnComposedObjects", "true");
        match &self.return_type {
            ReturnType::LeafClass => _ = writer.attribute("returnType", "LeafClass"),
            ReturnType::ObjectRef => _ = writer.attribute("returnType", "ObjectRef"),
            ReturnType::Other(other) => _ = writer.attribute("returnType", other),
            ReturnType::Unsaid => {}
        }
        writer.close("query:ResponseOption");
        writer.open("rim:AdhocQuery").attribute("id", &self.id);
        writer.optional("home", self.home.as_deref());
        for slot in &self.slots {
            slot.to_xml(writer);
        }
        writer
            .close("rim:AdhocQuery")
            .close("query:AdhocQueryRequest");
    }
}

impl FromXml for AdhocQueryResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::QUERY, "AdhocQueryResponse") {
            return Err(reader.unexpected(element, "query:AdhocQueryResponse"));
        }
        let mut response = Self {
            status: read_status(reader, element)?,
            errors: Vec::new(),
            objects: Vec::new(),
        };
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::RS, "RegistryErrorList") => response.errors.extend(read_errors(reader)?),
                (ns::RIM, "RegistryObjectList") => {
                    response
                        .objects
                        .extend(RegistryObjectList::from_xml(reader, &child)?.objects);
                }
                _ => reader.skip()?,
            }
        }
        Ok(response)
    }
}

impl ToXml for AdhocQueryResponse {
    fn to_xml(&self, writer: &mut Writer) {
        write_query_response(self.status, &self.errors, writer, |writer| {
            for object in &self.objects {
                object.to_xml(writer);
            }
        });
    }
}

/// Writes a `query:AdhocQueryResponse` whose objects are written by `objects`, which may hold
/// them as XML already.
pub fn write_query_response(
    status: ResponseStatus,
    errors: &[RegistryError],
    writer: &mut Writer,
    objects: impl FnOnce(&mut Writer),
) {
    writer
        .open("query:AdhocQueryResponse")
        .attribute("xmlns:query", ns::QUERY)
        .attribute("xmlns:rs", ns::RS)
        .attribute("xmlns:rim", ns::RIM)
        .attribute("status", status.as_str());
    write_errors(errors, writer);
    writer.open("rim:RegistryObjectList");
    objects(writer);
    writer
        .close("rim:RegistryObjectList")
        .close("query:AdhocQueryResponse");
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ebrim::Body;

    /// Asserts that a message is read as it was written.
    pub(crate) fn read_again<T: FromXml + ToXml + PartialEq + std::fmt::Debug>(message: &T) {
        let mut writer = Writer::default();
        message.to_xml(&mut writer);
        let xml = writer.finish();
        let mut reader = Reader::new(xml.as_bytes()).unwrap();
        let root = reader.root().unwrap();
        assert_eq!(&T::from_xml(&mut reader, &root).unwrap(), message, "{xml}");
        reader.end().unwrap();
    }

    #[test]
    fn each_message_stands_for_itself() {
        let object = RegistryObject::new("urn:uuid:1", Body::ObjectRef);
        let errors = vec![
            RegistryError::error(ErrorCode::RegistryError, "why").at("here"),
            RegistryError::warning(ErrorCode::Other("X".to_owned()), ""),
        ];
        read_again(&SubmitObjectsRequest {
            slots: vec![Slot::single("s", "v")],
            objects: RegistryObjectList {
                objects: vec![object.clone()],
                ..RegistryObjectList::default()
            },
        });
        read_again(&RegistryResponse::failure(errors.clone()));
        read_again(&RegistryResponse::success(Vec::new()));
        read_again(&AdhocQueryRequest {
            return_type: ReturnType::LeafClass,
            id: "urn:uuid:2".to_owned(),
            home: Some("urn:oid:1.2".to_owned()),
            slots: vec![Slot::single("$a", "('b')")],
        });
        read_again(&AdhocQueryResponse {
            status: ResponseStatus::PartialSuccess,
            errors,
            objects: vec![object],
        });
    }
}
