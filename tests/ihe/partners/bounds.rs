//! What a partner costs at most, and where nothing is ever sent.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hilum_tests::calls::{QuerySeveral, Raw};
use hilum_tests::partner::{self, Said};
use hilum_tests::{Partner, Setup, Town, raw, words};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::iti18_registry_stored_query::QueryKind;

use super::{
    HOME, REPOSITORY, assert_got, codes, community, content, find, finds, get, ids, town, town_of,
    usual,
};

/// Asks so many times at once.
async fn many(town: &Arc<Town>, callers: usize) -> Vec<xds_schemas::ebrs::AdhocQueryResponse> {
    let asking: Vec<_> = (0..callers)
        .map(|number| {
            let town = Arc::clone(town);
            let patient = format!("P-{number}");
            let query = words::find_documents(&patient, "ObjectRef");
            tokio::spawn(async move { town.query_everywhere(query).await.unwrap() })
        })
        .collect();
    let mut answers = Vec::new();
    for asked in asking {
        answers.push(asked.await.unwrap());
    }
    answers
}

/// A question about many patients takes its turns, and no places of others.
#[tokio::test]
async fn many_patients_wait_for_their_turn() {
    let partner = Partner::open(|_| finds().after(Duration::from_millis(10)));
    let setup = Setup {
        plain: true,
        environment: vec![("HILUM_GATEWAY__CALLS".to_owned(), "2".to_owned())],
        ..Setup::default()
    };
    let town = town_of(setup, &community(&partner.url(), "calls = 2"));
    let patients = (0..100).map(|it| format!("'{}'", words::patient(&format!("P-{it}"))));
    let patients = format!("({})", patients.collect::<Vec<_>>().join(","));
    let kind = QueryKind::FindDocumentsForMultiplePatients.id();
    let slots = [
        ("$XDSDocumentEntryPatientId", &*patients),
        (
            "$XDSDocumentEntryStatus",
            "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
        ),
        (
            "$XDSDocumentEntryClassCode",
            "('REPORTS^^1.3.6.1.4.1.19376.1.2.6.1')",
        ),
    ];
    let kind = kind.trim_start_matches("urn:uuid:");
    let request = words::query(kind, "ObjectRef", &slots);
    let named = format!("<rim:AdhocQuery home=\"{HOME}\" ");
    let request = Raw(request.replace("<rim:AdhocQuery ", &named));
    let url = town.initiating();
    let sent = town.client.send::<QuerySeveral>(&url, &request, Vec::new());
    let response = sent.await.unwrap().response;
    assert_eq!(
        response.status,
        ResponseStatus::Success,
        "{:?}",
        response.errors
    );
    assert_eq!(partner.asked().len(), 100);
    assert_eq!(partner.most_at_a_time(), 2);
}

#[tokio::test]
async fn a_partner_never_has_more_calls_than_it_may() {
    let slow = |_: &partner::Asked| finds().after(Duration::from_millis(100));
    let partner = Partner::open(slow);
    let patient = Arc::new(town(&community(&partner.url(), "calls = 3")));
    let answers = many(&patient, 24).await;
    assert!(answers.iter().all(|it| it.objects.len() == 1));
    assert_eq!(partner.most_at_a_time(), 3);
    assert!(partner.most_connections() <= 3);
    drop(patient);

    // Waiting counts, and who waited for too long says so without blaming the partner.
    let lines = "calls = 2\ndeadline_seconds = 1";
    let hurried = Arc::new(town(&community(&partner.url(), lines)));
    let began = Instant::now();
    let answers = many(&hurried, 60).await;
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    let given = answers.iter().filter(|it| it.objects.len() == 1).count();
    assert!((2..60).contains(&given), "{given} of 60");
    for answer in answers.iter().filter(|it| it.objects.is_empty()) {
        assert_eq!(codes(answer), ["XDSUnavailableCommunity"]);
    }
    assert_eq!(
        find(&hurried).await.objects.len(),
        1,
        "it is not left alone"
    );
}

/// 200 communities and many callers: connections and memory have a limit.
#[tokio::test]
async fn two_hundred_communities_have_a_limit_together() {
    let partner = Partner::open(|_| finds().after(Duration::from_millis(5)));
    let url = partner.url();
    let one = |number: usize| {
        format!(
            "\n[[gateway.community]]\nhome_community_id = \"urn:oid:2.999.8.{number}\"\nurl = \"{url}\"\n"
        )
    };
    let communities: String = (1..=200).map(one).collect();
    let setup = Setup {
        plain: true,
        environment: vec![("HILUM_GATEWAY__CALLS".to_owned(), "128".to_owned())],
        ..Setup::default()
    };
    let town = Arc::new(town_of(setup, &communities));
    // Once, so that what is kept for good is there.
    find(&town).await;
    let before = town.memory();
    town.forget_peak();
    let answers = many(&town, 10).await;
    let asked = partner.asked().len();
    assert!(asked > 400, "{asked}");
    assert!(
        partner.most_at_a_time() <= 128,
        "{}",
        partner.most_at_a_time()
    );
    let told = answers.iter().flat_map(codes).collect::<Vec<_>>();
    assert!(
        told.iter().all(|it| *it == "XDSUnavailableCommunity"),
        "{told:?}"
    );
    let grown = town.peak_memory().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
}

/// A question that never left is asked once more; a retrieval that broke off is not.
#[tokio::test]
async fn what_is_asked_again_and_what_is_not() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let away = town(&community(&format!("http://localhost:{port}/gateway"), ""));
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(60));
        Partner::at(port, usual)
    });
    let found = find(&away).await;
    let partner = late.join().unwrap();
    assert_eq!(found.objects.len(), 1, "{:?}", found.errors);
    assert_eq!(partner.asked().len(), 1);
    drop((away, partner));

    let broken = Partner::open(|asked| Said {
        breaks_at: Some(900),
        ..super::gives(asked)
    });
    let town = town(&community(&broken.url(), ""));
    // Whether the answer had begun or not, nobody is asked twice.
    let _ = get(&town, &ids(3)).await;
    assert_eq!(broken.asked().len(), 1);
}

/// Documents that come in another order than announced are the right ones, and what nobody was promised is
/// passed over. What waits has a limit.
#[tokio::test]
async fn documents_in_another_order() {
    let long = |id: &str| [content(id), vec![b'x'; 300_001]].concat();
    let turned = move |asked: &partner::Asked| {
        let ids = asked.documents();
        let mut sent = vec!["2.999.404".to_owned()];
        sent.extend(ids.iter().rev().cloned());
        sent.push("2.999.405".to_owned());
        Said::multipart(&partner::attached(HOME, REPOSITORY, &ids, &sent, long))
    };
    let partner = Partner::open(turned);
    let some = ids(4);
    let town = town(&community(&partner.url(), ""));
    let got = get(&town, &some).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Success);
    let given: Vec<&String> = got.documents.iter().map(|it| &it.unique_id).collect();
    assert_eq!(given, some.iter().collect::<Vec<_>>(), "as announced");
    for document in &got.documents {
        assert!(
            document.content == long(&document.unique_id),
            "{}",
            document.unique_id
        );
    }
    drop(town);

    // Three of four would have to wait, of which one and a half may.
    let setup = Setup {
        plain: true,
        environment: vec![("HILUM_GATEWAY__ASIDE_BYTES".to_owned(), "500000".to_owned())],
        ..Setup::default()
    };
    let narrow = town_of(setup, &community(&partner.url(), ""));
    let home = format!("<xds:HomeCommunityId>{HOME}</xds:HomeCommunityId>");
    let first = "<xds:RepositoryUniqueId>";
    let names: Vec<&str> = some.iter().map(String::as_str).collect();
    let request = words::retrieve(REPOSITORY, &names).replace(first, &format!("{home}{first}"));
    let envelope = words::envelope("urn:ihe:iti:2007:RetrieveDocumentSet", &request);
    let message = raw::Multipart::of(&envelope, &[]);
    let answer = message.post(narrow.port(3), "/initiating");
    assert!(
        !answer.text().ends_with("--\r\n") && answer.body.len() < 400_000,
        "it broke off: {} bytes",
        answer.body.len()
    );
    wait_for_log(&narrow, "gateway.aside_bytes");
    // Only as many as wait.
    let two = ids(2);
    let got = get(&narrow, &two).await.unwrap();
    assert_eq!(got.documents.len(), 2);
}

fn wait_for_log(town: &Town, what: &str) {
    super::wait(what, || town.log().contains(what));
}

/// Somebody who must not be called, and how often they were.
fn trap() -> (SocketAddr, Arc<AtomicUsize>) {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = trap.local_addr().unwrap();
    let caught = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&caught);
    std::thread::spawn(move || {
        for mut stream in trap.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 64]);
        }
    });
    (address, caught)
}

/// Messages that name `evil` wherever they name somebody.
fn messages(evil: &str) -> Vec<(&'static str, String)> {
    let find = words::find_documents("P-1", "ObjectRef");
    let retrieve = |home: &str, repository: &str| {
        let home = format!("<xds:HomeCommunityId>{home}</xds:HomeCommunityId>");
        let first = "<xds:RepositoryUniqueId>";
        let request = words::retrieve(repository, &["1.2.3"]);
        request.replace(first, &format!("{home}{first}"))
    };
    let at_home = |home: &str| {
        find.replace(
            "<rim:AdhocQuery ",
            &format!("<rim:AdhocQuery home=\"{home}\" "),
        )
    };
    let targets = format!(
        "<rim:Slot name=\"$targetCommunityIdList\"><rim:ValueList><rim:Value>('{evil}')</rim:Value>\
         </rim:ValueList></rim:Slot></rim:AdhocQuery>"
    );
    vec![
        ("RegistryStoredQuery", find.clone()),
        ("RegistryStoredQuery", at_home(evil)),
        (
            "RegistryStoredQuery",
            find.replace("</rim:AdhocQuery>", &targets),
        ),
        ("RetrieveDocumentSet", retrieve(evil, REPOSITORY)),
        ("RetrieveDocumentSet", retrieve(HOME, evil)),
        ("CrossGatewayQuery", at_home(evil)),
        ("CrossGatewayRetrieve", retrieve(evil, evil)),
    ]
}

/// Nothing in a message makes the gateway call somebody who is not configured.
#[tokio::test]
async fn nobody_is_called_who_is_not_configured() {
    let (address, caught) = trap();
    let evil = format!("http://{address}/evil");
    // The partner says where to ask on, too.
    let of_partner = evil.clone();
    let partner = Partner::open(move |asked| {
        let mut said = usual(asked);
        if asked.is_query() {
            let body = partner::found(Some(&of_partner), &[super::OBJECT]);
            let header = format!(
                "<a:ReplyTo><a:Address>{of_partner}</a:Address></a:ReplyTo><a:From><a:Address>{of_partner}</a:Address></a:From>"
            );
            let envelope = words::envelope_with(partner::QUERY_ANSWER, "", &body);
            let envelope = envelope.replace(
                "<a:ReplyTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo>",
                &header,
            );
            said.body = envelope.into_bytes();
        }
        said
    });
    let town = town(&community(&partner.url(), ""));
    let anonymous = "http://www.w3.org/2005/08/addressing/anonymous";
    let port = town.port(3);
    for (action, body) in messages(&evil) {
        let path = match action.starts_with("Cross") {
            true => "/responding",
            false => "/initiating",
        };
        let action = format!("urn:ihe:iti:2007:{action}");
        let plain = words::envelope(&action, &body);
        for envelope in [plain.clone(), plain.replace(anonymous, &evil)] {
            let header = format!("<a:FaultTo><a:Address>{evil}</a:Address></a:FaultTo></s:Header>");
            raw::soap(port, path, &envelope);
            raw::soap(port, path, &envelope.replace("</s:Header>", &header));
        }
    }
    let got = get(&town, &ids(1)).await.unwrap();
    assert_eq!(
        got.documents.len(),
        1,
        "the partner is asked where it is configured"
    );
    assert_eq!(caught.load(Ordering::SeqCst), 0);
    assert_got(&got, &[got.documents[0].unique_id.clone()]);
}
