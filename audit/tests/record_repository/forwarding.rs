//! What one repository receives goes on to another, exactly.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use hilum_audit::record_repository::{Form, Received, RecordRepository, Via};
use hilum_audit::sender::Receiver;
use hilum_transport::{Limits, streams};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::store::{Store, record};

const PATIENCE: Duration = Duration::from_secs(30);

/// Forwards to this port of this machine, until it is told to stop.
fn forward(
    repository: &RecordRepository,
    scheme: &str,
    port: u16,
) -> (oneshot::Sender<()>, JoinHandle<bool>) {
    let receiver = Receiver {
        target: format!("{scheme}://127.0.0.1:{port}").parse().unwrap(),
        tls: None,
        records_per_second: NonZeroU32::new(100_000).unwrap(),
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let repository = repository.clone();
    let running = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        repository
            .forward(receiver, Limits::default(), stopped)
            .await
    });
    (stop, running)
}

/// Receives on this port, until it is told to stop.
async fn receive(
    repository: &RecordRepository,
    port: u16,
) -> (oneshot::Sender<()>, JoinHandle<bool>) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let repository = repository.clone();
    let running = tokio::spawn(async move {
        let handle = move |incoming| {
            let repository = repository.clone();
            async move { repository.receive(Via::Tcp, incoming).await }
        };
        let stopped = async { drop(stopped.await) };
        streams::serve(listener, None, Limits::default(), 9, handle, stopped).await
    });
    (stop, running)
}

async fn until(repository: &RecordRepository, count: u64) {
    let mut end = repository.log().changes();
    let enough = end.wait_for(|end| *end >= count);
    tokio::time::timeout(PATIENCE, enough)
        .await
        .unwrap()
        .unwrap();
}

fn bytes(repository: &RecordRepository) -> Vec<Vec<u8>> {
    let all = repository.log().from(0, usize::MAX).unwrap();
    all.into_iter().map(|(_, record)| record.bytes).collect()
}

/// The second repository is away at first, goes away in between, and the first is started anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_out_whoever_goes_away() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let (from, to) = (Store::new(), Store::new());
    let (first, second) = (from.open(), to.open());
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let mut append = async |repository: &RecordRepository, count: u64| {
        for number in 0..count {
            let mut message = record(number);
            // All 8 bits, and lines that are none.
            message.bytes.extend_from_slice(b"\n\xff\x00 9 <");
            let fhir = Received {
                form: Form::FhirJson,
                ..record(number)
            };
            sent.push(message.bytes.clone());
            repository.log().append(vec![message, fhir]).await.unwrap();
        }
        sent.clone()
    };
    append(&first, 300).await;
    let (stop, running) = forward(&first, "syslog+tcp", port);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (close, receiving) = receive(&second, port).await;
    until(&second, 300).await;
    close.send(()).unwrap();
    assert!(receiving.await.unwrap());
    let expected = append(&first, 200).await;
    let (_close, _receiving) = receive(&second, port).await;
    // What was not confirmed came again, in its order.
    let began = Instant::now();
    let rest = loop {
        let received = bytes(&second);
        let whole = received.len() >= expected.len()
            && received.ends_with(&expected[expected.len() - 200..]);
        if whole {
            break received;
        }
        assert!(began.elapsed() < PATIENCE, "{}", received.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(rest[..300], expected[..300]);
    assert!(expected.ends_with(&rest[300..]) || rest[300..].ends_with(&expected[300..]));
    // What is confirmed is remembered.
    let cursor = from.path().join("forwarded");
    while !cursor.is_dir() {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.send(()).unwrap();
    assert!(running.await.unwrap());
    drop(first);
    let first = from.open();
    let so_far = second.log().end();
    let (_stop, _running) = forward(&first, "syslog+tcp", port);
    append(&first, 1).await;
    until(&second, so_far + 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(second.log().end(), so_far + 1);
}

#[tokio::test]
async fn datagrams_are_forwarded_too() {
    let (from, to) = (Store::new(), Store::new());
    let (first, second) = (from.open(), to.open());
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let receiving = second.clone();
    let never = std::future::pending();
    tokio::spawn(async move { receiving.receive_datagrams(socket, never).await });
    first
        .log()
        .append((0..9).map(record).collect())
        .await
        .unwrap();
    let (_stop, _running) = forward(&first, "syslog+udp", port);
    until(&second, 9).await;
    let expected: Vec<Vec<u8>> = (0..9).map(|number| record(number).bytes).collect();
    assert_eq!(bytes(&second), expected);
}
