//! The gist of an audit message, for lists that people read.

use serde::Serialize;
use xds_schemas::xml::{Reader, XmlError};

/// The gist of an audit message.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// `EventDateTime`.
    pub time: String,
    /// The text of `EventID`: Query, Export, Import, …
    pub event: String,
    /// The code of `EventTypeCode`: ITI-18, …
    pub transaction: Option<String>,
    /// `EventActionCode`.
    pub action: String,
    /// `EventOutcomeIndicator`.
    pub outcome: String,
    /// `EventOutcomeDescription`.
    pub outcome_description: Option<String>,
    /// The participants: their names, or else IDs, or else addresses.
    pub participants: Vec<String>,
    /// The patient.
    pub patient: Option<String>,
    /// The IDs of everything else that was concerned.
    pub objects: Vec<String>,
}

impl Summary {
    /// Reads an `AuditMessage`, ours or another's.
    pub fn read(xml: &[u8]) -> Result<Self, XmlError> {
        let mut summary = Self::default();
        let mut reader = Reader::new(xml)?;
        reader.root_named("", "AuditMessage")?;
        while let Some(element) = reader.child()? {
            let attribute = |name| element.attribute(name).filter(|value| !value.is_empty());
            match element.name() {
                "EventIdentification" => {
                    summary.time = attribute("EventDateTime").unwrap_or_default();
                    summary.action = attribute("EventActionCode").unwrap_or_default();
                    summary.outcome = attribute("EventOutcomeIndicator").unwrap_or_default();
                    summary.read_event(&mut reader)?;
                }
                "ActiveParticipant" => {
                    let address = || attribute("NetworkAccessPointID");
                    let id = attribute("UserID").filter(|id| !id.ends_with("/anonymous"));
                    let name = attribute("UserName").or(id).or_else(address);
                    summary.participants.extend(name);
                    reader.skip()?;
                }
                "ParticipantObjectIdentification" => {
                    let id = attribute("ParticipantObjectID");
                    match attribute("ParticipantObjectTypeCodeRole").as_deref() {
                        Some("1") => summary.patient = id,
                        _ => summary.objects.extend(id),
                    }
                    reader.skip()?;
                }
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        Ok(summary)
    }

    fn read_event(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        while let Some(element) = reader.child()? {
            match element.name() {
                "EventID" => self.event = element.attribute("originalText").unwrap_or_default(),
                "EventTypeCode" => self.transaction = element.attribute("csd-code"),
                "EventOutcomeDescription" => {
                    self.outcome_description = Some(reader.text()?.into_owned());
                    continue;
                }
                _ => {}
            }
            reader.skip()?;
        }
        Ok(())
    }
}
