//! DICOM audit messages (PS3.15 A.5) as they come from anywhere.
//!
//! Everything is optional here: the schema has changed over the years, and a record that lacks
//! something says the rest all the same. Both spellings of codes are understood (`csd-code` of DICOM,
//! `code` of RFC 3881), elements in any namespace, and several audit sources.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part15.html#sect_A.5>

use thiserror::Error;

use crate::xml::{Element, Reader, XmlError};

/// Participants, objects, codes or details of one message that are read. A study has some thousand
/// instances at most, and nobody names more.
const MOST: usize = 20_000;

/// Why something is no audit message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotRead {
    /// It is XML of another kind.
    #[error("the root element is no AuditMessage")]
    Other,
    /// It looks like one and cannot be read.
    #[error(transparent)]
    Xml(#[from] XmlError),
}

/// `AuditMessage`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditMessage {
    /// `EventIdentification`.
    pub event: EventIdentification,
    /// `ActiveParticipant`.
    pub participants: Vec<ActiveParticipant>,
    /// `AuditSourceIdentification`: one in DICOM, one or more in RFC 3881.
    pub sources: Vec<AuditSource>,
    /// `ParticipantObjectIdentification`.
    pub objects: Vec<ParticipantObject>,
}

/// A coded value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodedValue {
    /// `csd-code` or `code`.
    pub code: String,
    /// `codeSystemName`.
    pub system_name: Option<String>,
    /// `codeSystem`, an OID (RFC 3881).
    pub system_id: Option<String>,
    /// `displayName`, or else `originalText`.
    pub display: Option<String>,
}

/// `EventIdentification`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventIdentification {
    /// `EventID`.
    pub id: Option<CodedValue>,
    /// `EventActionCode`: C, R, U, D, E.
    pub action: Option<String>,
    /// `EventDateTime`.
    pub date_time: Option<String>,
    /// `EventOutcomeIndicator`: 0, 4, 8, 12.
    pub outcome: Option<String>,
    /// `EventOutcomeDescription`.
    pub outcome_description: Option<String>,
    /// `EventTypeCode`.
    pub types: Vec<CodedValue>,
    /// `PurposeOfUse`.
    pub purposes: Vec<CodedValue>,
}

/// `ActiveParticipant`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveParticipant {
    /// `UserID`.
    pub user_id: Option<String>,
    /// `AlternativeUserID`.
    pub alternative_user_id: Option<String>,
    /// `UserName`.
    pub user_name: Option<String>,
    /// `UserIsRequestor`.
    pub requestor: Option<bool>,
    /// `RoleIDCode`.
    pub roles: Vec<CodedValue>,
    /// `MediaIdentifier/MediaType`.
    pub medium: Option<CodedValue>,
    /// `NetworkAccessPointID`.
    pub network_id: Option<String>,
    /// `NetworkAccessPointTypeCode`: 1 machine name, 2 IP address, 3 telephone, 4 e-mail, 5 URI.
    pub network_type: Option<String>,
}

/// `AuditSourceIdentification`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditSource {
    /// `AuditSourceID`.
    pub id: Option<String>,
    /// `AuditEnterpriseSiteID`.
    pub enterprise_site: Option<String>,
    /// `AuditSourceTypeCode`.
    pub types: Vec<CodedValue>,
}

/// `ParticipantObjectIdentification`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParticipantObject {
    /// `ParticipantObjectID`.
    pub id: Option<String>,
    /// `ParticipantObjectTypeCode`: 1 person, 2 system object, 3 organization, 4 other.
    pub kind: Option<String>,
    /// `ParticipantObjectTypeCodeRole`.
    pub role: Option<String>,
    /// `ParticipantObjectDataLifeCycle`.
    pub life_cycle: Option<String>,
    /// `ParticipantObjectSensitivity`.
    pub sensitivity: Option<String>,
    /// `ParticipantObjectIDTypeCode`.
    pub id_type: Option<CodedValue>,
    /// `ParticipantObjectName`.
    pub name: Option<String>,
    /// `ParticipantObjectQuery`, base64 as it was written.
    pub query: Option<String>,
    /// `ParticipantObjectDetail`: type, and value in base64 as it was written.
    pub details: Vec<(String, String)>,
    /// Study Instance UIDs of `ParticipantObjectContainsStudy`.
    pub studies: Vec<String>,
    /// `SOPClass`: UID, and how many instances.
    pub sop_classes: Vec<(String, Option<String>)>,
    /// Numbers of `Accession`.
    pub accessions: Vec<String>,
    /// UIDs of `MPPS`.
    pub mpps: Vec<String>,
    /// UIDs of `Instance`.
    pub instances: Vec<String>,
}

impl AuditMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// If this is XML of another kind, or none.
    pub fn read(xml: &[u8]) -> Result<Self, NotRead> {
        let mut reader = Reader::new(xml)?;
        let root = reader.root()?;
        if root.name() != "AuditMessage" {
            return Err(NotRead::Other);
        }
        let mut message = Self::default();
        while let Some(element) = reader.child()? {
            match element.name() {
                "EventIdentification" => message.event = event(&mut reader, &element)?,
                "ActiveParticipant" => {
                    let participant = participant(&mut reader, &element)?;
                    push(&reader, &mut message.participants, participant)?;
                }
                "AuditSourceIdentification" => {
                    let source = source(&mut reader, &element)?;
                    push(&reader, &mut message.sources, source)?;
                }
                "ParticipantObjectIdentification" => {
                    let object = object(&mut reader, &element)?;
                    push(&reader, &mut message.objects, object)?;
                }
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        Ok(message)
    }
}

/// An attribute with something in it.
fn said(element: &Element<'_>, name: &str) -> Option<String> {
    let value = element.attribute(name)?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

fn push<T>(reader: &Reader<'_>, all: &mut Vec<T>, one: T) -> Result<(), XmlError> {
    if all.len() >= MOST {
        return Err(reader.error(format!("there are more than {MOST} of these")));
    }
    all.push(one);
    Ok(())
}

/// A code. Early schemas wrote some of them as text.
fn coded(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Option<CodedValue>, XmlError> {
    let code = said(element, "csd-code").or_else(|| said(element, "code"));
    let written = match code {
        Some(code) => {
            reader.skip()?;
            Some(code)
        }
        None => text(reader)?,
    };
    Ok(written.map(|code| CodedValue {
        code,
        system_name: said(element, "codeSystemName"),
        system_id: said(element, "codeSystem"),
        display: said(element, "displayName").or_else(|| said(element, "originalText")),
    }))
}

fn text(reader: &mut Reader<'_>) -> Result<Option<String>, XmlError> {
    let text = reader.token()?;
    Ok((!text.is_empty()).then_some(text))
}

fn event(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<EventIdentification, XmlError> {
    let mut event = EventIdentification {
        action: said(element, "EventActionCode"),
        date_time: said(element, "EventDateTime"),
        outcome: said(element, "EventOutcomeIndicator"),
        ..EventIdentification::default()
    };
    while let Some(child) = reader.child()? {
        match child.name() {
            "EventID" => event.id = coded(reader, &child)?,
            "EventTypeCode" => {
                if let Some(code) = coded(reader, &child)? {
                    push(reader, &mut event.types, code)?;
                }
            }
            "PurposeOfUse" => {
                if let Some(code) = coded(reader, &child)? {
                    push(reader, &mut event.purposes, code)?;
                }
            }
            "EventOutcomeDescription" => event.outcome_description = text(reader)?,
            _ => reader.skip()?,
        }
    }
    Ok(event)
}

fn participant(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
) -> Result<ActiveParticipant, XmlError> {
    let requestor = said(element, "UserIsRequestor");
    let mut participant = ActiveParticipant {
        user_id: said(element, "UserID"),
        alternative_user_id: said(element, "AlternativeUserID"),
        user_name: said(element, "UserName"),
        requestor: requestor.and_then(|it| match it.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }),
        network_id: said(element, "NetworkAccessPointID"),
        network_type: said(element, "NetworkAccessPointTypeCode"),
        ..ActiveParticipant::default()
    };
    while let Some(child) = reader.child()? {
        match child.name() {
            "RoleIDCode" => {
                if let Some(code) = coded(reader, &child)? {
                    push(reader, &mut participant.roles, code)?;
                }
            }
            "MediaIdentifier" => {
                while let Some(medium) = reader.child()? {
                    match medium.name() {
                        "MediaType" => participant.medium = coded(reader, &medium)?,
                        _ => reader.skip()?,
                    }
                }
            }
            _ => reader.skip()?,
        }
    }
    Ok(participant)
}

fn source(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<AuditSource, XmlError> {
    let mut source = AuditSource {
        id: said(element, "AuditSourceID"),
        enterprise_site: said(element, "AuditEnterpriseSiteID"),
        // As an attribute in some editions of the schema.
        types: said(element, "code")
            .map(|code| CodedValue {
                code,
                system_name: said(element, "codeSystemName"),
                display: said(element, "originalText"),
                ..CodedValue::default()
            })
            .into_iter()
            .collect(),
    };
    while let Some(child) = reader.child()? {
        match child.name() {
            "AuditSourceTypeCode" => {
                if let Some(code) = coded(reader, &child)? {
                    push(reader, &mut source.types, code)?;
                }
            }
            _ => reader.skip()?,
        }
    }
    Ok(source)
}

fn object(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<ParticipantObject, XmlError> {
    let mut object = ParticipantObject {
        id: said(element, "ParticipantObjectID"),
        kind: said(element, "ParticipantObjectTypeCode"),
        role: said(element, "ParticipantObjectTypeCodeRole"),
        life_cycle: said(element, "ParticipantObjectDataLifeCycle"),
        sensitivity: said(element, "ParticipantObjectSensitivity"),
        ..ParticipantObject::default()
    };
    while let Some(child) = reader.child()? {
        match child.name() {
            "ParticipantObjectIDTypeCode" => object.id_type = coded(reader, &child)?,
            "ParticipantObjectName" => object.name = text(reader)?,
            "ParticipantObjectQuery" => object.query = text(reader)?,
            "ParticipantObjectDetail" => {
                let kind = said(&child, "type").unwrap_or_default();
                let value = said(&child, "value").unwrap_or_default();
                push(reader, &mut object.details, (kind, value))?;
                reader.skip()?;
            }
            "ParticipantObjectDescription" => described(reader, &mut object)?,
            // Outside of a description in the schema of Supplement 95.
            _ => description(reader, &child, &mut object)?,
        }
    }
    Ok(object)
}

/// Text in early schemas, elements since.
fn described(reader: &mut Reader<'_>, object: &mut ParticipantObject) -> Result<(), XmlError> {
    use crate::xml::TextOrChild;

    let mut child = match reader.text_or_child()? {
        TextOrChild::Text(_) => return Ok(()),
        TextOrChild::Child(child) => Some(child),
    };
    while let Some(element) = child {
        description(reader, &element, object)?;
        child = reader.child()?;
    }
    Ok(())
}

fn description(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
    object: &mut ParticipantObject,
) -> Result<(), XmlError> {
    let uid = said(element, "UID");
    match element.name() {
        "MPPS" => object.mpps.extend(uid),
        "Accession" => object.accessions.extend(said(element, "Number")),
        "Instance" => object.instances.extend(uid),
        "SOPClass" => {
            let instances = said(element, "NumberOfInstances");
            if let Some(uid) = uid {
                push(reader, &mut object.sop_classes, (uid, instances))?;
            }
            while let Some(child) = reader.child()? {
                description(reader, &child, object)?;
            }
            return Ok(());
        }
        "ParticipantObjectContainsStudy" => {
            object.studies.extend(uid);
            while let Some(child) = reader.child()? {
                if child.name() == "StudyIDs" {
                    object.studies.extend(said(&child, "UID"));
                }
                reader.skip()?;
            }
            return Ok(());
        }
        _ => {}
    }
    reader.skip()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DICOM: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<AuditMessage>
  <EventIdentification EventActionCode="E" EventDateTime="2026-11-27T09:30:15.250Z" EventOutcomeIndicator="0">
    <EventID csd-code="110112" codeSystemName="DCM" originalText="Query"/>
    <EventTypeCode csd-code="ITI-18" codeSystemName="IHE Transactions" originalText="Registry Stored Query"/>
    <EventOutcomeDescription>all &amp; well</EventOutcomeDescription>
    <PurposeOfUse csd-code="TREATMENT" codeSystemName="1.0.14265.1" originalText="Treatment"/>
  </EventIdentification>
  <ActiveParticipant UserID="a" AlternativeUserID="12" UserName="n" UserIsRequestor="true" NetworkAccessPointID="10.0.0.1" NetworkAccessPointTypeCode="2">
    <RoleIDCode csd-code="110153" codeSystemName="DCM" originalText="Source Role ID"/>
    <MediaIdentifier><MediaType csd-code="110031" codeSystemName="DCM" originalText="CD"/></MediaIdentifier>
  </ActiveParticipant>
  <AuditSourceIdentification AuditEnterpriseSiteID="s" AuditSourceID="x">
    <AuditSourceTypeCode csd-code="4" codeSystemName="DCM" originalText="Application Server"/>
  </AuditSourceIdentification>
  <ParticipantObjectIdentification ParticipantObjectID="1.2" ParticipantObjectTypeCode="2" ParticipantObjectTypeCodeRole="3">
    <ParticipantObjectIDTypeCode csd-code="110180" codeSystemName="DCM" originalText="Study Instance UID"/>
    <ParticipantObjectQuery>QQ==</ParticipantObjectQuery>
    <ParticipantObjectDetail type="t" value="dg=="/>
    <ParticipantObjectDescription>
      <MPPS UID="1"/><Accession Number="A"/>
      <SOPClass UID="1.2.3" NumberOfInstances="4"><Instance UID="9"/></SOPClass>
      <ParticipantObjectContainsStudy><StudyIDs UID="1.5"/></ParticipantObjectContainsStudy>
    </ParticipantObjectDescription>
  </ParticipantObjectIdentification>
</AuditMessage>"#;

    #[test]
    fn as_dicom_writes_it() {
        let read = AuditMessage::read(DICOM.as_bytes()).unwrap();
        let event = &read.event;
        assert_eq!(event.id.as_ref().unwrap().code, "110112");
        assert_eq!(event.types[0].code, "ITI-18");
        assert_eq!(event.outcome_description.as_deref(), Some("all & well"));
        assert_eq!(
            event.purposes[0].system_name.as_deref(),
            Some("1.0.14265.1")
        );
        let participant = &read.participants[0];
        assert_eq!(participant.requestor, Some(true));
        assert_eq!(participant.roles[0].code, "110153");
        assert_eq!(participant.medium.as_ref().unwrap().code, "110031");
        assert_eq!(read.sources[0].types[0].code, "4");
        let object = &read.objects[0];
        assert_eq!(object.query.as_deref(), Some("QQ=="));
        assert_eq!(object.details, [("t".to_owned(), "dg==".to_owned())]);
        assert_eq!(
            object.sop_classes,
            [("1.2.3".to_owned(), Some("4".to_owned()))]
        );
        assert_eq!(
            (&*object.instances, &*object.studies),
            (&["9".to_owned()][..], &["1.5".to_owned()][..])
        );
        assert_eq!(
            (&*object.mpps, &*object.accessions),
            (&["1".to_owned()][..], &["A".to_owned()][..])
        );
    }

    #[test]
    fn other_editions_say_the_same() {
        let expected = AuditMessage::read(DICOM.as_bytes()).unwrap();
        let prefixed = DICOM.replace("</", "\u{1}").replace("<?", "\u{2}");
        let prefixed = prefixed.replace('<', "<a:").replace('\u{1}', "</a:");
        let prefixed = prefixed.replace('\u{2}', "<?");
        let prefixed = prefixed.replace("<a:AuditMessage", "<a:AuditMessage xmlns:a='urn:x'");
        let variants = [
            DICOM.replace("csd-code", "code"),
            DICOM.replace("<AuditMessage>", "<AuditMessage xmlns='urn:x'>"),
            prefixed,
            DICOM.replace("originalText", "displayName"),
            format!("\u{feff}{DICOM}"),
        ];
        for variant in variants {
            assert_eq!(
                AuditMessage::read(variant.as_bytes()).unwrap(),
                expected,
                "{variant}"
            );
        }
        let old = r#"<AuditMessage><EventIdentification EventActionCode="R" EventDateTime="2005-01-01T00:00:00" EventOutcomeIndicator="0"><EventID code="110110"/></EventIdentification><ActiveParticipant UserID="a" UserIsRequestor="1"/><AuditSourceIdentification AuditSourceID="x"><AuditSourceTypeCode>4</AuditSourceTypeCode></AuditSourceIdentification><AuditSourceIdentification AuditSourceID="y" code="1"/><ParticipantObjectIdentification ParticipantObjectID="p"><ParticipantObjectIDTypeCode code="2"/><ParticipantObjectDescription>text</ParticipantObjectDescription><SOPClass NumberOfInstances="1"/></ParticipantObjectIdentification></AuditMessage>"#;
        let read = AuditMessage::read(old.as_bytes()).unwrap();
        assert_eq!(read.sources.len(), 2);
        assert_eq!(read.sources[0].types[0].code, "4");
        assert_eq!(read.sources[1].types[0].code, "1");
        assert_eq!(read.objects[0].id_type.as_ref().unwrap().system_name, None);
    }

    #[test]
    fn what_is_something_else_is_told_from_what_is_broken() {
        assert_eq!(AuditMessage::read(b"<html/>"), Err(NotRead::Other));
        let cut = &DICOM.as_bytes()[..900];
        assert!(matches!(AuditMessage::read(cut), Err(NotRead::Xml(_))));
        assert!(matches!(AuditMessage::read(b"text"), Err(NotRead::Xml(_))));
        let bomb = "<!DOCTYPE a [<!ENTITY b 'c'>]><AuditMessage>&b;</AuditMessage>";
        assert!(matches!(
            AuditMessage::read(bomb.as_bytes()),
            Err(NotRead::Xml(_))
        ));
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(at in 0..DICOM.len(), byte: u8, cut in 0..DICOM.len()) {
            let mut bytes = DICOM.as_bytes().to_vec();
            bytes[at] = byte;
            // Whether it can be read does not matter; that it ends does.
            let _ = AuditMessage::read(&bytes);
            let _ = AuditMessage::read(&bytes[..cut]);
        }
    }
}
