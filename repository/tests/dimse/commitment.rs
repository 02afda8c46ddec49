//! Storage commitment: on the same association, on another one, and after a restart.

use std::fs;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_ul::pdu::{
    AssociationAC, Pdu, PresentationContextResult, PresentationContextResultReason,
    UserVariableItem,
};
use hilum_dicom::{part10, walk};
use hilum_repository::imaging::dimse::requestor::to_send;
use hilum_repository::imaging::dimse::{DimseConfig, Peer};
use tokio::net::TcpListener;

use crate::node::{IMPLICIT, Node, files, folder, phantoms, requestor};
use crate::raw::{COMMITMENT, Raw, command, number};

const INSTANCE: &str = "1.2.840.10008.1.20.1.1";
const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const MR: &str = "1.2.840.10008.5.1.4.1.1.4";

/// An element in implicit VR little endian; UIDs are padded with a null.
fn element(Tag(group, number): Tag, value: &[u8]) -> Vec<u8> {
    let padded = value.len().next_multiple_of(2);
    let mut bytes = Vec::new();
    bytes.extend(group.to_le_bytes());
    bytes.extend(number.to_le_bytes());
    bytes.extend((padded as u32).to_le_bytes());
    bytes.extend(value);
    bytes.resize(8 + padded, 0);
    bytes
}

/// What is asked: a transaction, and classes and instances.
fn asked(transaction: &str, instances: &[(&str, &str)]) -> Vec<u8> {
    let mut items = Vec::new();
    for (class, uid) in instances {
        let mut item = element(tags::REFERENCED_SOP_CLASS_UID, class.as_bytes());
        item.extend(element(tags::REFERENCED_SOP_INSTANCE_UID, uid.as_bytes()));
        items.extend(element(Tag(0xFFFE, 0xE000), &item));
    }
    let mut data = element(tags::TRANSACTION_UID, transaction.as_bytes());
    data.extend(element(tags::REFERENCED_SOP_SEQUENCE, &items));
    data
}

fn action(instance: &str, action: u8) -> Vec<u8> {
    command(&[
        (0x0003, COMMITMENT.as_bytes()),
        (0x0100, &[0x30, 1]),
        (0x0110, &[5, 0]),
        (0x0800, &[0, 0]),
        (0x1001, instance.as_bytes()),
        (0x1008, &[action, 0]),
    ])
}

/// What a report says: the event, the transaction, what is safe, and what is not with the reason.
type Report = (u16, String, Vec<String>, Vec<(String, u16)>);

fn report(command: &[u8], data: &[u8]) -> Report {
    assert_eq!(number(command, 0x0100), Some(0x0100));
    let mut file = part10::beginning(COMMITMENT, "2.25.0", IMPLICIT);
    file.extend(data);
    let data = walk::whole(&file).unwrap().data;
    let uid = |item: &walk::DataSet| item.ascii(tags::REFERENCED_SOP_INSTANCE_UID).unwrap();
    let safe = data.items(tags::REFERENCED_SOP_SEQUENCE).iter();
    let failed = data.items(tags::FAILED_SOP_SEQUENCE).iter();
    let reason = |item: &walk::DataSet| item.number(tags::FAILURE_REASON).unwrap() as u16;
    (
        number(command, 0x1002).unwrap(),
        data.ascii(tags::TRANSACTION_UID).unwrap(),
        safe.map(uid).collect(),
        failed.map(|item| (uid(item), reason(item))).collect(),
    )
}

fn taken(report: &[u8]) -> Vec<u8> {
    let id = number(report, 0x0110).unwrap().to_le_bytes();
    command(&[
        (0x0100, &[0, 0x81]),
        (0x0120, &id),
        (0x0800, &[1, 1]),
        (0x0900, &[0, 0]),
    ])
}

async fn ask(node: &Node, data: &[u8]) -> Raw {
    let mut raw = Raw::associate(node.port, &[(COMMITMENT, &[IMPLICIT])]).await;
    raw.message(1, &action(INSTANCE, 1), Some(data)).await;
    let (answer, _) = raw.next_message().await;
    assert_eq!(number(&answer, 0x0100), Some(0x8130));
    assert_eq!(number(&answer, 0x0900), Some(0));
    raw
}

/// A node with the first slices of a CT.
async fn stored(
    folder: &std::path::Path,
    config: DimseConfig,
    count: usize,
) -> (Node, Vec<String>) {
    let node = Node::with(&folder.join("node"), config).await;
    let study = phantoms(&folder.join("dicom")).remove(0);
    let files: Vec<_> = files(&study)
        .iter()
        .take(count)
        .map(|file| to_send(file).unwrap())
        .collect();
    let mut requested = requestor("CT1")
        .associate(&node.peer(), &[files[0].wanted()])
        .await
        .unwrap();
    for file in &files {
        requested.store(file).await.unwrap();
    }
    requested.release().await.unwrap();
    (node, files.into_iter().map(|it| it.sop_instance).collect())
}

#[tokio::test]
async fn on_the_same_association() {
    let here = folder();
    let (node, uids) = stored(here.path(), DimseConfig::new("HILUM"), 2).await;
    let good = asked("2.25.77", &[(CT, &uids[0]), (CT, &uids[1])]);
    let mut raw = ask(&node, &good).await;
    let (said, data) = raw.next_message().await;
    let wanted = (1, "2.25.77".to_owned(), uids.clone(), Vec::new());
    assert_eq!(report(&said, &data), wanted);
    raw.message(1, &taken(&said), None).await;
    // One that is not here, one of another class, one of which the file has gone.
    fs::remove_file(&node.objects()[&uids[1]]).unwrap();
    let some = asked(
        "2.25.78",
        &[
            (CT, &uids[0]),
            (MR, &uids[0]),
            (CT, "2.25.5"),
            (CT, &uids[1]),
        ],
    );
    raw.message(1, &action(INSTANCE, 1), Some(&some)).await;
    raw.next_message().await;
    let (said, data) = raw.next_message().await;
    let failed = vec![
        (uids[0].clone(), 0x0119),
        ("2.25.5".to_owned(), 0x0112),
        (uids[1].clone(), 0x0112),
    ];
    let wanted = (2, "2.25.78".to_owned(), vec![uids[0].clone()], failed);
    assert_eq!(report(&said, &data), wanted);
    raw.message(1, &taken(&said), None).await;
    assert!(node.stop().await);
}

#[tokio::test]
async fn what_is_asked_wrongly() {
    let here = folder();
    let node = Node::open(here.path()).await;
    let mut raw = Raw::associate(node.port, &[(COMMITMENT, &[IMPLICIT])]).await;
    let good = asked("2.25.77", &[(CT, "2.25.5")]);
    let cases: [(&str, u8, &[u8], u16); 6] = [
        (INSTANCE, 2, &good, 0x0123),
        ("1.2.3", 1, &good, 0x0112),
        (INSTANCE, 1, &asked("2.25.77", &[]), 0x0120),
        (INSTANCE, 1, &asked("", &[(CT, "2.25.5")]), 0x0120),
        (INSTANCE, 1, &asked("2.25.77", &[(CT, "no UID")]), 0x0115),
        (INSTANCE, 1, &good[..good.len() - 3], 0x0115),
    ];
    for (instance, type_id, data, status) in cases {
        raw.message(1, &action(instance, type_id), Some(data)).await;
        let (answer, _) = raw.next_message().await;
        assert_eq!(number(&answer, 0x0900), Some(status));
    }
    assert!(node.stop().await);
}

/// Somebody who takes a report over an association that the node makes.
async fn told(listener: &TcpListener) -> Report {
    let (stream, _) = listener.accept().await.unwrap();
    let mut raw = Raw(stream);
    let Some(Pdu::AssociationRQ(request)) = raw.receive().await else {
        panic!("no association is asked for");
    };
    assert_eq!(
        (
            request.calling_ae_title.as_str(),
            request.called_ae_title.as_str()
        ),
        ("HILUM", "CT1")
    );
    let role = request.user_variables.iter().find_map(|it| match it {
        UserVariableItem::ScuScpRoleSelectionSubItem(class, roles) => Some((class, *roles)),
        _ => None,
    });
    let (class, roles) = role.unwrap();
    assert_eq!(
        (class.as_str(), roles.scu, roles.scp),
        (COMMITMENT, false, true)
    );
    let context = &request.presentation_contexts[0];
    assert_eq!(context.abstract_syntax, COMMITMENT);
    let result = PresentationContextResult {
        id: context.id,
        reason: PresentationContextResultReason::Acceptance,
        transfer_syntax: IMPLICIT.to_owned(),
    };
    raw.send(&Pdu::AssociationAC(AssociationAC {
        protocol_version: 1,
        calling_ae_title: request.calling_ae_title,
        called_ae_title: request.called_ae_title,
        application_context_name: request.application_context_name,
        presentation_contexts: vec![result],
        user_variables: request.user_variables,
    }))
    .await;
    let (said, data) = raw.next_message().await;
    raw.message(1, &taken(&said), None).await;
    assert_eq!(raw.receive().await, Some(Pdu::ReleaseRQ));
    raw.send(&Pdu::ReleaseRP).await;
    report(&said, &data)
}

async fn somebody() -> (TcpListener, DimseConfig) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ct = Peer {
        ae_title: "CT1".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
        tls: false,
    };
    let config = DimseConfig {
        nodes: vec![ct],
        ..DimseConfig::new("HILUM")
    };
    (listener, config)
}

#[tokio::test]
async fn over_another_association() {
    let here = folder();
    let (listener, config) = somebody().await;
    let (node, uids) = stored(here.path(), config, 1).await;
    let mut raw = ask(&node, &asked("2.25.77", &[(CT, &uids[0])])).await;
    raw.send(&Pdu::ReleaseRQ).await;
    assert_eq!(raw.receive().await, Some(Pdu::ReleaseRP));
    let wanted = (1, "2.25.77".to_owned(), uids, Vec::new());
    assert_eq!(told(&listener).await, wanted);
    assert!(node.stop().await);
}

#[tokio::test]
async fn who_does_not_take_the_report_gets_it_again() {
    let here = folder();
    let (listener, config) = somebody().await;
    let (node, uids) = stored(here.path(), config, 1).await;
    let mut raw = ask(&node, &asked("2.25.77", &[(CT, &uids[0])])).await;
    // It comes, and is not answered.
    let (said, _) = raw.next_message().await;
    assert_eq!(number(&said, 0x0100), Some(0x0100));
    drop(raw);
    let wanted = (1, "2.25.77".to_owned(), uids, Vec::new());
    assert_eq!(told(&listener).await, wanted);
    assert!(node.stop().await);
}

#[tokio::test]
async fn after_a_restart() {
    let here = folder();
    let (listener, config) = somebody().await;
    // Nobody is known under this title yet.
    let (node, uids) = stored(here.path(), DimseConfig::new("HILUM"), 1).await;
    let raw = ask(&node, &asked("2.25.77", &[(CT, &uids[0])])).await;
    drop(raw);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(node.stop().await);
    // The first attempt has failed; the next one would be in ten seconds.
    let node = Node::with(&here.path().join("node"), config).await;
    let wanted = (1, "2.25.77".to_owned(), uids, Vec::new());
    assert_eq!(told(&listener).await, wanted);
    assert!(node.stop().await);
}
