//! A document of any size goes through in little memory. Alone in its process, so that nobody else
//! uses any.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(
    dead_code,
    reason = "made for the tests of the room, which use all of it"
)]

#[path = "room/link.rs"]
mod link;
#[path = "room/object_store.rs"]
mod object_store;
#[path = "room/site.rs"]
mod site;
#[path = "room/stand_in.rs"]
mod stand_in;
#[path = "room/submissions.rs"]
mod submissions;
#[path = "vault/mod.rs"]
mod vault;

use std::fs::File;
use std::io::Write;
use std::time::Instant;

use hilum_transport::{Part, PartSource};
use sha1::{Digest, Sha1};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, RetrieveDocumentSet, RetrieveDocumentSetRequest,
};

use crate::site::{REPOSITORY, Site};
use crate::submissions::{Draft, content_id};

const MIB: usize = 1 << 20;
const MEBIBYTES: usize = 256;
/// What repository, registry and client together may grow by.
const GROWTH: usize = 32 * MIB;
/// And what the parts need in which a document travels to an object store.
const PARTS: usize = 32 * MIB;

fn allowed() -> usize {
    match object_store::ObjectStore::is_wanted() {
        true => GROWTH + PARTS,
        false => GROWTH,
    }
}

/// Resident memory of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Follows resident memory while something is done, and says how much it grew.
async fn growth<T>(doing: impl Future<Output = T>) -> (usize, T) {
    let before = resident();
    let mut highest = before;
    let mut doing = std::pin::pin!(doing);
    loop {
        let tick = tokio::time::sleep(std::time::Duration::from_millis(5));
        tokio::select! {
            done = &mut doing => return (highest.max(resident()) - before, done),
            () = tick => highest = highest.max(resident()),
        }
    }
}

fn hexadecimal(hash: Sha1) -> String {
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_document_goes_in_and_out() {
    let site = Site::open().await;
    // The first calls of a process need memory of their own.
    let small = Draft::text("small");
    site.accepted(&small).await;
    site.content(&small.id(0)).await;

    let path = site.folder.path().join("large");
    let mut file = File::create(&path).unwrap();
    let mut hash = Sha1::new();
    let mut block = vec![0x5a; MIB];
    for number in 0..MEBIBYTES {
        block[..8].copy_from_slice(&(number as u64).to_le_bytes());
        hash.update(&block);
        file.write_all(&block).unwrap();
    }
    let hash = hexadecimal(hash);
    drop((file, block));

    let mut draft = Draft::text("");
    draft.entry(0).hash = Some(hash.clone());
    draft.entry(0).size = Some((MEBIBYTES * MIB) as u64);
    let part = Part {
        content_id: content_id(0),
        content_type: "application/octet-stream".to_owned(),
        source: PartSource::File {
            path,
            offset: 0,
            length: (MEBIBYTES * MIB) as u64,
        },
    };
    let began = Instant::now();
    let (grown_in, response) = growth(site.send(&draft.request(), vec![part])).await;
    let provided = began.elapsed();
    assert_eq!(response.unwrap().status, ResponseStatus::Success);

    let began = Instant::now();
    let (grown_out, retrieved) = growth(retrieved(&site, &draft.id(0))).await;
    assert_eq!(retrieved, (hash, MEBIBYTES * MIB));
    eprintln!(
        "{MEBIBYTES} MiB: in within {provided:.2?}, grown by {} KiB; out within {:.2?}, by {} KiB",
        grown_in >> 10,
        began.elapsed(),
        grown_out >> 10
    );
    assert!(
        grown_in < allowed(),
        "grew by {grown_in} bytes on the way in"
    );
    assert!(
        grown_out < allowed(),
        "grew by {grown_out} bytes on the way out"
    );

    // What is removed is not read.
    let id = draft.id(0);
    let ids = [id.as_str()];
    let (grown_by, removed) = growth(site.remove(&ids)).await;
    assert_eq!(removed.status, ResponseStatus::Success);
    assert!(grown_by < MIB, "grew by {grown_by} bytes at the removal");
    site.missing(&id).await;
}

/// Hash and size of what comes back.
async fn retrieved(site: &Site, id: &str) -> (String, usize) {
    let request = RetrieveDocumentSetRequest {
        documents: vec![DocumentRequest {
            home_community_id: None,
            repository_unique_id: REPOSITORY.into(),
            document_unique_id: id.into(),
        }],
    };
    let (client, url) = (&site.client, site.url());
    let answer = client.send::<RetrieveDocumentSet>(&url, &request, Vec::new());
    let mut attachments = answer.await.unwrap().attachments;
    let mut attachment = attachments.next().await.unwrap().unwrap();
    let (mut hash, mut size) = (Sha1::new(), 0);
    while let Some(chunk) = attachment.chunk().await.unwrap() {
        hash.update(&chunk);
        size += chunk.len();
    }
    (hexadecimal(hash), size)
}
