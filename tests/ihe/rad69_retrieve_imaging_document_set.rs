//! RAD-69: images come as they were imported, and what is not there is told one by one.

use hilum_tests::Town;
use hilum_tests::words;
use xds_schemas::codes::status::ResponseStatus;

use crate::codes;

const EXPLICIT: &str = "1.2.840.10008.1.2.1";

#[tokio::test]
async fn what_is_not_there_is_told() {
    let town = Town::secure();
    let instance = |uid: &str| ("2.999.1".to_owned(), "2.999.1.1".to_owned(), uid.to_owned());
    let instances = [instance("2.999.404"), instance("2.999.405")];
    let request = words::retrieve_images(words::REPOSITORY, &instances, &[EXPLICIT]);
    let got = town.retrieve_images(request).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Failure);
    assert_eq!(codes(&got.response), ["XDSDocumentUniqueIdError"; 2]);
    let locations = got.response.errors.iter();
    let locations: Vec<_> = locations
        .map(|error| error.location.as_deref().unwrap())
        .collect();
    assert_eq!(locations, ["2.999.404", "2.999.405"]);
    assert!(got.documents.is_empty());

    let request = words::retrieve_images("2.999.33", &instances[..1], &[EXPLICIT]);
    let elsewhere = town.retrieve_images(request).await.unwrap();
    assert_eq!(elsewhere.response.status, ResponseStatus::Failure);
    assert_eq!(codes(&elsewhere.response), ["XDSUnknownRepositoryId"]);
}
