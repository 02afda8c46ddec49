//! RAD-75, and the RAD-69 that leads to it: images of another community, byte for byte.

use std::time::SystemTime;

use hilum_dicom::phantoms::{self, Detail};
use hilum_dicom::scan::scan;
use hilum_tests::calls::{CrossRetrieveImages, RetrieveImages};
use hilum_tests::region::{Region, home, repository};
use hilum_tests::words;
use xds_schemas::codes::status::ResponseStatus;

const EXPLICIT: &str = "1.2.840.10008.1.2.1";

#[tokio::test]
async fn images_of_another_community_come_as_they_are() {
    let region = Region::plain(2);
    let away = &region.towns[1];
    let folder = away.folder().join("dicom");
    phantoms::write(&folder, "abroad", SystemTime::now(), Detail::Small).unwrap();
    let imported = away.run(&["import", folder.to_str().unwrap()]);
    assert!(imported.status.success(), "{imported:?}");
    let studies = scan(&[folder], &|_, _| {}).unwrap().studies;
    let mut instances = Vec::new();
    let mut files = Vec::new();
    for study in &studies {
        for series in &study.series {
            for instance in &series.instances {
                let names = [&study.uid, &series.uid, &instance.sop_instance_uid];
                let [study, series, sop] = names.map(ToString::to_string);
                files.push((
                    sop.clone(),
                    std::fs::read(instance.place.path().unwrap()).unwrap(),
                ));
                instances.push((study, series, sop));
            }
        }
    }
    assert!(instances.len() > 20);
    let of = |number: usize| {
        let home = format!(
            "<xds:HomeCommunityId>urn:oid:{}</xds:HomeCommunityId>",
            home(number)
        );
        let request = words::retrieve_images(&repository(1), &instances, &[EXPLICIT]);
        let first = "<xds:RepositoryUniqueId>";
        request.replace(first, &format!("{home}{first}"))
    };
    let town = &region.towns[0];
    let url = town.initiating();
    let got = town
        .retrieve_at::<RetrieveImages>(&url, of(1))
        .await
        .unwrap();
    assert_eq!(
        got.documents.len(),
        files.len(),
        "{:?}",
        got.response.errors
    );
    for (sop, bytes) in &files {
        let image = got
            .documents
            .iter()
            .find(|it| it.unique_id == *sop)
            .unwrap();
        assert!(image.content == *bytes, "{sop}");
        assert_eq!(image.home, Some(format!("urn:oid:{}", home(1))));
    }
    // As a foreign gateway asks.
    let url = away.responding();
    let got = away
        .retrieve_at::<CrossRetrieveImages>(&url, of(1))
        .await
        .unwrap();
    assert_eq!(got.documents.len(), files.len());
    let strange = away
        .retrieve_at::<CrossRetrieveImages>(&url, of(0))
        .await
        .unwrap();
    assert_eq!(strange.response.status, ResponseStatus::Failure);
    assert_eq!(
        strange.response.errors[0].code.as_str(),
        "XDSUnknownCommunity"
    );
}
