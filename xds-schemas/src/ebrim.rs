//! The ebXML registry information model 3.0, as far as document sharing uses it
//! (ITI TF-3 4.2.1, OASIS regrep-rim-3.0).
//!
//! This is the form in which metadata travels and in which the registry keeps it. It loses
//! nothing a sender may put there: unknown slots, classifications and external identifiers stay.
//! What they mean is read from it in [`crate::metadata`].

use crate::mtom::Content;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// `@objectType` of a Classification in an answer.
pub const CLASSIFICATION: &str =
    "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Classification";
/// `@objectType` of an ExternalIdentifier in an answer.
pub const EXTERNAL_IDENTIFIER: &str =
    "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:ExternalIdentifier";
/// `@objectType` of an Association in an answer.
pub const ASSOCIATION: &str =
    "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:Association";
/// `@objectType` of a RegistryPackage in an answer.
pub const REGISTRY_PACKAGE: &str =
    "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:RegistryPackage";

/// A named list of values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slot {
    /// `@name`.
    pub name: String,
    /// `@slotType`.
    pub slot_type: Option<String>,
    /// The values, in the order in which they stood.
    pub values: Vec<String>,
}

impl Slot {
    /// A slot with one value.
    pub fn single(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            slot_type: None,
            values: vec![value.into()],
        }
    }
}

/// One text of an [`InternationalString`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalizedString {
    /// `@xml:lang`.
    pub lang: Option<String>,
    /// `@charset`.
    pub charset: Option<String>,
    /// `@value`.
    pub value: String,
}

/// A text in any number of languages: `rim:Name`, `rim:Description`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InternationalString {
    /// The texts.
    pub texts: Vec<LocalizedString>,
}

impl InternationalString {
    /// One text without a language.
    pub fn of(value: impl Into<String>) -> Self {
        Self {
            texts: vec![LocalizedString {
                value: value.into(),
                ..LocalizedString::default()
            }],
        }
    }

    /// The first text, if there is one.
    pub fn first(&self) -> Option<&str> {
        self.texts.first().map(|text| text.value.as_str())
    }
}

/// A `rim:Classification`: a code, an author, or a flag on the object it classifies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Classification {
    /// `@id`.
    pub id: String,
    /// `@lid`.
    pub lid: Option<String>,
    /// `@home`.
    pub home: Option<String>,
    /// `@objectType`.
    pub object_type: Option<String>,
    /// `@status`.
    pub status: Option<String>,
    /// `@classificationScheme`: what kind of code this is.
    pub scheme: Option<String>,
    /// `@classificationNode`: a flag like "is a submission set".
    pub node: Option<String>,
    /// `@classifiedObject`: the id of the object.
    pub classified_object: String,
    /// `@nodeRepresentation`: the code itself.
    pub node_representation: Option<String>,
    /// Slots, among them `codingScheme`.
    pub slots: Vec<Slot>,
    /// The display name.
    pub name: Option<InternationalString>,
    /// A description.
    pub description: Option<InternationalString>,
    /// `rim:VersionInfo/@versionName`.
    pub version: Option<String>,
}

/// A `rim:ExternalIdentifier`: a patient id, a unique id, a source id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExternalIdentifier {
    /// `@id`.
    pub id: String,
    /// `@lid`.
    pub lid: Option<String>,
    /// `@home`.
    pub home: Option<String>,
    /// `@objectType`.
    pub object_type: Option<String>,
    /// `@status`.
    pub status: Option<String>,
    /// `@identificationScheme`: what kind of identifier this is.
    pub scheme: String,
    /// `@registryObject`: the id of the object.
    pub registry_object: String,
    /// `@value`.
    pub value: String,
    /// Slots.
    pub slots: Vec<Slot>,
    /// The scheme's name, like `XDSDocumentEntry.patientId`.
    pub name: Option<InternationalString>,
    /// A description.
    pub description: Option<InternationalString>,
    /// `rim:VersionInfo/@versionName`.
    pub version: Option<String>,
}

/// What distinguishes the kinds of registry objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A document entry.
    ExtrinsicObject {
        /// `@mimeType`.
        mime_type: Option<String>,
        /// `@isOpaque`.
        is_opaque: Option<String>,
    },
    /// A submission set or a folder.
    RegistryPackage,
    /// A link between two objects.
    Association {
        /// `@associationType`.
        association_type: String,
        /// `@sourceObject`.
        source: String,
        /// `@targetObject`.
        target: String,
    },
    /// The name of an object that is not spelled out.
    ObjectRef,
}

impl Body {
    /// The element's local name.
    pub fn element_name(&self) -> &'static str {
        match self {
            Self::ExtrinsicObject { .. } => "ExtrinsicObject",
            Self::RegistryPackage => "RegistryPackage",
            Self::Association { .. } => "Association",
            Self::ObjectRef => "ObjectRef",
        }
    }

    fn tag(&self) -> &'static str {
        match self {
            Self::ExtrinsicObject { .. } => "rim:ExtrinsicObject",
            Self::RegistryPackage => "rim:RegistryPackage",
            Self::Association { .. } => "rim:Association",
            Self::ObjectRef => "rim:ObjectRef",
        }
    }
}

/// An object of the registry: what all kinds share, and its [`Body`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryObject {
    /// `@id`: the entryUUID, or a symbolic name inside one submission. Empty if the sender left it out.
    pub id: String,
    /// `@lid`: the logicalID, the same for all versions.
    pub lid: Option<String>,
    /// `@home`: homeCommunityId.
    pub home: Option<String>,
    /// `@objectType`.
    pub object_type: Option<String>,
    /// `@status`: availabilityStatus.
    pub status: Option<String>,
    /// `rim:VersionInfo/@versionName`.
    pub version: Option<String>,
    /// Slots.
    pub slots: Vec<Slot>,
    /// `rim:Name`: the title.
    pub name: Option<InternationalString>,
    /// `rim:Description`: the comments.
    pub description: Option<InternationalString>,
    /// Classifications nested in the object.
    pub classifications: Vec<Classification>,
    /// External identifiers nested in the object.
    pub external_identifiers: Vec<ExternalIdentifier>,
    /// What kind of object this is.
    pub body: Body,
}

impl RegistryObject {
    /// An object with nothing but its id and kind.
    pub fn new(id: impl Into<String>, body: Body) -> Self {
        Self {
            id: id.into(),
            lid: None,
            home: None,
            object_type: None,
            status: None,
            version: None,
            slots: Vec::new(),
            name: None,
            description: None,
            classifications: Vec::new(),
            external_identifiers: Vec::new(),
            body,
        }
    }

    /// The slot with this name.
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == name)
    }

    /// The value of the external identifier of this scheme.
    pub fn external_identifier(&self, scheme: &str) -> Option<&str> {
        self.external_identifiers
            .iter()
            .find(|identifier| identifier.scheme == scheme)
            .map(|identifier| identifier.value.as_str())
    }

    /// Whether the object is flagged by this classification node.
    pub fn is_classified_as(&self, node: &str) -> bool {
        self.classifications
            .iter()
            .any(|c| c.node.as_deref() == Some(node))
    }
}

/// A `rim:RegistryObjectList`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryObjectList {
    /// The objects, in document order.
    pub objects: Vec<RegistryObject>,
    /// Classifications that stand beside the object they classify instead of in it.
    pub loose_classifications: Vec<Classification>,
}

impl FromXml for Slot {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        let mut slot = Self {
            name: reader.required(element, "name")?,
            slot_type: element.attribute("slotType"),
            values: Vec::new(),
        };
        while let Some(child) = reader.child()? {
            if !child.is(ns::RIM, "ValueList") {
                return Err(reader.unexpected(&child, "rim:ValueList"));
            }
            while let Some(value) = reader.child()? {
                if !value.is(ns::RIM, "Value") {
                    return Err(reader.unexpected(&value, "rim:Value"));
                }
                slot.values.push(reader.text()?.into_owned());
            }
        }
        Ok(slot)
    }
}

impl ToXml for Slot {
    fn to_xml(&self, writer: &mut Writer) {
        writer.open("rim:Slot").attribute("name", &self.name);
        writer.optional("slotType", self.slot_type.as_deref());
        writer.open("rim:ValueList");
        for value in &self.values {
            writer.element("rim:Value", value);
        }
        writer.close("rim:ValueList").close("rim:Slot");
    }
}

impl FromXml for InternationalString {
    fn from_xml(reader: &mut Reader<'_>, _element: &Element<'_>) -> Result<Self, XmlError> {
        let mut texts = Vec::new();
        while let Some(child) = reader.child()? {
            if !child.is(ns::RIM, "LocalizedString") {
                return Err(reader.unexpected(&child, "rim:LocalizedString"));
            }
            texts.push(LocalizedString {
                lang: reader.attribute_in(&child, ns::XML, "lang"),
                charset: child.attribute("charset"),
                value: reader.required(&child, "value")?,
            });
            reader.skip()?;
        }
        Ok(Self { texts })
    }
}

impl InternationalString {
    fn write(&self, tag: &str, writer: &mut Writer) {
        writer.open(tag);
        for text in &self.texts {
            writer.open("rim:LocalizedString");
            writer.optional("xml:lang", text.lang.as_deref());
            writer.optional("charset", text.charset.as_deref());
            writer
                .attribute("value", &text.value)
                .close("rim:LocalizedString");
        }
        writer.close(tag);
    }
}

/// The children that every registry object may have, in the order the schema wants them.
#[derive(Default)]
struct Children {
    slots: Vec<Slot>,
    name: Option<InternationalString>,
    description: Option<InternationalString>,
    version: Option<String>,
    classifications: Vec<Classification>,
    external_identifiers: Vec<ExternalIdentifier>,
    /// The document itself, which only answers of ITI-63 have.
    document: Option<Content>,
}

impl Children {
    fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        Self::read_with(reader, false)
    }

    /// The same, with the document if it is wanted.
    fn read_with(reader: &mut Reader<'_>, document: bool) -> Result<Self, XmlError> {
        let mut children = Self::default();
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::RIM, "Slot") => children.slots.push(Slot::from_xml(reader, &child)?),
                (ns::RIM, "Name") => {
                    children.name = Some(InternationalString::from_xml(reader, &child)?);
                }
                (ns::RIM, "Description") => {
                    children.description = Some(InternationalString::from_xml(reader, &child)?);
                }
                (ns::RIM, "VersionInfo") => {
                    children.version = child.attribute("versionName");
                    reader.skip()?;
                }
                (ns::RIM, "Classification") => {
                    children
                        .classifications
                        .push(Classification::from_xml(reader, &child)?);
                }
                (ns::RIM, "ExternalIdentifier") => {
                    children
                        .external_identifiers
                        .push(ExternalIdentifier::from_xml(reader, &child)?);
                }
                (ns::XDS, "Document") if document && children.document.is_none() => {
                    children.document = Some(Content::read(reader)?);
                }
                // The schema allows a content version and, in ITI-63 answers, a document.
                (ns::RIM, "ContentVersionInfo") | (ns::XDS, "Document") => reader.skip()?,
                _ => return Err(reader.unexpected(&child, "a part of a registry object")),
            }
        }
        Ok(children)
    }
}

fn write_children(
    writer: &mut Writer,
    slots: &[Slot],
    name: Option<&InternationalString>,
    description: Option<&InternationalString>,
    version: Option<&str>,
) {
    for slot in slots {
        slot.to_xml(writer);
    }
    if let Some(name) = name {
        name.write("rim:Name", writer);
    }
    if let Some(description) = description {
        description.write("rim:Description", writer);
    }
    if let Some(version) = version {
        writer
            .open("rim:VersionInfo")
            .attribute("versionName", version)
            .close("rim:VersionInfo");
    }
}

impl FromXml for Classification {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        let children = Children::read(reader)?;
        Ok(Self {
            id: element.attribute("id").unwrap_or_default(),
            lid: element.attribute("lid"),
            home: element.attribute("home"),
            object_type: element.attribute("objectType"),
            status: element.attribute("status"),
            scheme: element.attribute("classificationScheme"),
            node: element.attribute("classificationNode"),
            classified_object: element.attribute("classifiedObject").unwrap_or_default(),
            node_representation: element.attribute("nodeRepresentation"),
            slots: children.slots,
            name: children.name,
            description: children.description,
            version: children.version,
        })
    }
}

impl ToXml for Classification {
    fn to_xml(&self, writer: &mut Writer) {
        writer.open("rim:Classification");
        writer.optional("classificationScheme", self.scheme.as_deref());
        writer.optional("classificationNode", self.node.as_deref());
        writer.attribute("classifiedObject", &self.classified_object);
        writer.optional("nodeRepresentation", self.node_representation.as_deref());
        writer.attribute("id", &self.id);
        writer.optional("lid", self.lid.as_deref());
        writer.optional("home", self.home.as_deref());
        writer.optional("objectType", self.object_type.as_deref());
        writer.optional("status", self.status.as_deref());
        write_children(
            writer,
            &self.slots,
            self.name.as_ref(),
            self.description.as_ref(),
            self.version.as_deref(),
        );
        writer.close("rim:Classification");
    }
}

impl FromXml for ExternalIdentifier {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        let scheme = reader.required(element, "identificationScheme")?;
        let value = reader.required(element, "value")?;
        let children = Children::read(reader)?;
        Ok(Self {
            id: element.attribute("id").unwrap_or_default(),
            lid: element.attribute("lid"),
            home: element.attribute("home"),
            object_type: element.attribute("objectType"),
            status: element.attribute("status"),
            scheme,
            registry_object: element.attribute("registryObject").unwrap_or_default(),
            value,
            slots: children.slots,
            name: children.name,
            description: children.description,
            version: children.version,
        })
    }
}

impl ToXml for ExternalIdentifier {
    fn to_xml(&self, writer: &mut Writer) {
        writer.open("rim:ExternalIdentifier");
        writer.attribute("identificationScheme", &self.scheme);
        writer.attribute("value", &self.value);
        writer.attribute("id", &self.id);
        writer.attribute("registryObject", &self.registry_object);
        writer.optional("lid", self.lid.as_deref());
        writer.optional("home", self.home.as_deref());
        writer.optional("objectType", self.object_type.as_deref());
        writer.optional("status", self.status.as_deref());
        write_children(
            writer,
            &self.slots,
            self.name.as_ref(),
            self.description.as_ref(),
            self.version.as_deref(),
        );
        writer.close("rim:ExternalIdentifier");
    }
}

impl FromXml for RegistryObject {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        Self::read(reader, element, false).map(|(object, _)| object)
    }
}

impl RegistryObject {
    /// Reads an object and the document that may be its last child (ITI-63).
    pub(crate) fn read_with_document(
        reader: &mut Reader<'_>,
        element: &Element<'_>,
    ) -> Result<(Self, Option<Content>), XmlError> {
        Self::read(reader, element, true)
    }

    fn read(
        reader: &mut Reader<'_>,
        element: &Element<'_>,
        document: bool,
    ) -> Result<(Self, Option<Content>), XmlError> {
        let body = match (element.namespace.as_ref(), element.name()) {
            (ns::RIM, "ExtrinsicObject") => Body::ExtrinsicObject {
                mime_type: element.attribute("mimeType"),
                is_opaque: element.attribute("isOpaque"),
            },
            (ns::RIM, "RegistryPackage") => Body::RegistryPackage,
            (ns::RIM, "Association") => Body::Association {
                association_type: reader.required(element, "associationType")?,
                source: reader.required(element, "sourceObject")?,
                target: reader.required(element, "targetObject")?,
            },
            (ns::RIM, "ObjectRef") => Body::ObjectRef,
            _ => return Err(reader.unexpected(element, "a registry object")),
        };
        let children = Children::read_with(reader, document)?;
        let object = Self {
            id: element.attribute("id").unwrap_or_default(),
            lid: element.attribute("lid"),
            home: element.attribute("home"),
            object_type: element.attribute("objectType"),
            status: element.attribute("status"),
            version: children.version,
            slots: children.slots,
            name: children.name,
            description: children.description,
            classifications: children.classifications,
            external_identifiers: children.external_identifiers,
            body,
        };
        Ok((object, children.document))
    }

    /// Writes an object with its document as the last child (ITI-63).
    pub(crate) fn write_with_document(&self, writer: &mut Writer, document: Option<&Content>) {
        let tag = self.body.tag();
        writer.open(tag).attribute("id", &self.id);
        writer.optional("lid", self.lid.as_deref());
        writer.optional("home", self.home.as_deref());
        writer.optional("objectType", self.object_type.as_deref());
        writer.optional("status", self.status.as_deref());
        match &self.body {
            Body::ExtrinsicObject {
                mime_type,
                is_opaque,
            } => {
                writer.optional("mimeType", mime_type.as_deref());
                writer.optional("isOpaque", is_opaque.as_deref());
            }
            Body::Association {
                association_type,
                source,
                target,
            } => {
                writer
                    .attribute("associationType", association_type)
                    .attribute("sourceObject", source)
                    .attribute("targetObject", target);
            }
            Body::RegistryPackage | Body::ObjectRef => {}
        }
        write_children(
            writer,
            &self.slots,
            self.name.as_ref(),
            self.description.as_ref(),
            self.version.as_deref(),
        );
        for classification in &self.classifications {
            classification.to_xml(writer);
        }
        for identifier in &self.external_identifiers {
            identifier.to_xml(writer);
        }
        if let Some(content) = document {
            writer.open("xds:Document").attribute("xmlns:xds", ns::XDS);
            content.write(writer);
            writer.close("xds:Document");
        }
        writer.close(tag);
    }
}

impl ToXml for RegistryObject {
    fn to_xml(&self, writer: &mut Writer) {
        self.write_with_document(writer, None);
    }
}

impl FromXml for RegistryObjectList {
    fn from_xml(reader: &mut Reader<'_>, _element: &Element<'_>) -> Result<Self, XmlError> {
        let mut list = Self::default();
        while let Some(child) = reader.child()? {
            if child.is(ns::RIM, "Classification") {
                list.loose_classifications
                    .push(Classification::from_xml(reader, &child)?);
            } else {
                list.objects.push(RegistryObject::from_xml(reader, &child)?);
            }
        }
        Ok(list)
    }
}

impl ToXml for RegistryObjectList {
    fn to_xml(&self, writer: &mut Writer) {
        writer.open("rim:RegistryObjectList");
        for object in &self.objects {
            object.to_xml(writer);
        }
        for classification in &self.loose_classifications {
            classification.to_xml(writer);
        }
        writer.close("rim:RegistryObjectList");
    }
}
