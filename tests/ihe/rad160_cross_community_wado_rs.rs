//! RAD-160: images of another community over WADO-RS, as they come, and only from whom the operator named.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use hilum_dicom::phantoms::{self, Detail};
use hilum_dicom::scan::scan;
use hilum_tests::region::{Region, home, repository};
use hilum_tests::{Setup, Town};
use hilum_transport::{Client, HttpAnswer, HttpRequest};

/// The longest that a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn path(community: usize, study: &str) -> String {
    let (home, location) = (home(community), repository(community));
    format!("/homeCommunityId/{home}/RetrieveLocationUID/{location}/study/{study}")
}

/// Images as they are stored.
fn stored() -> [(&'static str, String); 1] {
    [("accept", "application/dicom; transfer-syntax=*".to_owned())]
}

async fn get(client: &Client, url: &str, headers: &[(&str, String)]) -> HttpAnswer {
    let request = HttpRequest {
        method: "GET",
        url,
        headers,
        body: Bytes::new(),
    };
    client.exchange_http(request, 1 << 28).await.unwrap()
}

#[tokio::test]
async fn images_of_another_community_come_over_the_web() {
    let mut region = Region::secure(2);
    let away = &region.towns[1];
    let folder = away.folder().join("dicom");
    phantoms::write(&folder, "abroad", SystemTime::now(), Detail::Small).unwrap();
    let imported = away.run(&["import", folder.to_str().unwrap()]);
    assert!(imported.status.success(), "{imported:?}");
    let studies = scan(&[folder], &|_, _| {}).unwrap().studies;
    let study = &studies[0];
    let town = &region.towns[0];
    let stored = stored();
    for series in &study.series {
        for instance in series.instances.iter().take(2) {
            let study = &study.uid.to_string();
            let (series, sop) = (&series.uid, &instance.sop_instance_uid);
            let path = format!("{}/series/{series}/instances/{sop}", path(1, study));
            let file = std::fs::read(instance.place.path().unwrap()).unwrap();
            // From the own gateway, and as a foreign one asks.
            for (client, base) in [
                (&town.client, town.initiating_wado()),
                (&away.client, away.responding_wado()),
                (&away.client, away.initiating_wado()),
            ] {
                let got = get(client, &(base + &path), &stored).await;
                assert_eq!(got.status, 200);
                assert_eq!(
                    got.header("content-type").unwrap().split(';').next(),
                    Some("application/dicom")
                );
                assert!(got.body == file, "{path}");
            }
        }
    }
    let study = study.uid.to_string();
    beside_the_path(town, &study).await;
    only_whom_the_operator_named(town, away, &study).await;

    for town in &region.towns {
        let code = "csd-code=\"RAD-160\"";
        let messages = town.messages();
        let mut of_it = messages.iter().filter(|it| it.contains(code));
        assert!(
            of_it.any(|it| it.contains(&study)),
            "both have a record of it"
        );
    }
    let base = region.towns[0].initiating_wado();
    region.towns[1].stop();
    let town = &region.towns[0];
    let got = get(&town.client, &format!("{base}{}", path(1, &study)), &stored).await;
    assert_eq!(got.status, 502);
    let told = String::from_utf8_lossy(&got.body).into_owned();
    assert!(told.contains("town 1: it cannot be reached"), "{told}");
    assert!(
        town.log().contains("no answer to WADO-RS"),
        "{}",
        town.log()
    );
}

/// What goes beside the path: Accept, parameters, what follows the study, what is not there.
async fn beside_the_path(town: &Town, study: &str) {
    let stored = stored();
    let base = town.initiating_wado();
    let json = [("accept", "application/dicom+json".to_owned())];
    let metadata = get(
        &town.client,
        &format!("{base}{}/metadata", path(1, study)),
        &json,
    )
    .await;
    assert_eq!(metadata.status, 200);
    assert!(metadata.body.starts_with(b"[{"));
    let asked = format!(
        "{base}{}/metadata?accept=application/dicom%2Bjson",
        path(1, study)
    );
    assert_eq!(get(&town.client, &asked, &[]).await.status, 200);
    let text = [("accept", "text/csv".to_owned())];
    for (url, headers, status) in [
        (path(1, study), &text, 406),
        (path(1, "2.999.404"), &stored, 404),
        (path(5, study), &stored, 404),
        (
            path(1, study).replace(&repository(1), "2.999.77"),
            &stored,
            404,
        ),
        (path(1, study).replace("study", "patient"), &stored, 404),
        (path(1, "x"), &stored, 400),
        (format!("{}/..", path(1, study)), &stored, 404),
        (
            format!("{}/series/{}", path(1, study), "1".repeat(1024)),
            &stored,
            414,
        ),
    ] {
        let got = get(&town.client, &format!("{base}{url}"), headers).await;
        assert_eq!(got.status, status, "{url}");
    }
}

/// A URL names nobody whom the operator has not named.
async fn only_whom_the_operator_named(town: &Town, away: &Town, study: &str) {
    let base = town.initiating_wado();
    let json = [("accept", "application/dicom+json".to_owned())];
    // Whom a Responding Gateway does not know it does not ask.
    let other = format!("{}{}", town.responding_wado(), path(1, study));
    let refused = get(&town.client, &other, &stored()).await;
    assert_eq!(refused.status, 404);

    // The base may be named, if it is one that is known.
    let known = away.imaging().replace("/imaging", "/dicom-web");
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let strange = format!("https://{}/dicom-web", stranger.local_addr().unwrap());
    for (url, status) in [(&known, 200), (&strange, 404)] {
        let url = format!("{base}{}/metadata?retrieveurl={url}", path(1, study));
        assert_eq!(get(&town.client, &url, &json).await.status, status, "{url}");
    }
    assert!(stranger.accept().is_err(), "nobody calls whom a URL names");
}

/// A community of which only WADO-RS is there, and one that says nothing.
fn town_with(partner: &TcpListener, lines: &str) -> Town {
    let mut town = Town::set_up(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let text = std::fs::read_to_string(town.config()).unwrap();
    let community = format!(
        "\n[[gateway.community]]\nhome_community_id = \"urn:oid:{}\"\nname = \"Abroad\"\n\
         url = \"http://{address}/soap\"\nwado_url = \"http://{address}/wado\"\n{lines}\n",
        home(1),
        address = partner.local_addr().unwrap(),
    );
    std::fs::write(town.config(), text + &community).unwrap();
    town.start();
    town
}

/// The head of a request.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// A partner that begins an answer, waits to be told, and goes on until nobody listens any more. Tells what it
/// was asked and whether it was left alone.
fn begin_and_go_on(partner: &TcpListener, wait: &mpsc::Receiver<()>, tell: &mpsc::Sender<String>) {
    let (mut stream, _) = partner.accept().unwrap();
    tell.send(head(&mut stream)).unwrap();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/dicom\r\nETag: \"7\"\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"5\r\nfirst\r\n").unwrap();
    wait.recv().unwrap();
    // Until nobody listens any more.
    let began = Instant::now();
    let chunk = [&b"10000\r\n"[..], &vec![b'x'; 0x10000], b"\r\n"].concat();
    let mut sent = 0;
    while began.elapsed() < PATIENCE {
        match stream.write_all(&chunk) {
            Ok(()) => sent += chunk.len(),
            Err(_) => break,
        }
    }
    tell.send(format!("{} after {sent}", began.elapsed() < PATIENCE))
        .unwrap();
}

/// What comes first goes on before the last has come; and who leaves is left alone.
#[tokio::test(flavor = "multi_thread")]
async fn images_are_passed_on_as_they_come() {
    let partner = TcpListener::bind("127.0.0.1:0").unwrap();
    let town = town_with(&partner, "pass_tokens = true");
    let (go_on, wait) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || begin_and_go_on(&partner, &wait, &tell));
    let url = format!("{}{}?x=1&y=%2F", town.initiating_wado(), path(1, "1.2.3"));
    let headers = [
        ("accept", "application/dicom".to_owned()),
        ("range", "bytes=0-".to_owned()),
        ("authorization", "Bearer abc".to_owned()),
        ("cookie", "secret=1".to_owned()),
    ];
    let request = HttpRequest {
        method: "GET",
        url: &url,
        headers: &headers,
        body: Bytes::new(),
    };
    let mut stream = town.client.open_http(request).await.unwrap();
    let asked = told.recv_timeout(PATIENCE).unwrap().to_ascii_lowercase();
    let first = asked.lines().next().unwrap();
    assert_eq!(
        first,
        format!(
            "get /wado{}?x=1&y=%2f http/1.1",
            path(1, "1.2.3").to_ascii_lowercase()
        )
    );
    for expected in [
        "accept: application/dicom",
        "range: bytes=0-",
        "authorization: bearer abc",
    ] {
        assert!(asked.contains(expected), "{asked}");
    }
    assert!(!asked.contains("cookie"), "{asked}");
    assert_eq!(stream.header("etag"), Some("\"7\""));
    let chunk = tokio::time::timeout(PATIENCE, stream.chunk()).await;
    assert_eq!(&chunk.unwrap().unwrap().unwrap()[..], b"first");
    drop(stream);
    town.forget_peak();
    let before = town.peak_memory();
    go_on.send(()).unwrap();
    let ended = told.recv_timeout(2 * PATIENCE).unwrap();
    assert!(
        ended.starts_with("true"),
        "the partner is left alone: {ended}"
    );
    let growth = town.peak_memory() - before;
    assert!(growth < 32 << 20, "the node grew by {growth} bytes");
}

/// Who does not begin in time costs the deadline; and no token goes where it is not wanted.
#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_costs_the_deadline() {
    let partner = TcpListener::bind("127.0.0.1:0").unwrap();
    let town = town_with(&partner, "deadline_seconds = 1");
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = partner.accept().unwrap();
        tell.send(head(&mut stream)).unwrap();
        std::thread::sleep(PATIENCE);
    });
    let url = format!("{}{}", town.initiating_wado(), path(1, "1.2.3"));
    let token = [("authorization", "Bearer abc".to_owned())];
    let began = Instant::now();
    let got = get(&town.client, &url, &token).await;
    assert_eq!(got.status, 504);
    assert!(began.elapsed() < Duration::from_secs(5));
    let asked = told.recv_timeout(PATIENCE).unwrap().to_ascii_lowercase();
    assert!(!asked.contains("abc"), "{asked}");
    let post = HttpRequest {
        method: "POST",
        url: &url,
        headers: &[],
        body: Bytes::new(),
    };
    let post = town.client.exchange_http(post, 1 << 20).await.unwrap();
    assert_eq!(post.status, 405);
}
