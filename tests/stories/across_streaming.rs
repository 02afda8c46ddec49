//! What comes from another community is forwarded while it comes, in little memory, whatever its size.
//!
//! ```text
//! consumer ◀─ RAD-69 ─ gateway of town 0 ◀─ RAD-75 ─ line ─ gateway of town 1 ◀─ RAD-69 ─ imaging source
//! ```
//!
//! `HILUM_LARGE_MIB` says how large; 128 if it does not.

use std::time::{Duration, Instant, SystemTime};

use hilum_dicom::phantoms::{self, Detail};
use hilum_dicom::{instance, scan::scan};
use hilum_tests::calls::{Raw, Retrieve, RetrieveImages, RetrieveResponse};
use hilum_tests::region::{Region, home, repository};
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Town, Wire};
use hilum_transport::{Answer, Part, PartSource};
use sha1::{Digest, Sha1};
use xds_schemas::codes::status::ResponseStatus;

use crate::large_document::{GROWTH, MIB, generate};

const EXPLICIT: &str = "1.2.840.10008.1.2.1";
/// Of one image.
const IMAGE_MIB: usize = 8;

fn mebibytes() -> usize {
    let asked = std::env::var("HILUM_LARGE_MIB").ok();
    asked.map_or(128, |text| text.parse().unwrap())
}

/// Two communities; what town 1 answers goes through the line.
fn region() -> (Region, Wire) {
    let (region, mut wires) = Region::wired(2, "", &[]);
    (region, wires.remove(1))
}

/// A study of so many large images in town 1: the request for all of them. All are one image of which
/// other pixels follow.
fn imported(town: &Town, images: usize) -> String {
    let drawn = town.folder().join("drawn");
    let drawn = phantoms::write(&drawn, "large", SystemTime::now(), Detail::Small).unwrap();
    let liver = std::fs::read_dir(&drawn[3].folder).unwrap().next().unwrap();
    let one = std::fs::read(liver.unwrap().path()).unwrap();
    let uid = instance::read_bytes(&one).unwrap().sop_instance_uid;
    let folder = town.folder().join("dicom");
    std::fs::create_dir(&folder).unwrap();
    for number in 0..images {
        let image = enlarged(&one, uid.as_str(), number);
        std::fs::write(folder.join(format!("{number}.dcm")), image).unwrap();
    }
    let done = town.run(&["import", folder.to_str().unwrap()]);
    assert!(done.status.success(), "{done:?}");
    let mut instances = Vec::new();
    for study in scan(&[folder], &|_, _| {}).unwrap().studies {
        for series in &study.series {
            for instance in &series.instances {
                let names = [&study.uid, &series.uid, &instance.sop_instance_uid];
                instances.push(<(String, String, String)>::from(
                    names.map(ToString::to_string),
                ));
            }
        }
    }
    assert_eq!(instances.len(), images);
    let home = format!(
        "<xds:HomeCommunityId>urn:oid:{}</xds:HomeCommunityId>",
        home(1)
    );
    let first = "<xds:RepositoryUniqueId>";
    let request = words::retrieve_images(&repository(1), &instances, &[EXPLICIT]);
    request.replace(first, &format!("{home}{first}"))
}

/// The image under another name, with more pixels, which stand at its end.
fn enlarged(image: &[u8], uid: &str, number: usize) -> Vec<u8> {
    let (old, kept) = (uid.as_bytes(), uid.len() - 4);
    let new = format!("{}{:04}", &uid[..kept], 1000 + number);
    let mut image = image.to_vec();
    let places: Vec<usize> = (0..image.len() - old.len())
        .filter(|at| image[*at..].starts_with(old))
        .collect();
    assert_eq!(places.len(), 2, "in the file's head and in the image");
    for at in places {
        image[at..at + old.len()].copy_from_slice(new.as_bytes());
    }
    let tag = [0xe0, 0x7f, 0x10, 0x00, b'O'];
    let at = image.windows(tag.len()).rposition(|it| it == tag).unwrap();
    let length = u32::try_from(IMAGE_MIB * MIB).unwrap();
    image[at + 8..at + 12].copy_from_slice(&length.to_le_bytes());
    image.resize(at + 12 + IMAGE_MIB * MIB, number as u8);
    image
}

/// What came.
#[derive(Debug, Default)]
struct Came {
    attachments: usize,
    bytes: u64,
    sha1: String,
    /// When the first byte was there, and when the last.
    first: Duration,
    last: Duration,
}

async fn take(began: Instant, mut answer: Answer<RetrieveResponse>) -> Came {
    let errors = &answer.response.response().errors;
    assert!(errors.is_empty(), "{errors:?}");
    let mut came = Came::default();
    while let Some(mut attachment) = answer.attachments.next().await.unwrap() {
        came.attachments += 1;
        let mut hash = Sha1::new();
        while let Some(chunk) = attachment.chunk().await.unwrap() {
            if came.bytes == 0 {
                came.first = began.elapsed();
            }
            came.bytes += chunk.len() as u64;
            hash.update(&chunk);
        }
        came.sha1 = words::hex(&hash.finalize());
    }
    came.last = began.elapsed();
    came
}

async fn images(town: &Town, request: &str) -> Came {
    let began = Instant::now();
    let (url, request) = (town.initiating(), Raw(request.to_owned()));
    let sent = town
        .client
        .send::<RetrieveImages>(&url, &request, Vec::new());
    take(began, sent.await.unwrap()).await
}

async fn document(town: &Town, id: &str) -> Came {
    let began = Instant::now();
    let request = words::retrieve(&repository(1), &[id]);
    let home = format!(
        "<xds:HomeCommunityId>urn:oid:{}</xds:HomeCommunityId>",
        home(1)
    );
    let first = "<xds:RepositoryUniqueId>";
    let request = Raw(request.replace(first, &format!("{home}{first}")));
    let url = town.initiating();
    let sent = town.client.send::<Retrieve>(&url, &request, Vec::new());
    take(began, sent.await.unwrap()).await
}

/// Through a line that needs some seconds for all of it, the first is there long before the last.
fn is_a_stream(came: &Came) {
    eprintln!(
        "the first byte after {:.2?}, the last after {:.2?}",
        came.first, came.last
    );
    assert!(came.last > Duration::from_secs(4), "{came:?}");
    assert!(came.first < came.last / 3, "{came:?}");
}

fn grew(region: &Region, before: [u64; 2]) {
    for (town, before) in region.towns.iter().zip(before) {
        let growth = town.peak_memory().saturating_sub(before);
        eprintln!("a gateway's node grew by {} KiB", growth >> 10);
        assert!(growth < GROWTH, "it grew by {growth} bytes");
    }
}

fn memory(region: &Region) -> [u64; 2] {
    let memory = |at: usize| {
        region.towns[at].forget_peak();
        region.towns[at].peak_memory()
    };
    [memory(0), memory(1)]
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_forwarded_while_they_come() {
    let (region, wire) = region();
    let town = &region.towns[0];
    let count = mebibytes().div_ceil(IMAGE_MIB);
    let request = imported(&region.towns[1], count);
    // The first calls of a process need memory of their own.
    let small = Submission::new("P-2", vec![Document::text("small")]);
    region.towns[1].provide(&small).await.unwrap();
    document(town, &small.documents[0].unique_id).await;
    let before = memory(&region);
    let all = (count * IMAGE_MIB * MIB) as u64;
    wire.throttle(all / 6);
    let came = images(town, &request).await;
    assert_eq!(came.attachments, count);
    assert!(came.bytes > all);
    is_a_stream(&came);
    wire.mend();
    let came = images(town, &request).await;
    assert_eq!(came.attachments, count);
    grew(&region, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_document_is_forwarded_while_it_comes() {
    let (region, wire) = region();
    let (town, away) = (&region.towns[0], &region.towns[1]);
    let file = away.folder().join("large");
    let mebibytes = mebibytes();
    let sha1 = generate(&file, mebibytes);
    let size = (mebibytes * MIB) as u64;
    let mut document = Document::of("application/dicom", Vec::new());
    (document.hash, document.size) = (Some(sha1.clone()), Some(size));
    let small = Submission::new("P-2", vec![Document::text("small")]);
    away.provide(&small).await.unwrap();
    self::document(town, &small.documents[0].unique_id).await;
    let submission = Submission::new("P-1", vec![document]);
    let part = Part {
        content_id: words::content_id(0),
        content_type: "application/dicom".to_owned(),
        source: PartSource::File {
            path: file.clone(),
            offset: 0,
            length: size,
        },
    };
    let response = away.provide_parts(&submission, vec![part]).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    std::fs::remove_file(&file).unwrap();
    let before = memory(&region);
    wire.throttle(size / 6);
    let id = &*submission.documents[0].unique_id;
    let came = self::document(town, id).await;
    assert_eq!((came.bytes, &came.sha1), (size, &sha1));
    is_a_stream(&came);
    wire.mend();
    let came = self::document(town, id).await;
    assert_eq!((came.bytes, &came.sha1), (size, &sha1));
    grew(&region, before);
}
