//! Encrypted documents in files and in an object store: what an attacker finds there, and what the
//! operator does with keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hilum_repository::at_rest::{Kept, Worked};
use hilum_security::at_rest::{KeyRing, Vault};
use xds_schemas::codes::status::ResponseStatus;

use crate::object_store::ObjectStore;
use crate::site::{Site, refusal};
use crate::submissions::Draft;
use crate::vault::ring;

const NEEDLE: &[u8] = b"HAYSTACK-of-objects-91e2";

/// Documents of every kind of length, each with the needle in it.
fn drafts() -> Vec<Draft> {
    let lengths = [NEEDLE.len(), 131_072, 131_073, 3 * 1024 * 1024, 9_500_001];
    let content =
        |length: usize| -> Vec<u8> { NEEDLE.iter().copied().cycle().take(length).collect() };
    lengths
        .iter()
        .map(|length| Draft::of([&content(*length)[..]]))
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let path = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().path();
    let below = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    };
    entries.map(path).flat_map(below).collect()
}

fn holding(folder: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    };
    files(folder).into_iter().filter(holds).collect()
}

async fn all_are_there(site: &Site, drafts: &[Draft]) {
    for draft in drafts {
        assert!(site.content(&draft.id(0)).await == draft.contents[0]);
    }
}

fn kept(site: &Site) -> Kept {
    let documents = match site.has_objects() {
        true => (site.object_url(), Some(ObjectStore::access())),
        false => (format!("file:{}", site.store().display()), None),
    };
    Kept {
        documents: Some(documents),
        ..Kept::default()
    }
}

async fn worked(
    work: impl FnOnce(&mut (dyn FnMut(&Worked) + Send)) -> anyhow::Result<Worked> + Send + 'static,
) -> Worked {
    tokio::task::spawn_blocking(move || work(&mut |_| {}))
        .await
        .unwrap()
        .unwrap()
}

/// Another key becomes the current one.
fn another(ring: &KeyRing, folder: &Path) -> Vault {
    KeyRing::generate(folder, None).unwrap();
    std::thread::sleep(Duration::from_millis(600));
    Vault::with(ring.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_in_an_object_store_are_encrypted_rotated_and_verified() {
    let Some(mut site) = Site::in_objects().await else {
        return;
    };
    site.stop().await;
    let ring = ring();
    site.vault = Vault::with(ring.clone());
    site.start().await;
    let drafts = drafts();
    for draft in &drafts {
        site.accepted(draft).await;
    }
    all_are_there(&site, &drafts).await;
    for needle in [NEEDLE, b"P-1^^^", drafts[0].id(0).as_bytes()] {
        assert_eq!(holding(&site.store(), needle), Vec::<PathBuf>::new());
    }
    // Rotation beside the repository that serves.
    let old = ring.current_id();
    let vault = another(&ring, &ring.folder());
    let (kept, work) = (kept(&site), ring.clone());
    let done = worked({
        let kept = kept.clone();
        move |progress| kept.rotate(&work, progress)
    });
    let done = done.await;
    // The documents, and the mark of the store.
    assert_eq!(
        (done.done, done.failed),
        (drafts.len() as u64 + 1, 0),
        "{done:?}"
    );
    let survey = tokio::task::spawn_blocking(move || kept.survey(&vault))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        survey.keys.keys().copied().collect::<Vec<_>>(),
        [ring.current_id()]
    );
    ring.remove(old).unwrap();
    all_are_there(&site, &drafts).await;
    site.stop().await;
    site.start().await;
    all_are_there(&site, &drafts).await;
    damage(&site, &drafts).await;
}

/// Objects are changed by who has the disk of the object store.
async fn damage(site: &Site, drafts: &[Draft]) {
    let mut data = files(&site.store().join("data"));
    data.retain(|path| !path.to_string_lossy().contains("metadata"));
    data.sort_by_key(|path| fs::metadata(path).unwrap().len());
    assert_eq!(data.len(), drafts.len(), "{data:?}");
    let (small, large) = (&data[0], &data[4]);
    let (one, other) = (fs::read(small).unwrap(), fs::read(large).unwrap());
    let mut flipped = one.clone();
    flipped[3] ^= 1;
    for damaged in [
        flipped,
        one[..one.len() - 1].to_vec(),
        other[..one.len()].to_vec(),
    ] {
        fs::write(small, damaged).unwrap();
        let (response, got) = site.retrieve(&[&drafts[0].id(0), &drafts[1].id(0)]).await;
        assert_eq!(
            response.status,
            ResponseStatus::PartialSuccess,
            "{response:?}"
        );
        assert_eq!(response.errors[0].code.as_str(), "XDSRepositoryError");
        assert_eq!(got.len(), 1);
    }
    fs::write(small, &one).unwrap();
    assert!(site.content(&drafts[0].id(0)).await == drafts[0].contents[0]);
    // Labels cannot change places either.
    let labels = files(&site.store().join("documents"));
    let labels: Vec<_> = labels
        .into_iter()
        .filter(|it| !it.to_string_lossy().contains("metadata"))
        .collect();
    let (a, b) = (fs::read(&labels[0]).unwrap(), fs::read(&labels[1]).unwrap());
    fs::write(&labels[0], &b).unwrap();
    let mut refused = 0;
    for draft in drafts {
        let (response, got) = site.retrieve(&[&draft.id(0)]).await;
        if got.is_empty() {
            refusal(response, &["XDSRepositoryError"]);
            refused += 1;
        }
    }
    assert_eq!(refused, 1);
    fs::write(&labels[0], &a).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_object_store_is_encrypted() {
    let Some(mut site) = Site::in_objects().await else {
        return;
    };
    site.stop().await;
    // Whatever other tests want.
    site.vault = Vault::default();
    fs::remove_file(site.store().join("at-rest")).ok();
    site.start().await;
    let drafts = drafts();
    for draft in &drafts {
        site.accepted(draft).await;
    }
    assert!(!holding(&site.store(), NEEDLE).is_empty());
    site.stop().await;
    let ring = ring();
    site.vault = Vault::with(ring.clone());
    // A mixed store.
    site.start().await;
    let new = Draft::of([NEEDLE]);
    site.accepted(&new).await;
    all_are_there(&site, &drafts).await;
    site.stop().await;
    let (kept, vault) = (kept(&site), site.vault.clone());
    let done = worked({
        let (kept, vault) = (kept.clone(), vault.clone());
        move |progress| kept.encrypt(&vault, progress)
    });
    let done = done.await;
    assert_eq!(
        (done.done, done.already, done.failed),
        (drafts.len() as u64, 1, 0),
        "{done:?}"
    );
    assert_eq!(holding(&site.store(), NEEDLE), Vec::<PathBuf>::new());
    let again = worked(move |progress| kept.encrypt(&vault, progress)).await;
    assert_eq!((again.done, again.failed), (0, 0), "{again:?}");
    site.start().await;
    all_are_there(&site, &drafts).await;
    all_are_there(&site, &[new]).await;
    site.nothing_undecided().await;
}
