//! Answers that are wanted elsewhere (ITI TF-2 V.5; WS-Addressing 1.0 Core and SOAP Binding).

use std::time::{Duration, Instant};

use hilum_transport::{Asynchronous, Limits, Origin, Refused};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use xds_schemas::transaction::Transaction;

use crate::mailbox::Mailbox;
use crate::site::{Echo, Fetch, HELLO, Here, Panic, SOAP, Site, Wait, envelope};

const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
const NONE: &str = "http://www.w3.org/2005/08/addressing/none";

/// Answers may go to these; attempts are quick.
fn allowed(servers: &[&str]) -> Asynchronous {
    Asynchronous {
        reply_to: servers
            .iter()
            .map(|text| Origin::parse(text).unwrap())
            .collect(),
        pause_seconds: 0,
        ..Asynchronous::default()
    }
}

async fn site(mailboxes: &[&Mailbox]) -> Site {
    let servers: Vec<_> = mailboxes
        .iter()
        .map(|mailbox| format!("http://{}", mailbox.address))
        .collect();
    let servers: Vec<_> = servers.iter().map(String::as_str).collect();
    Site::answering(Limits::default(), false, &allowed(&servers)).await
}

/// A message whose answer is wanted at this address.
fn wanted_at(action: &str, body: &str, address: &str) -> String {
    envelope(action, body).replace(ANONYMOUS, address)
}

fn with_fault_to(message: &str, address: &str) -> String {
    let header = format!("<a:FaultTo><a:Address>{address}</a:Address></a:FaultTo></s:Header>");
    message.replace("</s:Header>", &header)
}

fn words(text: &str) -> String {
    format!("<words xmlns='urn:x'><text>{text}</text></words>")
}

fn accepted(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    let head = answer.to_lowercase();
    assert!(head.contains("content-length: 0\r\n"), "{answer}");
    assert!(!head.contains("content-type"), "{answer}");
}

/// ITI TF-2 V.9.2.4: the answer comes as a request with an Action, a MessageID of its own, what it
/// relates to, and where it goes. WS-Addressing 1.0 SOAP Binding, section 2.3: the reference
/// parameters of the endpoint are in its header.
#[tokio::test]
async fn an_answer_comes_as_a_message_of_its_own() {
    let mailbox = Mailbox::open().await;
    let site = site(&[&mailbox]).await;
    let ticket = "<a:ReferenceParameters xmlns:t='urn:ticket'><t:Number>42</t:Number>\
                  </a:ReferenceParameters></a:ReplyTo>";
    let message = wanted_at(Echo::ACTION, HELLO, &mailbox.url()).replace("</a:ReplyTo>", ticket);
    accepted(&site.post(SOAP, message.as_bytes()).await);
    let letter = &mailbox.wait(1).await[0];
    assert!(letter.starts_with("POST /answers?for=me HTTP/1.1\r\n"));
    for part in [
        &format!("host: {}", mailbox.address),
        "content-type: application/soap+xml; charset=UTF-8; action=\"urn:test:echoed\"",
        "<wsa:Action env:mustUnderstand=\"1\">urn:test:echoed</wsa:Action>",
        "<wsa:MessageID>urn:uuid:",
        "<wsa:RelatesTo>uuid:1</wsa:RelatesTo>",
        &format!("<wsa:To>{}</wsa:To>", mailbox.url()),
        "xmlns:t=\"urn:ticket\"",
        ":IsReferenceParameter=\"true\"",
        ">42</t:Number>",
        "<text>hello</text>",
    ] {
        assert!(letter.contains(part), "{part}: {letter}");
    }
    assert!(!letter.contains("wsa:ReplyTo"), "nothing answers an answer");
    let log = site.log.lock().unwrap();
    assert_eq!(log.callers[0].reply_to, Some(mailbox.url()));
    assert_eq!(log.refused, []);
}

/// Whoever can call us must not be able to make us call others.
#[tokio::test]
async fn only_servers_on_the_list_are_sent_to() {
    let mailbox = Mailbox::open().await;
    let site = Site::answering(
        Limits::default(),
        false,
        &allowed(&[
            &format!("http://{}", mailbox.address),
            "https://a.example",
            "http://[::1]:8080",
        ]),
    )
    .await;
    let port = mailbox.address.port();
    let (not_allowed, invalid) = ("OnlyAnonymousAddressSupported", "InvalidAddress");
    for (address, problem) in [
        ("http://192.0.2.1/".to_owned(), not_allowed),
        (format!("https://127.0.0.1:{port}/"), not_allowed),
        (format!("http://127.0.0.2:{port}/"), not_allowed),
        (format!("http://localhost:{port}/"), not_allowed),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), not_allowed),
        (
            format!("http://127.0.0.1.evil.example:{port}/"),
            not_allowed,
        ),
        ("http://127.0.0.1/".to_owned(), not_allowed),
        (format!("http://127.0.0.1:{port}0/"), invalid),
        ("https://a.example.evil/".to_owned(), not_allowed),
        ("https://a.example:4430/".to_owned(), not_allowed),
        ("http://a.example/".to_owned(), not_allowed),
        ("http://[::1]/".to_owned(), not_allowed),
        (format!("http://127.0.0.1:{port}@192.0.2.1/"), invalid),
        (format!("http://192.0.2.1@127.0.0.1:{port}/"), invalid),
        (format!("http://127.0.0.1:{port}\\@192.0.2.1/"), invalid),
        (format!("http://127.0.0.1:{port} .evil/"), invalid),
        ("mailto:somebody@a.example".to_owned(), invalid),
        ("file:///etc/passwd".to_owned(), invalid),
        ("urn:uuid:1".to_owned(), invalid),
        ("nonsense".to_owned(), invalid),
        (String::new(), invalid),
        (
            format!("http://127.0.0.1:{port}/{}", "x".repeat(3000)),
            invalid,
        ),
    ] {
        let message = wanted_at(Echo::ACTION, HELLO, &address);
        let faults = with_fault_to(&envelope(Echo::ACTION, HELLO), &address);
        for (message, header) in [(message, "ReplyTo"), (faults, "FaultTo")] {
            let answer = site.post(SOAP, message.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{address}: {answer}");
            for part in [
                &format!("wsa:{problem}"),
                &format!("<wsa:ProblemHeaderQName>wsa:{header}</wsa:ProblemHeaderQName>"),
                "<wsa:RelatesTo>uuid:1</wsa:RelatesTo>",
            ] {
                assert!(answer.contains(part), "{address}: {answer}");
            }
            let says_what_to_do = answer.contains("reply_to in [asynchronous]");
            assert_eq!(says_what_to_do, problem == not_allowed, "{answer}");
        }
    }
    let other = mailbox.url().replace("http", "HTTP");
    let message = wanted_at(Echo::ACTION, HELLO, &other);
    accepted(&site.post(SOAP, message.as_bytes()).await);
    assert_eq!(mailbox.wait(1).await.len(), 1);
}

/// ITI TF-2 V.5.3: if nothing is specified, only synchronous exchange is expected.
#[tokio::test]
async fn a_transaction_that_is_not_asynchronous_is_refused() {
    let mailbox = Mailbox::open().await;
    let site = site(&[&mailbox]).await;
    let reply_to = wanted_at(Here::ACTION, HELLO, &mailbox.url());
    let fault_to = with_fault_to(&envelope(Here::ACTION, HELLO), &mailbox.url());
    for message in [reply_to, fault_to] {
        let answer = site.post(SOAP, message.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("wsa:OnlyAnonymousAddressSupported"));
        assert!(answer.contains("on the connection of its request"));
    }
    let here = with_fault_to(&envelope(Here::ACTION, HELLO), ANONYMOUS);
    let here = site.post(SOAP, here.as_bytes()).await;
    assert!(here.starts_with("HTTP/1.1 200 "), "{here}");
    assert_eq!(mailbox.letters(), [""; 0]);
}

/// What cannot be carried out is refused on the connection, where the caller sees it.
#[tokio::test]
async fn what_is_refused_before_it_is_accepted_is_refused_here() {
    let mailbox = Mailbox::open().await;
    let site = site(&[&mailbox]).await;
    let unknown = wanted_at("urn:unheard", HELLO, &mailbox.url());
    let garbled = wanted_at(Echo::ACTION, "<words><", &mailbox.url());
    let unnamed = wanted_at(Echo::ACTION, HELLO, &mailbox.url())
        .replace("<a:MessageID>uuid:1</a:MessageID>", "");
    for (message, part) in [
        (unknown, "wsa:ActionNotSupported"),
        (garbled, "cannot be read"),
        (unnamed, "wsa:MessageAddressingHeaderRequired"),
    ] {
        let answer = site.post(SOAP, message.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains(part), "{answer}");
    }
    assert_eq!(mailbox.letters(), [""; 0]);
}

/// WS-Addressing 1.0 Core, section 3.4: a fault goes to FaultTo, or else to ReplyTo.
#[tokio::test]
async fn faults_go_where_they_are_wanted() {
    let (answers, faults) = (Mailbox::open().await, Mailbox::open().await);
    let site = site(&[&answers, &faults]).await;
    let fails = wanted_at(Wait::ACTION, &words(""), &answers.url());
    accepted(&site.post(SOAP, fails.as_bytes()).await);
    let letter = &answers.wait(1).await[0];
    assert!(letter.contains(">http://www.w3.org/2005/08/addressing/soap/fault</wsa:Action>"));
    assert!(letter.contains("nothing to wait for"), "{letter}");
    assert!(letter.contains("<wsa:RelatesTo>uuid:1</wsa:RelatesTo>"));

    let elsewhere = with_fault_to(&fails, &faults.url());
    accepted(&site.post(SOAP, elsewhere.as_bytes()).await);
    let letter = &faults.wait(1).await[0];
    assert!(letter.contains(&format!("<wsa:To>{}</wsa:To>", faults.url())));

    let works = with_fault_to(
        &wanted_at(Echo::ACTION, HELLO, &answers.url()),
        &faults.url(),
    );
    accepted(&site.post(SOAP, works.as_bytes()).await);
    assert!(answers.wait(2).await[1].contains("<text>hello</text>"));

    // One of them on the connection: it is kept until that is known.
    let here = with_fault_to(&fails, ANONYMOUS);
    let here = site.post(SOAP, here.as_bytes()).await;
    assert!(here.starts_with("HTTP/1.1 500 "), "{here}");
    let works = with_fault_to(&envelope(Echo::ACTION, HELLO), &faults.url());
    let here = site.post(SOAP, works.as_bytes()).await;
    assert!(here.starts_with("HTTP/1.1 200 "), "{here}");
    let fails = with_fault_to(&envelope(Wait::ACTION, &words("")), &faults.url());
    accepted(&site.post(SOAP, fails.as_bytes()).await);
    assert_eq!(faults.wait(2).await.len(), 2);
    assert_eq!(answers.letters().len(), 2);
}

/// WS-Addressing 1.0 Core, section 2.1: messages to "none" are not sent.
#[tokio::test]
async fn who_wants_no_answer_gets_none() {
    let site = Site::plain(Limits::default()).await;
    for message in [
        wanted_at(Echo::ACTION, HELLO, NONE),
        wanted_at(Here::ACTION, HELLO, NONE),
        wanted_at(Wait::ACTION, &words(""), NONE),
    ] {
        accepted(&site.post(SOAP, message.as_bytes()).await);
    }
    let fails = with_fault_to(&envelope(Wait::ACTION, &words("")), NONE);
    accepted(&site.post(SOAP, fails.as_bytes()).await);
    assert_eq!(site.log.lock().unwrap().callers.len(), 4);
}

/// The connection is free as soon as the request was taken, however long the room needs.
#[tokio::test]
async fn the_connection_does_not_wait_for_the_room() {
    let mailbox = Mailbox::open().await;
    let site = site(&[&mailbox]).await;
    let file = site.folder.path().join("ready");
    let body = words(&file.display().to_string());
    let message = wanted_at(Wait::ACTION, &body, &mailbox.url());
    accepted(&site.post(SOAP, message.as_bytes()).await);
    assert_eq!(mailbox.letters(), [""; 0]);
    std::fs::write(file, "").unwrap();
    assert!(mailbox.wait(1).await[0].contains("at last"));
}

/// Who is answered elsewhere need not wait for anything.
#[tokio::test]
async fn whoever_hangs_up_is_answered_all_the_same() {
    let mailbox = Mailbox::open().await;
    let site = site(&[&mailbox]).await;
    let file = site.folder.path().join("ready");
    let body = words(&file.display().to_string());
    let message = wanted_at(Wait::ACTION, &body, &mailbox.url());
    let message = with_fault_to(&message, ANONYMOUS);
    let request = format!(
        "POST /room HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\nContent-Type: {SOAP}\r\n\r\n{message}",
        message.len()
    );
    let mut stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    while site.log.lock().unwrap().callers.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
    std::fs::write(file, "").unwrap();
    assert!(mailbox.wait(1).await[0].contains("at last"));
}

#[tokio::test]
async fn a_call_that_is_lost_is_told_and_recorded() {
    let mailbox = Mailbox::open().await;
    let site = site(&[&mailbox]).await;
    let message = wanted_at(Panic::ACTION, HELLO, &mailbox.url());
    accepted(&site.post(SOAP, message.as_bytes()).await);
    assert!(mailbox.wait(1).await[0].contains("lost by an internal error"));
    assert_eq!(site.refusal().await.0, Refused::Lost);
}

#[tokio::test]
async fn a_server_that_is_down_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let slowly = Asynchronous {
        pause_seconds: 1,
        ..allowed(&[&format!("http://{address}")])
    };
    let site = Site::answering(Limits::default(), false, &slowly).await;
    let message = wanted_at(Echo::ACTION, HELLO, &format!("http://{address}/"));
    accepted(&site.post(SOAP, message.as_bytes()).await);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let listener = TcpListener::bind(address).await.unwrap();
    let mailbox = Mailbox::at(listener, "200 OK", Duration::ZERO);
    mailbox.wait(1).await;
    assert!(site.stop().await);
    assert_eq!(mailbox.letters().len(), 1, "nobody gets an answer twice");
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_recorded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let refuses = Mailbox::saying("503 Service Unavailable", Duration::ZERO).await;
    let elsewhere = Mailbox::open().await;
    // What follows the status line of the answer is this header.
    let moved = format!("307 Moved\r\nLocation: {}", elsewhere.url());
    let moves = Mailbox::saying(moved.leak(), Duration::ZERO).await;
    let servers = [nobody, refuses.address, moves.address, elsewhere.address];
    let servers = servers.map(|address| format!("http://{address}"));
    let servers = servers.each_ref().map(String::as_str);
    let site = Site::answering(Limits::default(), false, &allowed(&servers)).await;
    for (url, reason) in [
        (format!("http://{nobody}/"), "cannot be reached"),
        (refuses.url(), "HTTP status 503"),
        (moves.url(), "HTTP status 307"),
    ] {
        let message = wanted_at(Echo::ACTION, HELLO, &url);
        accepted(&site.post(SOAP, message.as_bytes()).await);
        let (what, why) = site.refusal().await;
        assert_eq!(what, Refused::Answer);
        assert!(why.contains(reason), "{why}");
        assert!(!why.contains("/answers"), "only the server is named: {why}");
    }
    assert_eq!(
        refuses.letters().len(),
        1,
        "what was sent is not sent again"
    );
    assert_eq!(
        elsewhere.letters(),
        [""; 0],
        "redirections are not followed"
    );
}

#[tokio::test]
async fn only_so_many_calls_wait_for_one_server() {
    let (slow, other) = (Mailbox::open().await, Mailbox::open().await);
    let servers = [&slow, &other].map(|mailbox| format!("http://{}", mailbox.address));
    let few = Asynchronous {
        waiting: 2,
        ..allowed(&servers.each_ref().map(String::as_str))
    };
    let site = Site::answering(Limits::default(), false, &few).await;
    let file = site.folder.path().join("ready");
    let body = words(&file.display().to_string());
    let message = wanted_at(Wait::ACTION, &body, &slow.url());
    for _ in 0..2 {
        accepted(&site.post(SOAP, message.as_bytes()).await);
    }
    let answer = site.post(SOAP, message.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("wsa:EndpointUnavailable"), "{answer}");
    // Who is slow keeps nobody else from being answered.
    let elsewhere = wanted_at(Echo::ACTION, HELLO, &other.url());
    accepted(&site.post(SOAP, elsewhere.as_bytes()).await);
    other.wait(1).await;
    std::fs::write(file, "").unwrap();
    slow.wait(2).await;
    for _ in 0..200 {
        let answer = site.post(SOAP, message.as_bytes()).await;
        if answer.starts_with("HTTP/1.1 202 ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no place became free");
}

#[tokio::test]
async fn whoever_stops_sends_what_waits() {
    let slow = Mailbox::saying("202 Accepted", Duration::from_millis(300)).await;
    let site = site(&[&slow]).await;
    let message = wanted_at(Echo::ACTION, HELLO, &slow.url());
    for _ in 0..3 {
        accepted(&site.post(SOAP, message.as_bytes()).await);
    }
    assert!(site.stop().await, "all were sent in time");
    assert_eq!(slow.letters().len(), 3);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let patient = Asynchronous {
        pause_seconds: 60,
        ..allowed(&[&format!("http://{nobody}")])
    };
    let site = Site::answering(Limits::default(), false, &patient).await;
    let message = wanted_at(Echo::ACTION, HELLO, &format!("http://{nobody}/"));
    accepted(&site.post(SOAP, message.as_bytes()).await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (log, began) = (std::sync::Arc::clone(&site.log), Instant::now());
    assert!(site.stop().await);
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "nobody waits then"
    );
    assert_eq!(log.lock().unwrap().refused[0].0, Refused::Answer);
}

/// Documents go from their file to the address, as MTOM if the call came so.
#[tokio::test]
async fn documents_are_sent_elsewhere_too() {
    let mailbox = Mailbox::open().await;
    let site = site(&[&mailbox]).await;
    let path = site.folder.path().join("file");
    std::fs::write(&path, format!("x{}", "document ".repeat(100_000))).unwrap();
    let body = words(&path.display().to_string());
    let message = wanted_at(Fetch::ACTION, &body, &mailbox.url());
    let multipart = format!(
        "--b\r\nContent-Type: application/xop+xml\r\nContent-ID: <r@x>\r\n\r\n{message}\r\n--b--\r\n"
    );
    let kind = "multipart/related; type=\"application/xop+xml\"; boundary=b; start=\"<r@x>\"; \
                start-info=\"application/soap+xml\"";
    accepted(&site.post(kind, multipart.as_bytes()).await);
    let letter = &mailbox.wait(1).await[0];
    assert!(letter.contains("content-type: multipart/related;"));
    assert!(
        letter.contains("action=\"urn:test:fetched\""),
        "{}",
        &letter[..500]
    );
    assert!(letter.contains("<xop:Include"));
    assert_eq!(letter.matches("document ").count(), 100_000);
    accepted(&site.post(SOAP, message.as_bytes()).await);
    let letter = &mailbox.wait(2).await[1];
    assert!(letter.contains("content-type: application/soap+xml;"));
    assert!(!letter.contains("<xop:Include"));
}
