//! A document of any size goes through in little memory.
//!
//! ```text
//! file ── ITI-41 ──▶ repository ── ITI-42 ──▶ registry
//! hash ◀── ITI-43 ── repository
//! ```
//!
//! `HILUM_LARGE_MIB` says how large; 256 if it does not. `.ci/run` takes 4096, so that no length
//! fits into 32 bits anywhere.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use hilum_transport::{Part, PartSource};
use sha1::{Digest, Sha1};
use xds_schemas::codes::status::ResponseStatus;

/// What the node may grow by.
pub(crate) const GROWTH: u64 = 64 << 20;
pub(crate) const MIB: usize = 1 << 20;

/// Writes a file of mostly nothing with something different in each MiB, and says its SHA-1.
pub(crate) fn generate(path: &Path, mebibytes: usize) -> String {
    let mut file = File::create_new(path).unwrap();
    let mut hash = Sha1::new();
    let mut block = vec![0; MIB];
    for number in 0..mebibytes {
        let mark = format!("this is mebibyte {number}");
        let at = (number * 7919) % (MIB - 64);
        block[at..at + mark.len()].copy_from_slice(mark.as_bytes());
        hash.update(&block);
        let offset = (number * MIB + at) as u64;
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(mark.as_bytes()).unwrap();
        block[at..at + mark.len()].fill(0);
    }
    file.set_len((mebibytes * MIB) as u64).unwrap();
    words::hex(&hash.finalize())
}

async fn through(setup: Setup, mebibytes: usize) {
    let town = Town::found(setup);
    let file = town.folder().join("large");
    let sha1 = generate(&file, mebibytes);
    let size = (mebibytes * MIB) as u64;
    let mut document = Document::of("application/dicom", Vec::new());
    (document.hash, document.size) = (Some(sha1.clone()), Some(size));
    let submission = Submission::new("P-1", vec![document]);
    // The first calls of a process need memory of their own.
    let small = Submission::new("P-2", vec![Document::text("small")]);
    town.provide(&small).await.unwrap();
    let small = &*small.documents[0].unique_id;
    town.retrieve(&[small]).await.unwrap();
    town.forget_peak();
    let before = town.peak_memory();

    let began = std::time::Instant::now();
    let part = Part {
        content_id: words::content_id(0),
        content_type: "application/dicom".to_owned(),
        source: PartSource::File {
            path: file.clone(),
            offset: 0,
            length: size,
        },
    };
    let response = town.provide_parts(&submission, vec![part]).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let provided = began.elapsed();
    std::fs::remove_file(file).unwrap();

    let began = std::time::Instant::now();
    let id = &*submission.documents[0].unique_id;
    let got = town.retrieve(&[id]).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Success);
    assert_eq!(got.documents[0].size, size);
    assert_eq!(got.documents[0].sha1, sha1);
    let retrieved = began.elapsed();

    let growth = town.peak_memory().saturating_sub(before);
    eprintln!(
        "{mebibytes} MiB: provided in {provided:.1?}, retrieved in {retrieved:.1?}, the node grew by {} KiB",
        growth >> 10
    );
    assert!(growth < GROWTH, "the node grew by {growth} bytes");
}

#[tokio::test]
async fn a_large_document_goes_in_and_out() {
    let asked = std::env::var("HILUM_LARGE_MIB").ok();
    let mebibytes = asked.map_or(256, |text| text.parse().unwrap());
    through(Setup::default(), mebibytes).await;
}

/// The same in plain HTTP, where no encryption hides what copying costs.
#[tokio::test]
async fn without_tls_too() {
    let plain = Setup {
        plain: true,
        ..Setup::default()
    };
    through(plain, 128).await;
}

/// Many documents at once share what there is.
#[tokio::test]
async fn many_documents_in_one_message() {
    let town = Town::plain();
    let documents = (0..500).map(|number| Document::text(&format!("document {number}")));
    let submission = Submission::new("P-1", documents.collect());
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let ids: Vec<&str> = submission
        .documents
        .iter()
        .map(|document| &*document.unique_id)
        .collect();
    let got = town.retrieve(&ids).await.unwrap();
    assert_eq!(got.documents.len(), 500);
    for (got, sent) in got.documents.iter().zip(&submission.documents) {
        assert_eq!(got.content, sent.content);
    }
}
