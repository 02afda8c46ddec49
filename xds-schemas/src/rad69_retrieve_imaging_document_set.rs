//! RAD-69 Retrieve Imaging Document Set: get the instances that a manifest lists.
//!
//! Asked by Imaging Document Consumers and by gateways; answered by the Imaging Document Source. A
//! request names each instance within its series and study, and the transfer syntaxes the consumer
//! can read. The answer is that of ITI-43, action included, with one Part 10 file for each instance.
//! <https://www.ihe.net/resources/technical_frameworks/#radiology> (RAD TF-2: 4.69)

use crate::iti43_retrieve_document_set::{
    DocumentRequest, RetrieveDocumentSet, RetrieveDocumentSetResponse,
};
use crate::transaction::Transaction;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// RAD-69 Retrieve Imaging Document Set.
#[derive(Debug, Clone, Copy)]
pub struct RetrieveImagingDocumentSet;

impl Transaction for RetrieveImagingDocumentSet {
    const ACTION: &'static str = "urn:ihe:rad:2009:RetrieveImagingDocumentSet";
    const RESPONSE_ACTION: &'static str = RetrieveDocumentSet::RESPONSE_ACTION;
    const MTOM: bool = true;
    const ASYNCHRONOUS: bool = true;
    type Request = RetrieveImagingDocumentSetRequest;
    type Response = RetrieveDocumentSetResponse;
}

/// An `iherad:RetrieveImagingDocumentSetRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetrieveImagingDocumentSetRequest {
    /// The studies, at least one.
    pub studies: Vec<StudyRequest>,
    /// `TransferSyntaxUIDList`: what the consumer can read. The schema wants at least one; a list
    /// that is absent or empty is read as empty, since an imaging source answers that with an
    /// error of its own and no fault.
    pub transfer_syntax_uids: Vec<String>,
}

/// A `StudyRequest`: instances of one study.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StudyRequest {
    /// `studyInstanceUID`.
    pub study_instance_uid: String,
    /// Its series, at least one.
    pub series: Vec<SeriesRequest>,
}

/// A `SeriesRequest`: instances of one series.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeriesRequest {
    /// `seriesInstanceUID`.
    pub series_instance_uid: String,
    /// Its instances, at least one; `DocumentUniqueId` is the SOP Instance UID.
    pub documents: Vec<DocumentRequest>,
}

impl RetrieveImagingDocumentSetRequest {
    /// Every instance that is asked for: Study Instance UID, Series Instance UID, instance.
    pub fn instances(&self) -> impl Iterator<Item = (&str, &str, &DocumentRequest)> {
        self.studies.iter().flat_map(|study| {
            study.series.iter().flat_map(|series| {
                let of_series = (
                    study.study_instance_uid.as_str(),
                    series.series_instance_uid.as_str(),
                );
                let instance = move |document| (of_series.0, of_series.1, document);
                series.documents.iter().map(instance)
            })
        })
    }
}

impl FromXml for RetrieveImagingDocumentSetRequest {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::XDSI, "RetrieveImagingDocumentSetRequest") {
            return Err(reader.unexpected(element, "iherad:RetrieveImagingDocumentSetRequest"));
        }
        let mut request = Self::default();
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::XDSI, "StudyRequest") => {
                    request.studies.push(study_request(reader, &child)?);
                }
                (ns::XDSI, "TransferSyntaxUIDList") => {
                    request.transfer_syntax_uids.extend(uid_list(reader)?);
                }
                _ => {
                    let expected = "iherad:StudyRequest or iherad:TransferSyntaxUIDList";
                    return Err(reader.unexpected(&child, expected));
                }
            }
        }
        if request.studies.is_empty() {
            return Err(reader.error("iherad:RetrieveImagingDocumentSetRequest asks for no study"));
        }
        Ok(request)
    }
}

fn study_request(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<StudyRequest, XmlError> {
    let mut study = StudyRequest {
        study_instance_uid: reader.required(element, "studyInstanceUID")?,
        series: Vec::new(),
    };
    while let Some(child) = reader.child()? {
        if !child.is(ns::XDSI, "SeriesRequest") {
            return Err(reader.unexpected(&child, "iherad:SeriesRequest"));
        }
        study.series.push(series_request(reader, &child)?);
    }
    if study.series.is_empty() {
        return Err(reader.error("an iherad:StudyRequest asks for no series"));
    }
    Ok(study)
}

fn series_request(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
) -> Result<SeriesRequest, XmlError> {
    let mut series = SeriesRequest {
        series_instance_uid: reader.required(element, "seriesInstanceUID")?,
        documents: Vec::new(),
    };
    while let Some(child) = reader.child()? {
        if !child.is(ns::XDS, "DocumentRequest") {
            return Err(reader.unexpected(&child, "xds:DocumentRequest"));
        }
        series
            .documents
            .push(DocumentRequest::from_xml(reader, &child)?);
    }
    if series.documents.is_empty() {
        return Err(reader.error("an iherad:SeriesRequest asks for no instance"));
    }
    Ok(series)
}

/// UIDs that are there but empty say nothing.
fn uid_list(reader: &mut Reader<'_>) -> Result<Vec<String>, XmlError> {
    let mut uids = Vec::new();
    while let Some(child) = reader.child()? {
        if !child.is(ns::XDSI, "TransferSyntaxUID") {
            return Err(reader.unexpected(&child, "iherad:TransferSyntaxUID"));
        }
        let uid = reader.token()?;
        if !uid.is_empty() {
            uids.push(uid);
        }
    }
    Ok(uids)
}

impl ToXml for RetrieveImagingDocumentSetRequest {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("iherad:RetrieveImagingDocumentSetRequest")
            .attribute("xmlns:iherad", ns::XDSI)
            .attribute("xmlns:xds", ns::XDS);
        for study in &self.studies {
            writer
                .open("iherad:StudyRequest")
                .attribute("studyInstanceUID", &study.study_instance_uid);
            for series in &study.series {
                writer
                    .open("iherad:SeriesRequest")
                    .attribute("seriesInstanceUID", &series.series_instance_uid);
                for document in &series.documents {
                    document.to_xml(writer);
                }
                writer.close("iherad:SeriesRequest");
            }
            writer.close("iherad:StudyRequest");
        }
        writer.open("iherad:TransferSyntaxUIDList");
        for uid in &self.transfer_syntax_uids {
            writer.element("iherad:TransferSyntaxUID", uid);
        }
        writer
            .close("iherad:TransferSyntaxUIDList")
            .close("iherad:RetrieveImagingDocumentSetRequest");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::{self, Header};

    fn parsed(xml: &str) -> Result<RetrieveImagingDocumentSetRequest, XmlError> {
        let mut reader = Reader::new(xml.as_bytes())?;
        let root = reader.root()?;
        let request = FromXml::from_xml(&mut reader, &root)?;
        reader.end()?;
        Ok(request)
    }

    fn instance(uid: &str) -> DocumentRequest {
        DocumentRequest {
            home_community_id: None,
            repository_unique_id: "1.2.3".into(),
            document_unique_id: uid.into(),
        }
    }

    fn request() -> RetrieveImagingDocumentSetRequest {
        let series = |uid: &str, documents| SeriesRequest {
            series_instance_uid: uid.to_owned(),
            documents,
        };
        let study = |uid: &str, series| StudyRequest {
            study_instance_uid: uid.to_owned(),
            series,
        };
        let mut abroad = instance("1.1.2.1");
        abroad.home_community_id = Some("urn:oid:1.2".into());
        RetrieveImagingDocumentSetRequest {
            studies: vec![
                study(
                    "1.1",
                    vec![
                        series("1.1.1", vec![instance("1.1.1.1"), instance("1.1.1.2")]),
                        series("1.1.2", vec![abroad]),
                    ],
                ),
                study("1.2", vec![series("1.2.1", vec![instance("1.2.1.1")])]),
            ],
            transfer_syntax_uids: vec!["1.2.840.10008.1.2.1".to_owned()],
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let request = request();
        let to = "http://images.example";
        let header = Header::request(
            RetrieveImagingDocumentSet::ACTION,
            "urn:uuid:1".to_owned(),
            to,
        );
        let message = soap::write(&header, &request);
        let read = soap::read_body(message.as_bytes());
        assert_eq!(read, Ok(request));
        let read = soap::read_header(message.as_bytes()).unwrap();
        assert_eq!(read.action, RetrieveImagingDocumentSet::ACTION);
    }

    #[test]
    fn instances_know_their_series_and_study() {
        let request = request();
        let all: Vec<_> = request
            .instances()
            .map(|(study, series, it)| (study, series, it.document_unique_id.as_str()))
            .collect();
        let expected = [
            ("1.1", "1.1.1", "1.1.1.1"),
            ("1.1", "1.1.1", "1.1.1.2"),
            ("1.1", "1.1.2", "1.1.2.1"),
            ("1.2", "1.2.1", "1.2.1.1"),
        ];
        assert_eq!(all, expected);
    }

    fn message(studies: &str) -> String {
        format!(
            "<RetrieveImagingDocumentSetRequest xmlns='urn:ihe:rad:xdsi-b:2009' \
             xmlns:b='urn:ihe:iti:xds-b:2007'>{studies}</RetrieveImagingDocumentSetRequest>"
        )
    }

    const INSTANCE: &str = "<b:DocumentRequest><b:RepositoryUniqueId>1.2.3</b:RepositoryUniqueId>\
         <b:DocumentUniqueId>4</b:DocumentUniqueId></b:DocumentRequest>";

    #[test]
    fn requests_as_others_write_them() {
        let study = format!(
            "<StudyRequest studyInstanceUID=''>\n<SeriesRequest seriesInstanceUID='2'>{INSTANCE}\
             </SeriesRequest></StudyRequest>"
        );
        for (syntaxes, expected) in [
            ("", &[][..]),
            ("<TransferSyntaxUIDList/>", &[]),
            (
                "<TransferSyntaxUIDList><TransferSyntaxUID/><TransferSyntaxUID>\n 1.2 \
                 </TransferSyntaxUID></TransferSyntaxUIDList>",
                &["1.2"],
            ),
        ] {
            let request = parsed(&message(&format!("{study}{syntaxes}"))).unwrap();
            assert_eq!(request.transfer_syntax_uids, expected);
            assert_eq!(request.studies[0].study_instance_uid, "");
            assert_eq!(request.studies[0].series[0].documents, [instance("4")]);
        }
    }

    #[test]
    fn garbled_requests_are_refused() {
        for (studies, reason) in [
            ("", "asks for no study"),
            ("<StudyRequest studyInstanceUID='1'/>", "asks for no series"),
            (
                "<StudyRequest studyInstanceUID='1'><SeriesRequest seriesInstanceUID='2'/>\
                 </StudyRequest>",
                "asks for no instance",
            ),
            ("<StudyRequest/>", "no attribute studyInstanceUID"),
            (
                "<StudyRequest studyInstanceUID='1'><SeriesRequest/></StudyRequest>",
                "no attribute seriesInstanceUID",
            ),
            (INSTANCE, "expected iherad:StudyRequest"),
            (
                "<StudyRequest studyInstanceUID='1'><Other/></StudyRequest>",
                "expected iherad:SeriesRequest",
            ),
            (
                "<TransferSyntaxUIDList><Other/></TransferSyntaxUIDList>",
                "expected iherad:TransferSyntaxUID",
            ),
        ] {
            let error = parsed(&message(studies)).unwrap_err();
            assert!(error.reason.contains(reason), "{error}");
        }
        let other = parsed("<Other xmlns='urn:ihe:rad:xdsi-b:2009'/>").unwrap_err();
        assert!(other.reason.contains("RetrieveImagingDocumentSetRequest"));
    }
}
