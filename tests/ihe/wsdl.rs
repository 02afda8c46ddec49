//! The services describe themselves, with everything their description refers to.

use std::collections::BTreeSet;

use hilum_tests::Town;

#[tokio::test]
async fn every_service_serves_its_wsdl_and_its_schemas() {
    let town = Town::secure();
    for service in [
        town.registry(),
        town.repository(),
        town.imaging(),
        town.recipient(),
        town.initiating(),
        town.responding(),
    ] {
        let mut open = vec![format!("{service}?wsdl")];
        let mut seen = BTreeSet::new();
        while let Some(url) = open.pop() {
            if !seen.insert(url.clone()) {
                continue;
            }
            let (status, content) = town.client.fetch(&url).await.unwrap();
            assert_eq!(status, 200, "{url}");
            let text = String::from_utf8(content.to_vec()).unwrap();
            if url.ends_with("?wsdl") {
                assert!(text.contains(&format!("location=\"{service}\"")), "{text}");
            }
            let references = text.split("schemaLocation=\"").skip(1);
            open.extend(references.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
        assert!(seen.len() > 3, "{seen:?}");
        let (status, _) = town
            .client
            .fetch(&format!("{service}?xsd=none.xsd"))
            .await
            .unwrap();
        assert_eq!(status, 404);
    }
}
