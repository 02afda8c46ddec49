//! Our own requestor and our own provider.

use std::fs;
use std::time::Duration;

use hilum_repository::imaging::ImagingConfig;
use hilum_repository::imaging::dimse::requestor::{Identifier, Level, Model, Wanted, to_send};
use hilum_repository::imaging::dimse::{DimseConfig, Peer, RequestorError};

use crate::node::{
    EXPLICIT, Node, assert_same, eventually, files, folder, objects, phantoms, requestor,
};

#[tokio::test]
async fn an_echo_and_what_is_not_provided() {
    let here = folder();
    let node = Node::open(here.path()).await;
    let wanted = [Wanted::Echo, Wanted::Find(Model::Study)];
    let mut requested = requestor("CT1")
        .associate(&node.peer(), &wanted)
        .await
        .unwrap();
    assert!(requested.takes(&wanted[0]) && !requested.takes(&wanted[1]));
    requested.echo().await.unwrap();
    let asked = Identifier::at(Level::Study).key(dicom_dictionary_std::tags::PATIENT_ID, "1");
    let refused = requested.find(Model::Study, &asked, 1).await.unwrap_err();
    assert!(
        refused.to_string().ends_with("does not take C-FIND"),
        "{refused}"
    );
    requested.echo().await.unwrap();
    requested.release().await.unwrap();
    assert!(node.stop().await);
}

#[tokio::test]
async fn what_is_sent_is_there_and_recorded() {
    let here = folder();
    let node = Node::open(&here.path().join("node")).await;
    let studies = phantoms(&here.path().join("dicom"));
    let sent = objects(&here.path().join("dicom"));
    let all: Vec<_> = sent.values().map(|file| to_send(file).unwrap()).collect();
    let mut wanted: Vec<Wanted> = all.iter().map(|it| it.wanted()).collect();
    wanted.sort();
    wanted.dedup();
    let mut requested = requestor("CT1")
        .associate(&node.peer(), &wanted)
        .await
        .unwrap();
    for file in &all {
        assert_eq!(requested.store(file).await.unwrap(), None);
    }
    // Nothing of the second half is recorded before the end, except that it began.
    let begun = "RAD-8 Begin Transferring DICOM Instances 0";
    let records = node.records();
    assert_eq!(
        records.iter().filter(|it| it.starts_with(begun)).count(),
        studies.len()
    );
    assert_eq!(records.len(), studies.len(), "{records:?}");
    // The same again changes nothing.
    assert_eq!(requested.store(&all[0]).await.unwrap(), None);
    requested.release().await.unwrap();
    assert_same(&node.objects(), &sent);
    let done = "RAD-8 DICOM Instances Transferred 0";
    eventually("transfers are recorded", async || {
        let records = node.records();
        records.iter().filter(|it| it.starts_with(done)).count() == studies.len()
    })
    .await;
    assert_eq!(node.incoming(), 0);
    assert!(node.stop().await);
}

#[tokio::test]
async fn who_is_not_welcome() {
    let here = folder();
    let config = DimseConfig {
        callers: vec!["CT1".to_owned(), "MR 2".to_owned()],
        ..DimseConfig::new("HILUM")
    };
    let node = Node::with(here.path(), config).await;
    let associate = async |calling: &str, called: &str| {
        let peer = Peer {
            ae_title: called.to_owned(),
            ..node.peer()
        };
        let requested = requestor(calling).associate(&peer, &[Wanted::Echo]).await;
        match requested {
            Ok(mut requested) => {
                requested.echo().await.unwrap();
                requested.release().await.unwrap();
                String::new()
            }
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(associate("CT1", "HILUM").await, "");
    assert_eq!(associate("MR 2", "HILUM").await, "");
    let refused = associate("CT2", "HILUM").await;
    assert!(
        refused.ends_with("calling AE title not recognized"),
        "{refused}"
    );
    let refused = associate("CT1", "hilum").await;
    assert!(
        refused.ends_with("called AE title not recognized"),
        "{refused}"
    );
    let records = node.records();
    let alerts = records.iter().filter(|it| it.contains("Security Alert"));
    assert_eq!(alerts.count(), 2, "{records:?}");
    assert!(node.stop().await);

    let here = folder();
    let config = DimseConfig {
        any_called: true,
        ..DimseConfig::new("HILUM")
    };
    let node = Node::with(here.path(), config).await;
    let peer = Peer {
        ae_title: "WHOEVER".to_owned(),
        ..node.peer()
    };
    let mut requested = requestor("X")
        .associate(&peer, &[Wanted::Echo])
        .await
        .unwrap();
    requested.echo().await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_an_object_is_answered() {
    let here = folder();
    let node = Node::open(&here.path().join("node")).await;
    let study = phantoms(&here.path().join("dicom")).remove(0);
    let file = files(&study).remove(0);
    let good = to_send(&file).unwrap();
    let mut requested = requestor("CT1")
        .associate(&node.peer(), &[good.wanted()])
        .await
        .unwrap();
    let status = |error: RequestorError| match error {
        RequestorError::Refused { status, .. } => status,
        other => panic!("{other}"),
    };
    // Another name in the command than in the data set.
    let mut other = good.clone();
    other.sop_instance = "2.25.7".to_owned();
    assert_eq!(status(requested.store(&other).await.unwrap_err()), 0xA900);
    // A file that ends inside of its pixels.
    let mut bytes = fs::read(&file).unwrap();
    bytes.truncate(bytes.len() - 100);
    let mut cut = good.clone();
    cut.path = here.path().join("cut");
    fs::write(&cut.path, bytes).unwrap();
    assert_eq!(status(requested.store(&cut).await.unwrap_err()), 0xC000);
    // A name that is none.
    other.sop_instance = "../../etc".to_owned();
    assert_eq!(status(requested.store(&other).await.unwrap_err()), 0x0117);
    assert!(node.objects().is_empty() && node.incoming() == 0);
    // The association goes on.
    assert_eq!(requested.store(&good).await.unwrap(), None);
    assert_eq!(node.objects().len(), 1);
    requested.release().await.unwrap();
    eventually("refusals are recorded", async || {
        let records = node.records();
        records
            .iter()
            .filter(|it| it.contains("Security Alert"))
            .count()
            == 1
    })
    .await;
    assert!(node.stop().await);
}

#[tokio::test]
async fn another_object_of_the_same_name_is_kept_back() {
    let here = folder();
    let node = Node::open(&here.path().join("node")).await;
    let study = phantoms(&here.path().join("dicom")).remove(0);
    let file = files(&study).remove(0);
    let good = to_send(&file).unwrap();
    let mut requested = requestor("CT1")
        .associate(&node.peer(), &[good.wanted()])
        .await
        .unwrap();
    requested.store(&good).await.unwrap();
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let mut other = good.clone();
    other.path = here.path().join("other");
    fs::write(&other.path, bytes).unwrap();
    // Safe, so the sender is told that it is.
    assert_eq!(requested.store(&other).await.unwrap(), None);
    requested.release().await.unwrap();
    let store = format!("file:{}", node.folder.join("images").display());
    let mut config = ImagingConfig::new("1.2.3.99".into(), "1.2.3.7", store);
    config.vault = crate::vault::vault();
    let quarantine = hilum_repository::imaging::quarantine::Quarantine::open(&config).unwrap();
    let kept_back = quarantine.objects(None).unwrap();
    assert_eq!(kept_back.len(), 1);
    assert!(
        kept_back[0].origin.starts_with("CT1 at 127.0.0.1"),
        "{kept_back:?}"
    );
}

#[tokio::test]
async fn a_large_object_is_not_held_in_memory_and_has_a_limit() {
    let here = folder();
    let config = DimseConfig {
        longest_object: 20 * 1024 * 1024,
        ..DimseConfig::new("HILUM")
    };
    let node = Node::with(&here.path().join("node"), config).await;
    let large = |name: &str, pixels: usize| {
        let path = here.path().join(name);
        fs::write(
            &path,
            crate::raw::object(&format!("2.25.1.{pixels}"), EXPLICIT, pixels),
        )
        .unwrap();
        to_send(&path).unwrap()
    };
    let fits = large("fits", 19 * 1024 * 1024);
    let associate = async || {
        let requestor = requestor("SCANNER");
        requestor
            .associate(&node.peer(), &[fits.wanted()])
            .await
            .unwrap()
    };
    let mut requested = associate().await;
    assert_eq!(requested.store(&fits).await.unwrap(), None);
    let broken = requested.store(&large("too long", 21 * 1024 * 1024)).await;
    assert!(
        matches!(broken, Err(RequestorError::Broken { .. })),
        "{broken:?}"
    );
    eventually("nothing is left of it", async || node.incoming() == 0).await;
    let there = node.objects();
    assert_eq!(there.len(), 1);
    associate().await.store(&fits).await.unwrap();
}

#[tokio::test]
async fn a_node_that_stops_finishes_what_has_begun() {
    let here = folder();
    let node = Node::open(&here.path().join("node")).await;
    phantoms(&here.path().join("dicom"));
    let sent = objects(&here.path().join("dicom"));
    let all: Vec<_> = sent.values().map(|file| to_send(file).unwrap()).collect();
    let mut wanted: Vec<Wanted> = all.iter().map(|it| it.wanted()).collect();
    wanted.sort();
    wanted.dedup();
    let mut requested = requestor("CT1")
        .associate(&node.peer(), &wanted)
        .await
        .unwrap();
    let idle = requestor("CT2")
        .associate(&node.peer(), &[Wanted::Echo])
        .await;
    let sending = tokio::spawn(async move {
        let mut stored = Vec::new();
        for file in all {
            match requested.store(&file).await {
                Ok(_) => stored.push(file.sop_instance),
                Err(_) => break,
            }
        }
        stored
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let folder = node.folder.join("images/objects");
    assert!(node.stop().await);
    let stored = sending.await.unwrap();
    let there = objects(&folder);
    for uid in &stored {
        assert!(there.contains_key(uid));
    }
    assert!(there.len() <= stored.len() + 1);
    assert!(idle.unwrap().echo().await.is_err());
}

#[tokio::test]
async fn nobody_there() {
    let peer = Peer {
        ae_title: "X".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 1,
        tls: false,
    };
    let error = requestor("Y").associate(&peer, &[Wanted::Echo]).await;
    let error = error.err().unwrap().to_string();
    assert!(
        error.starts_with("X@127.0.0.1:1 is not reached: "),
        "{error}"
    );
    let tls = Peer { tls: true, ..peer };
    let error = requestor("Y").associate(&tls, &[Wanted::Echo]).await;
    let error = error.err().unwrap().to_string();
    assert!(error.contains("no certificate"), "{error}");
}
