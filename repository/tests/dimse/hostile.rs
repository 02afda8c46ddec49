//! What nobody should send: nothing of it does harm, and the node goes on.

use dicom_ul::pdu::Pdu;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use crate::node::{EXPLICIT, IMPLICIT, Node, eventually, folder, requestor};
use crate::raw::{
    COMMITMENT, Raw, SECONDARY_CAPTURE, command, element, number, object, request, store,
};
use hilum_repository::imaging::dimse::requestor::Wanted;

const VERIFICATION: &str = "1.2.840.10008.1.1";

/// The node still does what it is there for.
async fn still_there(node: &Node) {
    let mut requested = requestor("CT1")
        .associate(&node.peer(), &[Wanted::Echo])
        .await
        .unwrap();
    requested.echo().await.unwrap();
    requested.release().await.unwrap();
    assert_eq!(node.incoming(), 0);
}

/// A data set of an object, without its file meta information.
fn data_set(instance: &str, pixels: usize) -> Vec<u8> {
    let file = object(instance, EXPLICIT, pixels);
    let head = hilum_dicom::part10::beginning(SECONDARY_CAPTURE, instance, EXPLICIT);
    file[head.len()..].to_vec()
}

async fn storing(node: &Node) -> Raw {
    Raw::associate(node.port, &[(SECONDARY_CAPTURE, &[EXPLICIT])]).await
}

#[tokio::test]
async fn what_is_no_dicom_is_refused_and_recorded() {
    let here = folder();
    let node = Node::open(here.path()).await;
    let garbage: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        // A PDU of four gigabytes.
        &[1, 0, 0xFF, 0xFF, 0xFF, 0xFF],
        // A release before an association.
        &[5, 0, 0, 0, 0, 4, 0, 0, 0, 0],
        // Data before an association.
        &[4, 0, 0, 0, 0, 6, 0, 0, 0, 2, 1, 3],
        // A request that is cut short within its length.
        &[1, 0, 0, 0, 0, 2, 0, 1],
        // One that ends.
        &[1, 0, 0, 0, 1],
    ];
    let count = garbage.len();
    for bytes in garbage {
        let mut raw = Raw::connect(node.port).await;
        raw.0.write_all(bytes).await.unwrap();
        raw.0.shutdown().await.unwrap();
        // It is aborted or closed, not left open.
        while raw.receive().await.is_some() {}
    }
    still_there(&node).await;
    eventually("all of it is recorded", async || {
        let records = node.records();
        records
            .iter()
            .filter(|it| it.contains("Security Alert"))
            .count()
            == count
    })
    .await;
}

#[tokio::test]
async fn rejections_say_why() {
    let here = folder();
    let node = Node::open(here.path()).await;
    let good = request(&[(VERIFICATION, &[IMPLICIT])]);
    let mut version = good.clone();
    version.protocol_version = 2;
    let mut context = good.clone();
    context.application_context_name = "1.2.3".to_owned();
    let mut called = good.clone();
    called.called_ae_title = "SOMEBODY".to_owned();
    // Result, source, reason (PS3.8 table 9-21).
    for (request, wanted) in [
        (version, [1, 2, 2]),
        (context, [1, 1, 2]),
        (called, [1, 1, 7]),
    ] {
        let mut raw = Raw::connect(node.port).await;
        raw.send(&Pdu::AssociationRQ(request)).await;
        let mut bytes = [0; 10];
        tokio::io::AsyncReadExt::read_exact(&mut raw.0, &mut bytes)
            .await
            .unwrap();
        assert_eq!((bytes[0], &bytes[7..10]), (3, &wanted[..]));
    }
    still_there(&node).await;
}

#[tokio::test]
async fn contexts_are_answered_one_by_one() {
    let here = folder();
    let node = Node::open(here.path()).await;
    let mut asked = request(&[
        (VERIFICATION, &[IMPLICIT]),
        (SECONDARY_CAPTURE, &["1.2.840.10008.1.2.4.94"]),
        ("1.2.840.10008.5.1.4.1.2.2.1", &[IMPLICIT]),
        ("1.2.840.113619.4.30", &[EXPLICIT, IMPLICIT]),
    ]);
    // A number that is taken, and one that is even.
    let mut twice = asked.presentation_contexts[0].clone();
    asked.presentation_contexts.push(twice.clone());
    twice.id = 8;
    asked.presentation_contexts.push(twice);
    // Nulls at the end of a UID.
    asked.presentation_contexts[0].abstract_syntax.push('\0');
    asked.application_context_name.push('\0');
    let mut raw = Raw::connect(node.port).await;
    raw.send(&Pdu::AssociationRQ(asked)).await;
    let Some(Pdu::AssociationAC(answer)) = raw.receive().await else {
        panic!("it is not accepted");
    };
    let results = answer.presentation_contexts.into_iter();
    let results: Vec<(u8, u8)> = results.map(|it| (it.id, it.reason as u8)).collect();
    assert_eq!(results, [(1, 0), (3, 4), (5, 3), (7, 0), (1, 2), (8, 2)]);
}

#[tokio::test]
async fn messages_in_a_wrong_order() {
    let here = folder();
    let node = Node::open(here.path()).await;
    let data = data_set("2.25.1.1", 100);
    let store = store(SECONDARY_CAPTURE, "2.25.1.1");
    let abort = async |pdus: &[Vec<(u8, u8, &[u8])>]| {
        let mut raw = storing(&node).await;
        for pdu in pdus {
            let mut body = Vec::new();
            for (context, control, bytes) in pdu {
                body.extend((bytes.len() as u32 + 2).to_be_bytes());
                body.extend([*context, *control]);
                body.extend(*bytes);
            }
            let mut all = vec![4, 0];
            all.extend((body.len() as u32).to_be_bytes());
            all.extend(body);
            raw.0.write_all(&all).await.unwrap();
        }
        match raw.receive().await {
            Some(Pdu::AbortRQ { .. }) => {}
            other => panic!("{other:?}"),
        }
    };
    // A data set without a command.
    abort(&[vec![(1, 2, &data)]]).await;
    // Another command in the middle of a data set.
    abort(&[vec![(1, 3, &store), (1, 0, &data[..50]), (1, 3, &store)]]).await;
    // Of a context that was not agreed upon.
    abort(&[vec![(9, 3, &store)]]).await;
    // Its data set in another one.
    abort(&[vec![(1, 3, &store), (3, 2, &data)]]).await;
    // A command without an end, and longer than any.
    let endless = vec![0; 40_000];
    abort(&[vec![(1, 1, &endless)], vec![(1, 1, &endless)]]).await;
    // A command that is none.
    abort(&[vec![(1, 3, &[1, 2, 3])]]).await;
    still_there(&node).await;
    assert!(node.objects().is_empty());
}

#[tokio::test]
async fn a_sender_that_dies_leaves_what_was_acknowledged_and_nothing_else() {
    let here = folder();
    let node = Node::open(here.path()).await;
    let mut raw = storing(&node).await;
    let first = store(SECONDARY_CAPTURE, "2.25.1.1");
    raw.message(1, &first, Some(&data_set("2.25.1.1", 1000)))
        .await;
    let (answer, _) = raw.next_message().await;
    assert_eq!(number(&answer, 0x0900), Some(0));
    // So much that a part of it is written already.
    let second = store(SECONDARY_CAPTURE, "2.25.1.2");
    let large = data_set("2.25.1.2", 5_000_000);
    raw.message(1, &second, None).await;
    for piece in large[..3_000_000].chunks(100_000) {
        let mut pdu = vec![4, 0];
        pdu.extend((piece.len() as u32 + 6).to_be_bytes());
        pdu.extend((piece.len() as u32 + 2).to_be_bytes());
        pdu.extend([1, 0]);
        pdu.extend(piece);
        raw.0.write_all(&pdu).await.unwrap();
    }
    eventually("it is being written", async || node.incoming() == 1).await;
    drop(raw);
    eventually("it is gone", async || node.incoming() == 0).await;
    let objects = node.objects();
    assert_eq!(objects.keys().collect::<Vec<_>>(), ["2.25.1.1"]);
    // What came is recorded, though nobody released the association.
    eventually("it is recorded", async || {
        let done = "RAD-8 DICOM Instances Transferred 0 P-1^^^&1.2.3.7&ISO";
        node.records().iter().any(|it| it == done)
    })
    .await;
    still_there(&node).await;
}

#[tokio::test]
async fn operations_that_are_not_provided() {
    let here = folder();
    let node = Node::open(here.path()).await;
    let mut raw = Raw::associate(
        node.port,
        &[(VERIFICATION, &[IMPLICIT]), (COMMITMENT, &[IMPLICIT])],
    )
    .await;
    // C-FIND with an identifier, C-CANCEL, which is not answered, N-GET, C-STORE in a context of no
    // storage class.
    let of = |field: u16, data: u8| {
        command(&[
            (0x0100, &field.to_le_bytes()),
            (0x0110, &[9, 0]),
            (0x0800, &[data, 1]),
        ])
    };
    raw.message(1, &of(0x0020, 0), Some(b"whatever")).await;
    let (answer, _) = raw.next_message().await;
    assert_eq!(number(&answer, 0x0100), Some(0x8020));
    assert_eq!(number(&answer, 0x0900), Some(0x0211));
    raw.message(1, &of(0x0FFF, 1), None).await;
    raw.message(1, &of(0x0110, 1), None).await;
    let (answer, _) = raw.next_message().await;
    assert_eq!(number(&answer, 0x0100), Some(0x8110));
    let store = store(SECONDARY_CAPTURE, "2.25.1.1");
    raw.message(1, &store, Some(&data_set("2.25.1.1", 10)))
        .await;
    let (answer, _) = raw.next_message().await;
    assert_eq!(number(&answer, 0x0900), Some(0x0122));
    assert!(node.objects().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Objects of which a part was turned into something else.
    #[test]
    fn data_sets_that_were_damaged(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let here = folder();
            let node = Node::open(here.path()).await;
            let mut data = data_set("2.25.1.1", 60);
            for (at, value) in changes {
                let at = at.index(data.len());
                data[at] = value;
            }
            data.truncate(length.index(data.len() * 4).min(data.len()));
            let mut raw = storing(&node).await;
            raw.message(1, &store(SECONDARY_CAPTURE, "2.25.1.1"), Some(&data)).await;
            let (answer, _) = raw.next_message().await;
            let status = number(&answer, 0x0900).unwrap();
            // It is refused, or was kept under the name that it has.
            let objects = node.objects();
            assert_eq!(objects.len(), usize::from(status == 0), "{status:04X}");
            assert!([0, 0xA900, 0xC000].contains(&status), "{status:04X}");
            assert_eq!(node.incoming(), 0);
        });
    }

    /// Commands of any elements.
    #[test]
    fn commands_of_whatever(
        elements in proptest::collection::vec(
            (prop_oneof![Just(0x0002_u16), Just(0x0100), Just(0x0110), Just(0x0800), Just(0x1000), any::<u16>()],
             proptest::collection::vec(any::<u8>(), 0..70)),
            0..8,
        ),
        field in prop_oneof![Just(0x0001_u16), Just(0x0030), Just(0x0130), Just(0x8100), any::<u16>()],
        cut in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let here = folder();
            let node = Node::open(here.path()).await;
            let mut bytes: Vec<u8> = elements
                .iter()
                .flat_map(|(number, value)| element(*number, value))
                .collect();
            bytes.extend(element(0x0100, &field.to_le_bytes()));
            bytes.truncate(bytes.len() - cut.index(bytes.len() * 3).min(8));
            let mut raw = storing(&node).await;
            raw.message(1, &bytes, Some(&data_set("2.25.1.1", 10))).await;
            let mut release = vec![5, 0, 0, 0, 0, 4];
            release.extend([0; 4]);
            raw.0.write_all(&release).await.unwrap();
            // Whatever is answered, it ends.
            while raw.receive().await.is_some() {}
            still_there(&node).await;
        });
    }
}
