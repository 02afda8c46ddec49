//! What only an object store can do to a repository.

use xds_schemas::codes::status::ResponseStatus;

use crate::site::{Site, refusal};
use crate::submissions::Draft;

/// A removal that a crash interrupted at its first step is finished by the next start.
#[tokio::test]
async fn a_removal_that_was_begun_is_finished() {
    let Some(mut site) = Site::in_objects().await else {
        return;
    };
    let (gone, stays) = (Draft::text("goes"), Draft::text("stays"));
    site.accepted(&gone).await;
    site.accepted(&stays).await;
    site.stop().await;
    let data = site.store().join("data");
    let name_of = |content: &str| {
        let mut files = std::fs::read_dir(&data).unwrap();
        let name = files.find_map(|file| {
            let path = file.unwrap().path();
            let found = std::fs::read(&path).unwrap() == content.as_bytes();
            found.then(|| path.file_name().unwrap().to_owned())
        });
        name.unwrap()
    };
    let removing = site.store().join("removing");
    std::fs::create_dir_all(&removing).unwrap();
    let removal = format!(r#"{{"unique_id":"{}"}}"#, gone.id(0));
    std::fs::write(removing.join(name_of("goes")), removal).unwrap();
    // And one of a document that was provided again since, under another name.
    let removal = format!(r#"{{"unique_id":"{}"}}"#, stays.id(0));
    let older = uuid::Uuid::new_v4().to_string();
    std::fs::write(removing.join(&older), removal).unwrap();
    std::fs::write(data.join(&older), "stays").unwrap();
    site.start().await;
    site.missing(&gone.id(0)).await;
    assert_eq!(site.content(&stays.id(0)).await, b"stays");
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(&removing).map_or(0, Iterator::count), 0);
}

/// A store that is away is an error of the repository, and nothing is lost or half there.
#[tokio::test]
async fn a_store_that_is_away_comes_back() {
    let Some(mut site) = Site::in_objects().await else {
        return;
    };
    let before = Draft::text("before");
    site.accepted(&before).await;
    site.objects().stop();
    let meanwhile = Draft::of([&vec![7; 20_000_000][..], b"small"]);
    let response = site.provide(&meanwhile).await;
    refusal(response, &["XDSRepositoryError"]);
    let (response, got) = site.retrieve(&[&before.id(0)]).await;
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(response.errors[0].code.as_str(), "XDSRepositoryError");
    assert!(got.is_empty());
    site.objects().start_again();
    assert_eq!(site.content(&before.id(0)).await, b"before");
    site.accepted(&meanwhile).await;
    assert_eq!(site.content(&meanwhile.id(1)).await, b"small");
    assert!(site.registry.registered.lock().unwrap().len() >= 2);
}
