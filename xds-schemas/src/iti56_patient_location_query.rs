//! ITI-56 Patient Location Query: which communities have something of a patient.
//!
//! Asked by Initiating Gateways, answered by Responding Gateways that are health data locators: they know
//! where else a patient is known. The XCPD Health Data Locator and Revoke supplement.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-56.html>

use crate::hl7v3::InstanceId;
use crate::metadata::HomeCommunityId;
use crate::transaction::Transaction;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// Locations of an answer that are read.
pub const MOST_LOCATIONS: usize = 1000;

/// ITI-56.
#[derive(Debug, Clone, Copy)]
pub struct PatientLocationQuery;

impl Transaction for PatientLocationQuery {
    const ACTION: &'static str = "urn:ihe:iti:2009:PatientLocationQuery";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2009:PatientLocationQueryResponse";
    const MTOM: bool = false;
    type Request = PatientLocationQueryRequest;
    type Response = PatientLocationQueryResponse;
}

/// An `xcpd:PatientLocationQueryRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PatientLocationQueryRequest {
    /// The patient, as the community that is asked knows them.
    pub patient: InstanceId,
}

/// An `xcpd:PatientLocationQueryResponse`: where the patient is known; nowhere if it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PatientLocationQueryResponse {
    /// One for each community.
    pub locations: Vec<PatientLocation>,
}

/// A community that knows the patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientLocation {
    /// The community.
    pub home: HomeCommunityId,
    /// The patient, as that community knows them.
    pub corresponding: InstanceId,
    /// The patient, as was asked.
    pub requested: InstanceId,
}

impl FromXml for PatientLocationQueryRequest {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        const NAME: &str = "PatientLocationQueryRequest";
        if !element.is(ns::XCPD, NAME) {
            return Err(reader.unexpected(element, "xcpd:PatientLocationQueryRequest"));
        }
        let mut patients = Vec::new();
        while let Some(child) = reader.child()? {
            match child.is(ns::XCPD, "RequestedPatientId") && patients.len() < 2 {
                true => patients.push(InstanceId::read(reader, &child)?),
                false => reader.skip()?,
            }
        }
        match patients.pop() {
            Some(patient) if patients.is_empty() => Ok(Self { patient }),
            _ => Err(reader.error("there is not exactly one xcpd:RequestedPatientId")),
        }
    }
}

impl ToXml for PatientLocationQueryRequest {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("xcpd:PatientLocationQueryRequest")
            .attribute("xmlns:xcpd", ns::XCPD);
        self.patient.write(writer, "xcpd:RequestedPatientId");
        writer.close("xcpd:PatientLocationQueryRequest");
    }
}

impl FromXml for PatientLocationQueryResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::XCPD, "PatientLocationQueryResponse") {
            return Err(reader.unexpected(element, "xcpd:PatientLocationQueryResponse"));
        }
        let mut locations = Vec::new();
        while let Some(child) = reader.child()? {
            if !child.is(ns::XCPD, "PatientLocationResponse") {
                reader.skip()?;
                continue;
            }
            if locations.len() == MOST_LOCATIONS {
                return Err(reader.error("there are more than 1000 locations"));
            }
            locations.push(location(reader)?);
        }
        Ok(Self { locations })
    }
}

fn location(reader: &mut Reader<'_>) -> Result<PatientLocation, XmlError> {
    let (mut home, mut corresponding, mut requested) = (None, None, None);
    while let Some(child) = reader.child()? {
        match child.name() {
            "HomeCommunityId" => home = Some(HomeCommunityId(reader.token()?)),
            "CorrespondingPatientId" => corresponding = Some(InstanceId::read(reader, &child)?),
            "RequestedPatientId" => requested = Some(InstanceId::read(reader, &child)?),
            _ => reader.skip()?,
        }
    }
    let (Some(home), Some(corresponding)) = (home, corresponding) else {
        let problem = "a location has no HomeCommunityId or no CorrespondingPatientId";
        return Err(reader.error(problem));
    };
    Ok(PatientLocation {
        home,
        corresponding,
        requested: requested.unwrap_or_default(),
    })
}

impl ToXml for PatientLocationQueryResponse {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("xcpd:PatientLocationQueryResponse")
            .attribute("xmlns:xcpd", ns::XCPD);
        for location in &self.locations {
            writer
                .open("xcpd:PatientLocationResponse")
                .element("xcpd:HomeCommunityId", location.home.as_str());
            let corresponding = &location.corresponding;
            corresponding.write(writer, "xcpd:CorrespondingPatientId");
            location.requested.write(writer, "xcpd:RequestedPatientId");
            writer.close("xcpd:PatientLocationResponse");
        }
        writer.close("xcpd:PatientLocationQueryResponse");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(extension: &str) -> InstanceId {
        InstanceId {
            root: "1.2.3".to_owned(),
            extension: Some(extension.to_owned()),
        }
    }

    fn read<T: FromXml>(xml: &str) -> Result<T, XmlError> {
        let mut reader = Reader::new(xml.as_bytes())?;
        let root = reader.root()?;
        T::from_xml(&mut reader, &root)
    }

    fn written(message: &impl ToXml) -> String {
        let mut writer = Writer::default();
        message.to_xml(&mut writer);
        writer.finish()
    }

    #[test]
    fn what_was_written_is_read() {
        let request = PatientLocationQueryRequest { patient: id("P&1") };
        assert_eq!(read(&written(&request)), Ok(request));
        let location = |home: &str| PatientLocation {
            home: home.into(),
            corresponding: id("there"),
            requested: id("P&1"),
        };
        for locations in [
            vec![],
            vec![location("urn:oid:1.2"), location("urn:oid:1.3")],
        ] {
            let response = PatientLocationQueryResponse { locations };
            assert_eq!(read(&written(&response)), Ok(response));
        }
    }

    #[test]
    fn garbled_messages_are_refused() {
        let request = written(&PatientLocationQueryRequest { patient: id("P") });
        for bad in [
            request.replace("RequestedPatientId", "OtherId"),
            request.replace("urn:ihe:iti:xcpd:2009", "urn:x"),
            request.replace("/>", "/><xcpd:RequestedPatientId root=\"1.2\"/>"),
        ] {
            assert!(read::<PatientLocationQueryRequest>(&bad).is_err(), "{bad}");
        }
        let homeless = "<PatientLocationQueryResponse xmlns='urn:ihe:iti:xcpd:2009'>\
             <PatientLocationResponse/></PatientLocationQueryResponse>";
        assert!(read::<PatientLocationQueryResponse>(homeless).is_err());
    }
}
