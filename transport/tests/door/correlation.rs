//! Our client as one that is answered by a call of its own (ITI TF-2 V.5.2).

use std::net::SocketAddr;
use std::time::Duration;

use hilum_transport::{
    Asynchronous, Client, ClientError, Correlation, Incoming, Limits, Origin, Part, PartSource,
    Reply,
};
use tokio::net::TcpListener;
use xds_schemas::transaction::Transaction;

use crate::site::{Echo, Fetch, HELLO, SOAP, Site, Wait, Words, envelope};

/// Where answers are received.
struct Desk {
    correlation: Correlation,
    address: SocketAddr,
}

impl Desk {
    /// Plain, and known before the site is.
    async fn open(expected: usize, patience: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let correlation =
            Correlation::new(format!("http://{address}/answers")).within(expected, patience);
        let receives = correlation.clone();
        let routes = move |incoming| {
            let receives = receives.clone();
            async move {
                match incoming {
                    Incoming::Call(call) => match receives.receive(call).await {
                        Ok(reply) => reply,
                        Err(fault) => Reply::fault(&fault),
                    },
                    Incoming::Refused(refusal) => refusal.reply(),
                    Incoming::Get(_) | Incoming::Request(_) => Reply::plain(404, "text/plain", ""),
                }
            }
        };
        let forever = std::future::pending();
        let limits = Limits::default();
        tokio::spawn(hilum_transport::serve(
            listener, None, limits, routes, forever,
        ));
        Self {
            correlation,
            address,
        }
    }

    async fn site(&self, secure: bool) -> Site {
        let server = format!("http://{}", self.address);
        let allowed = Asynchronous {
            reply_to: vec![Origin::parse(&server).unwrap()],
            ..Asynchronous::default()
        };
        Site::answering(Limits::default(), secure, &allowed).await
    }
}

fn client() -> Client {
    Client::new(None, Limits::default())
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/room")
}

#[tokio::test]
async fn answers_find_their_requests() {
    let desk = Desk::open(1000, Duration::from_secs(30)).await;
    let site = desk.site(true).await;
    let client = site.client("viewer");
    let path = site.folder.path().join("file");
    let content: Vec<u8> = (0..3_000_001_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&path, &content).unwrap();
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (client, url, desk) = (client.clone(), site.url(), desk.correlation.clone());
        let part = Part {
            content_id: "1@x".into(),
            content_type: "text/plain".into(),
            source: PartSource::File {
                path: path.clone(),
                offset: 0,
                length: 10_000 + number,
            },
        };
        asking.spawn(async move {
            let words = Words::of(&number.to_string());
            let answer = client.send_asynchronously::<Echo>(&url, &words, vec![part], &desk);
            let text = answer.await.unwrap().response.text;
            assert_eq!(text, format!("{number} 1@x={}", 10_000 + number));
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }
    // A document comes as a stream, on the connection of the answer.
    let ask = Words::of(&path.display().to_string());
    let url = site.url();
    let answer = client.send_asynchronously::<Fetch>(&url, &ask, vec![], &desk.correlation);
    let mut answer = answer.await.unwrap();
    let attachment = answer.attachments.next().await.unwrap().unwrap();
    assert!(attachment.collect(4_000_000).await.unwrap() == content[1..]);
    assert!(answer.attachments.next().await.unwrap().is_none());
    assert!(site.stop().await);
}

#[tokio::test]
async fn faults_come_on_either_connection() {
    let desk = Desk::open(1000, Duration::from_secs(30)).await;
    let site = desk.site(false).await;
    let (client, url) = (client(), url(site.address));
    let nothing = Words::of("");
    let asked = client.send_asynchronously::<Wait>(&url, &nothing, vec![], &desk.correlation);
    let Err(ClientError::Fault { fault, .. }) = asked.await else {
        panic!("a fault was expected")
    };
    assert_eq!(fault.reason, "nothing to wait for");
    let other = Desk::open(1000, Duration::from_secs(30)).await;
    let words = Words::of("hi");
    let asked = client.send_asynchronously::<Echo>(&url, &words, vec![], &other.correlation);
    let Err(ClientError::Fault { fault, .. }) = asked.await else {
        panic!("a fault was expected")
    };
    assert!(fault.is("OnlyAnonymousAddressSupported"), "{fault}");
}

/// ITI TF-2 V.5.2: the requestor should have a time-out.
#[tokio::test]
async fn nobody_waits_for_ever_or_for_too_much() {
    let desk = Desk::open(1, Duration::from_secs(1)).await;
    let site = desk.site(false).await;
    let (client, url) = (client(), url(site.address));
    let file = site.folder.path().join("ready");
    let never = Words::of(&file.display().to_string());
    let words = Words::of("hi");
    let waits = client.send_asynchronously::<Wait>(&url, &never, vec![], &desk.correlation);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let busy = client.send_asynchronously::<Echo>(&url, &words, vec![], &desk.correlation);
        busy.await
    };
    let (waited, busy) = tokio::join!(waits, meanwhile);
    let reason = |asked| match asked {
        Err(ClientError::Unreachable { reason, sent, .. }) => (sent, reason),
        other => panic!("no answer was expected, not {other:?}"),
    };
    assert_eq!(reason(waited), (true, "no answer within 1 seconds".into()));
    let full = "too many answers are waited for already";
    assert_eq!(reason(busy), (false, full.into()));
    // Its place is free again, and what comes too late is refused and recorded by who sent it.
    std::fs::write(file, "").unwrap();
    assert!(site.refusal().await.1.contains("HTTP status 400"));
    let answer = client.send_asynchronously::<Echo>(&url, &words, vec![], &desk.correlation);
    assert_eq!(answer.await.unwrap().response.text, "hi");
}

#[tokio::test]
async fn what_answers_nothing_is_refused() {
    let desk = Desk::open(1000, Duration::from_secs(30)).await;
    let post = |message: String| {
        let address = desk.address;
        async move {
            let request = format!(
                "POST /answers HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
                 Content-Length: {}\r\nContent-Type: {SOAP}\r\n\r\n{message}",
                message.len()
            );
            Site::exchange_with(address, request.as_bytes()).await
        }
    };
    let unrelated = envelope(Echo::RESPONSE_ACTION, HELLO);
    let answer = post(unrelated.clone()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.contains("wsa:MessageAddressingHeaderRequired"),
        "{answer}"
    );
    let header = "<a:RelatesTo>uuid:never-sent</a:RelatesTo></s:Header>";
    let answer = post(unrelated.replace("</s:Header>", header)).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("nobody here waits"), "{answer}");
}
