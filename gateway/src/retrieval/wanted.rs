//! What is asked for, and how it is divided among those who have it.

use std::collections::BTreeMap;

use hilum_transport::{Answer, Client, ClientError};
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti39_cross_gateway_retrieve::CrossGatewayRetrieve;
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, RetrieveDocumentSet, RetrieveDocumentSetRequest, RetrieveDocumentSetResponse,
};
use xds_schemas::rad69_retrieve_imaging_document_set::{
    RetrieveImagingDocumentSet, RetrieveImagingDocumentSetRequest, SeriesRequest, StudyRequest,
};
use xds_schemas::rad75_cross_gateway_retrieve_imaging_document_set::CrossGatewayRetrieveImagingDocumentSet;

use super::destination::Destination;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// Documents (ITI-43, ITI-39).
    Documents(Vec<DocumentRequest>),
    /// Images (RAD-69, RAD-75).
    Images(RetrieveImagingDocumentSetRequest),
}

/// One document or image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Item {
    /// Of an image: its Study and Series Instance UID.
    pub(super) series: Option<(String, String)>,
    pub(super) document: DocumentRequest,
}

impl Wanted {
    pub(super) const fn is_images(&self) -> bool {
        matches!(self, Self::Images(_))
    }

    pub(super) fn items(&self) -> Vec<Item> {
        match self {
            Self::Documents(documents) => {
                let item = |document: &DocumentRequest| Item {
                    series: None,
                    document: document.clone(),
                };
                documents.iter().map(item).collect()
            }
            Self::Images(request) => {
                let item = |(study, series, document): (&str, &str, &DocumentRequest)| Item {
                    series: Some((study.to_owned(), series.to_owned())),
                    document: document.clone(),
                };
                request.instances().map(item).collect()
            }
        }
    }

    /// A request for each destination, and what has none.
    pub(super) fn divided(
        self,
        place: impl Fn(&Item) -> Result<Destination, RegistryError>,
    ) -> (BTreeMap<Destination, Self>, Vec<(Item, RegistryError)>) {
        let mut divided = BTreeMap::new();
        let mut nowhere = Vec::new();
        for item in self.items() {
            match place(&item) {
                Ok(destination) => {
                    let part = divided.entry(destination);
                    part.or_insert_with(|| self.nothing()).add(item);
                }
                Err(error) => nowhere.push((item, error)),
            }
        }
        (divided, nowhere)
    }

    /// The same in requests for at most so many.
    pub(super) fn split(self, most: usize) -> Vec<Self> {
        let items = self.items();
        if items.len() <= most {
            return vec![self];
        }
        let part = |items: &[Item]| {
            let mut part = self.nothing();
            items.iter().cloned().for_each(|item| part.add(item));
            part
        };
        items.chunks(most.max(1)).map(part).collect()
    }

    /// What asking for it is called.
    pub(super) const fn transaction(&self, across: bool) -> &'static str {
        match (self, across) {
            (Self::Documents(_), true) => "ITI-39",
            (Self::Documents(_), false) => "ITI-43",
            (Self::Images(_), true) => "RAD-75",
            (Self::Images(_), false) => "RAD-69",
        }
    }

    /// A request of the same kind that asks for nothing yet.
    fn nothing(&self) -> Self {
        match self {
            Self::Documents(_) => Self::Documents(Vec::new()),
            Self::Images(request) => Self::Images(RetrieveImagingDocumentSetRequest {
                studies: Vec::new(),
                transfer_syntax_uids: request.transfer_syntax_uids.clone(),
            }),
        }
    }

    fn add(&mut self, item: Item) {
        match self {
            Self::Documents(documents) => documents.push(item.document),
            Self::Images(request) => {
                let (study, series) = item.series.unwrap_or_default();
                let studies = &mut request.studies;
                if studies
                    .last()
                    .is_none_or(|it| it.study_instance_uid != study)
                {
                    studies.push(StudyRequest {
                        study_instance_uid: study,
                        series: Vec::new(),
                    });
                }
                let all = studies.last_mut().map(|study| &mut study.series);
                let Some(all) = all else { return };
                if all.last().is_none_or(|it| it.series_instance_uid != series) {
                    all.push(SeriesRequest {
                        series_instance_uid: series,
                        documents: Vec::new(),
                    });
                }
                let series = all.last_mut();
                series
                    .into_iter()
                    .for_each(|it| it.documents.push(item.document.clone()));
            }
        }
    }

    /// Asks at `url`, which is in another community or not.
    pub(super) async fn send(
        &self,
        client: &Client,
        url: &str,
        across: bool,
    ) -> Result<Answer<RetrieveDocumentSetResponse>, ClientError> {
        let none = Vec::new();
        match (self, across) {
            (Self::Documents(documents), across) => {
                let documents = documents.clone();
                let request = RetrieveDocumentSetRequest { documents };
                if across {
                    return client
                        .send::<CrossGatewayRetrieve>(url, &request, none)
                        .await;
                }
                client
                    .send::<RetrieveDocumentSet>(url, &request, none)
                    .await
            }
            (Self::Images(request), true) => {
                let asked =
                    client.send::<CrossGatewayRetrieveImagingDocumentSet>(url, request, none);
                asked.await
            }
            (Self::Images(request), false) => {
                client
                    .send::<RetrieveImagingDocumentSet>(url, request, none)
                    .await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(home: &str, uid: &str) -> DocumentRequest {
        DocumentRequest {
            home_community_id: Some(home.into()),
            repository_unique_id: "1.2".into(),
            document_unique_id: uid.into(),
        }
    }

    #[test]
    fn images_of_several_places_keep_their_series_and_studies() {
        let series = |uid: &str, documents| SeriesRequest {
            series_instance_uid: uid.to_owned(),
            documents,
        };
        let study = |uid: &str, series| StudyRequest {
            study_instance_uid: uid.to_owned(),
            series,
        };
        let request = RetrieveImagingDocumentSetRequest {
            studies: vec![
                study(
                    "1",
                    vec![
                        series("1.1", vec![image("a", "1"), image("b", "2")]),
                        series("1.2", vec![image("a", "3")]),
                    ],
                ),
                study(
                    "2",
                    vec![series("2.1", vec![image("b", "4"), image("c", "5")])],
                ),
            ],
            transfer_syntax_uids: vec!["1.2.840.10008.1.2.1".to_owned()],
        };
        let place = |item: &Item| match item.document.home_community_id.as_ref() {
            Some(home) if home.as_str() != "c" => Ok(Destination::Own {
                url: home.0.clone(),
            }),
            _ => Err(RegistryError::error(
                xds_schemas::codes::error_code::ErrorCode::UnknownCommunity,
                "c",
            )),
        };
        let (divided, nowhere) = Wanted::Images(request).divided(place);
        let of = |url: &str| {
            let destination = Destination::Own {
                url: url.to_owned(),
            };
            let Wanted::Images(request) = &divided[&destination] else {
                panic!("they are images");
            };
            assert_eq!(request.transfer_syntax_uids.len(), 1);
            request.studies.clone()
        };
        let expected_a = [study(
            "1",
            vec![
                series("1.1", vec![image("a", "1")]),
                series("1.2", vec![image("a", "3")]),
            ],
        )];
        let expected_b = [
            study("1", vec![series("1.1", vec![image("b", "2")])]),
            study("2", vec![series("2.1", vec![image("b", "4")])]),
        ];
        assert_eq!(of("a"), expected_a);
        assert_eq!(of("b"), expected_b);
        assert_eq!(nowhere.len(), 1);
    }
}
