use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;

use super::container::{LABEL_BYTES, SAID_BYTES, Said};
use super::*;

fn said(unique_id: &str) -> Said {
    Said {
        unique_id: unique_id.to_owned(),
        entry_uuid: "urn:uuid:1".to_owned(),
        mime_type: "text/plain".to_owned(),
        patient_id: None,
    }
}

fn store() -> (TempDir, Files) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("store").display());
    let store = Files::open(&url, &Vault::default()).unwrap();
    (folder, store)
}

async fn received(store: &Files, unique_id: &str, chunks: &[&[u8]]) -> Arrival {
    let mut receiving = store.receive();
    for chunk in chunks {
        let chunk = Bytes::copy_from_slice(chunk);
        receiving.write(chunk).await.unwrap();
    }
    let sealing = receiving.seal(said(unique_id)).await.unwrap();
    sealing.await.unwrap().unwrap()
}

async fn kept(store: &Files, arrival: Arrival) -> io::Result<()> {
    let mut arrivals = [arrival];
    store.make_durable(&arrivals).await?;
    arrivals[0].is_sent();
    store.keep(&arrivals.iter().collect::<Vec<_>>()).await
}

fn incoming(store: &Files) -> usize {
    fs::read_dir(store.incoming()).unwrap().count()
}

fn path(place: &Place) -> &Path {
    match place {
        Place::File(path) => path,
        Place::Bucket(_) => panic!("it is in a file"),
    }
}

fn file_of(stored: &Stored) -> (&Path, &File) {
    match &stored.content {
        Content::File { path, file } => (path, file.file()),
        Content::Object(_) => panic!("it is in a file"),
    }
}

fn content(stored: &Stored) -> Vec<u8> {
    let mut content = fs::read(file_of(stored).0).unwrap();
    content.truncate(usize::try_from(stored.label.size).unwrap());
    content
}

#[tokio::test]
async fn a_document_is_found_when_it_is_kept() {
    let (_folder, store) = store();
    let large: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let chunks: Vec<&[u8]> = large.chunks(100_001).collect();
    let arrival = received(&store, "1.2/../3", &chunks).await;
    assert!(store.find("1.2/../3").unwrap().is_none());
    let mode = store.root.path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    kept(&store, arrival).await.unwrap();
    let stored = store.find("1.2/../3").unwrap().unwrap();
    assert_eq!(content(&stored), large);
    // sha1sum of the same bytes
    assert_eq!(
        stored.label.hash,
        "80006900541658878e2cd84bbc8ff6b030beda67"
    );
    assert_eq!(incoming(&store), 0);
}

#[tokio::test]
async fn what_is_not_kept_leaves_nothing() {
    let (_folder, store) = store();
    drop(received(&store, "1", &[b"one"]).await);
    let mut unfinished = store.receive();
    let chunk = Bytes::from(vec![7; 3_000_000]);
    unfinished.write(chunk.clone()).await.unwrap();
    unfinished.write(chunk).await.unwrap();
    drop(unfinished);
    let mut arrival = received(&store, "1", &[b"one"]).await;
    arrival.is_sent();
    arrival.discard();
    // The writing that was under way ends by itself.
    for _ in 0..200 {
        if incoming(&store) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("something was left");
}

#[tokio::test]
async fn a_place_never_changes_its_content() {
    let (_folder, store) = store();
    let first = received(&store, "1", &[b"one"]).await;
    kept(&store, first).await.unwrap();
    let again = received(&store, "1", &[b"o", b"ne"]).await;
    kept(&store, again).await.unwrap();
    assert_eq!(incoming(&store), 0);
    let other = received(&store, "1", &[b"two"]).await;
    let refused = kept(&store, other).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(incoming(&store), 1);
    let stored = store.find("1").unwrap().unwrap();
    assert_eq!(content(&stored), b"one");
}

#[tokio::test]
async fn what_an_earlier_process_left_is_sorted() {
    let (folder, store) = store();
    let url = format!("file:{}", folder.path().join("store").display());
    let mut complete = received(&store, "1", &[b"one"]).await;
    complete.is_sent();
    let path = path(&complete.place).to_owned();
    let whole = fs::read(&path).unwrap();
    // Power failed while a document was written that is itself a file of a store.
    let forged = store.incoming().join(Uuid::new_v4().to_string());
    fs::write(&forged, &whole).unwrap();
    let half = store.incoming().join(Uuid::new_v4().to_string());
    fs::write(&half, &whole[..whole.len() - 1]).unwrap();
    fs::write(store.incoming().join("README"), "not ours").unwrap();
    // It came long before the registry was told of it.
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(long_ago).unwrap();

    let busy = Files::open(&url, &Vault::default()).unwrap_err();
    assert!(busy.to_string().contains("in use"), "{busy}");
    drop(store);
    let store = Files::open(&url, &Vault::default()).unwrap();
    let left = store.left_behind().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].label, complete.label);
    assert!(left[0].age(Instant::now()) < Duration::from_secs(60));
    assert!(!forged.exists() && !half.exists());
    drop(left);
    assert!(path.exists(), "what may be registered is not dropped");
}

#[tokio::test]
async fn what_is_removed_is_gone_and_may_come_again() {
    let (_folder, store) = store();
    assert!(
        !store.remove("1").await.unwrap(),
        "there is not even a folder"
    );
    let arrival = received(&store, "1", &[b"one"]).await;
    store.keep(&[&arrival]).await.unwrap();
    let held = store.find("1").unwrap().unwrap();
    assert!(store.remove("1").await.unwrap());
    assert!(!file_of(&held).0.exists());
    assert!(store.find("1").unwrap().is_none());
    assert!(!store.remove("1").await.unwrap());
    // Whoever holds it open has it still.
    let mut content = [0; 3];
    io::Read::read_exact(&mut file_of(&held).1, &mut content).unwrap();
    assert_eq!(&content, b"one");
    let other = received(&store, "1", &[b"other"]).await;
    store.keep(&[&other]).await.unwrap();
    assert_eq!(self::content(&store.find("1").unwrap().unwrap()), b"other");
}

#[test]
fn only_files_are_stores() {
    let refused = |url: &str| folder_of(url).unwrap_err().to_string();
    assert!(refused("s3://bucket/prefix").contains("file:PATH"));
    let no_key = BlobStore::open("s3://bucket/prefix", None, &Vault::default()).unwrap_err();
    assert!(no_key.to_string().contains("needs a key"), "{no_key}");
    assert!(refused("/data").contains("file:PATH"));
    assert!(refused("file:").contains("file:PATH"));
    assert_eq!(folder_of("file:///data").unwrap(), Path::new("/data"));
    assert_eq!(folder_of("file:data/x").unwrap(), Path::new("data/x"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    check_folder(&format!("file:{path}/new")).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::write(folder.path().join("a-file"), "").unwrap();
    let refused = check_folder(&format!("file:{path}/a-file")).unwrap_err();
    assert!(format!("{refused:#}").contains("cannot be written"));
}

proptest! {
    #[test]
    fn any_document_comes_back(
        document in proptest::collection::vec(any::<u8>(), 0..3000),
        unique_id in ".{0,200}",
        mime_type in "\\PC{0,60}",
        patient_id in proptest::option::of(".{0,60}"),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let said = Said { unique_id, entry_uuid: "urn:uuid:1".into(), mime_type, patient_id };
        let label = said.label("name".into(), "00".into(), document.len() as u64);
        let trailer = label.trailer().unwrap();
        fs::write(&path, [&document[..], &trailer].concat()).unwrap();
        prop_assert_eq!(container::read(&path).unwrap(), Some(label));
        // No beginning of it is taken for the whole, and nothing makes the reader fail.
        let whole = document.len() + trailer.len();
        for cut in [1, 7, 8, 12, 13, trailer.len(), trailer.len() + 1] {
            let file = File::options().write(true).open(&path).unwrap();
            file.set_len(whole.saturating_sub(cut) as u64).unwrap();
            prop_assert_eq!(container::read(&path).unwrap(), None);
        }
    }

    #[test]
    fn hostile_ends_are_no_labels(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        length in prop_oneof![any::<u32>(), 0..4000_u32, Just(LABEL_BYTES as u32)],
        json in prop_oneof![Just(""), Just("{}"), Just("null"), Just("[[[[[[")],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        bytes.extend_from_slice(json.as_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(b"HilumDoc");
        fs::write(&path, bytes).unwrap();
        prop_assert_eq!(container::read(&path).unwrap(), None);
    }
}

#[test]
fn the_longest_label_fits() {
    let said = Said {
        unique_id: "\u{1}".repeat(SAID_BYTES),
        mime_type: String::new(),
        ..said("")
    };
    assert!(said.fits());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let label = said.label("name".repeat(9), "00".repeat(20), 0);
    fs::write(&path, label.trailer().unwrap()).unwrap();
    assert_eq!(container::read(&path).unwrap(), Some(label));
    let longer = Said {
        unique_id: "x".repeat(SAID_BYTES + 1),
        ..self::said("")
    };
    assert!(!longer.fits());
}
