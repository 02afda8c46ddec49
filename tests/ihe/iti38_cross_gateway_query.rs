//! ITI-38, and the ITI-18 that leads to it: one question, every community, and a clear word on whatever
//! could not be reached.

use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use hilum_tests::calls::{CrossQuery, Raw};
use hilum_tests::region::{Region, home};
use hilum_tests::words::{self, Document, Submission, queries};
use hilum_tests::{Setup, Town};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::AdhocQueryResponse;

/// A document of the patient in every town.
async fn provided(region: &Region, patient: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for town in &region.towns {
        let submission = Submission::new(patient, vec![Document::text("of this town")]);
        let response = town.provide(&submission).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        ids.push(submission.documents[0].unique_id.clone());
    }
    ids
}

fn homes(response: &AdhocQueryResponse) -> Vec<String> {
    let mut homes: Vec<String> = response
        .objects
        .iter()
        .map(|object| object.home.clone().unwrap_or_default())
        .collect();
    homes.sort();
    homes
}

fn urn(number: usize) -> String {
    format!("urn:oid:{}", home(number))
}

fn codes(response: &AdhocQueryResponse) -> Vec<(&str, Option<&str>)> {
    let errors = response.errors.iter();
    errors
        .map(|error| (error.code.as_str(), error.location.as_deref()))
        .collect()
}

/// The query with `@home`.
fn at_home(query: &str, home: &str) -> String {
    query.replace(
        "<rim:AdhocQuery ",
        &format!("<rim:AdhocQuery home=\"{home}\" "),
    )
}

fn with_targets(query: &str, homes: &[String]) -> String {
    let homes: Vec<String> = homes.iter().map(|home| format!("'{home}'")).collect();
    let slot = format!(
        "<rim:Slot name=\"$targetCommunityIdList\"><rim:ValueList><rim:Value>({})</rim:Value>\
         </rim:ValueList></rim:Slot></rim:AdhocQuery>",
        homes.join(",")
    );
    query.replace("</rim:AdhocQuery>", &slot)
}

/// ITI TF-2 3.38.4.1.3: what was found, and an error for each community that could not be asked.
#[tokio::test]
async fn one_question_finds_everything_and_says_who_is_away() {
    let mut region = Region::secure(3);
    provided(&region, "P-1").await;
    let find = || words::find_documents("P-1", "LeafClass");
    let found = region.towns[0].query_everywhere(find()).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    assert_eq!(homes(&found), [urn(0), urn(1), urn(2)]);

    // Some are named.
    let some = with_targets(&find(), &[urn(1), urn(0)]);
    let found = region.towns[0].query_everywhere(some).await.unwrap();
    assert_eq!(homes(&found), [urn(0), urn(1)]);
    let other = with_targets(&find(), &[urn(2), urn(8)]);
    let found = region.towns[0].query_everywhere(other).await.unwrap();
    assert_eq!(found.status, ResponseStatus::PartialSuccess);
    assert_eq!(homes(&found), [urn(2)]);
    assert_eq!(codes(&found), [("XDSUnknownCommunity", None)]);
    let both = with_targets(&at_home(&find(), &urn(1)), &[urn(1)]);
    let found = region.towns[0].query_everywhere(both).await.unwrap();
    assert_eq!(codes(&found)[0].0, "XDSStoredQueryParamNumber");

    // One is stopped in the middle.
    region.towns[2].stop();
    let found = region.towns[0].query_everywhere(find()).await.unwrap();
    assert_eq!(found.status, ResponseStatus::PartialSuccess);
    assert_eq!(homes(&found), [urn(0), urn(1)]);
    assert_eq!(codes(&found), [("XDSUnavailableCommunity", Some(&*urn(2)))]);
    let context = &found.errors[0].context;
    assert!(context.contains("town 2"), "{context}");
    let alone = with_targets(&find(), &[urn(2)]);
    let found = region.towns[0].query_everywhere(alone).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Failure);

    // Both sides have a record of it.
    let recorded = |town: &Town| {
        let records = town.records();
        let count = records.iter().filter(|it| it["transaction"] == "ITI-38");
        count.count()
    };
    assert!(recorded(&region.towns[0]) >= 4, "the one who asks");
    assert!(recorded(&region.towns[1]) >= 2, "the one who is asked");
}

#[tokio::test]
async fn objects_by_name_are_asked_of_the_community_that_named_them() {
    let region = Region::plain(2);
    let ids = provided(&region, "P-1").await;
    let town = &region.towns[0];
    let get = words::get_documents(&[&ids[1]]);
    let nobody = town.query_everywhere(get.clone()).await.unwrap();
    assert_eq!(nobody.status, ResponseStatus::Failure);
    assert_eq!(codes(&nobody)[0].0, "XDSMissingHomeCommunityId");
    let found = town.query_everywhere(at_home(&get, &urn(1))).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success);
    assert_eq!(homes(&found), [urn(1)]);
    let own = words::get_documents(&[&ids[0]]);
    let found = town.query_everywhere(at_home(&own, &urn(0))).await.unwrap();
    assert_eq!(homes(&found), [urn(0)]);
    let stranger = town.query_everywhere(at_home(&get, "urn:oid:2.999.404"));
    let stranger = stranger.await.unwrap();
    assert_eq!(stranger.status, ResponseStatus::Failure);
    assert_eq!(codes(&stranger)[0].0, "XDSUnknownCommunity");
    let no_such = words::query("00000000-0000-0000-0000-000000000000", "LeafClass", &[]);
    let no_such = town.query_everywhere(no_such).await.unwrap();
    assert_eq!(codes(&no_such)[0].0, "XDSUnknownStoredQuery");
}

/// As a foreign gateway asks.
#[tokio::test]
async fn a_responding_gateway_answers_for_its_own_community_only() {
    let region = Region::plain(1);
    let ids = provided(&region, "P-1").await;
    let town = &region.towns[0];
    let find = words::find_documents("P-1", "ObjectRef");
    let found = town.query_across(find.clone()).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success);
    assert_eq!(homes(&found), [urn(0)]);
    let found = town.query_across(at_home(&find, &urn(0))).await.unwrap();
    assert_eq!(homes(&found), [urn(0)]);
    let get = words::get_documents(&[&ids[0]]);
    for (query, code) in [
        (at_home(&find, &urn(5)), "XDSUnknownCommunity"),
        (with_targets(&find, &[urn(5)]), "XDSUnknownCommunity"),
        (get.clone(), "XDSMissingHomeCommunityId"),
        (
            words::query(queries::FIND_DOCUMENTS, "LeafClass", &[]),
            "XDSStoredQueryMissingParam",
        ),
    ] {
        let refused = town.query_across(query).await.unwrap();
        assert_eq!(refused.status, ResponseStatus::Failure);
        assert_eq!(codes(&refused)[0], (code, Some(&*urn(0))));
    }
    // What one gateway answers, the other does not.
    let (url, find) = (town.initiating(), Raw(find));
    let wrong = town.client.send::<CrossQuery>(&url, &find, Vec::new());
    assert!(
        wrong
            .await
            .unwrap_err()
            .to_string()
            .contains("ActionNotSupported")
    );
}

/// Somebody who takes connections and says nothing costs the deadline; somebody who talks nonsense is told
/// of, and after a while nobody asks him.
#[tokio::test]
async fn who_hangs_costs_the_deadline_and_who_talks_nonsense_is_named() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let garbled = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = |listener: &TcpListener| format!("http://{}/", listener.local_addr().unwrap());
    let config = format!(
        "\n[[gateway.community]]\nhome_community_id = \"urn:oid:2.999.8\"\nname = \"Silent\"\n\
         url = \"{}\"\ndeadline_seconds = 1\n\
         [[gateway.community]]\nhome_community_id = \"urn:oid:2.999.9\"\nname = \"Garbled\"\nurl = \"{}\"\n",
        at(&silent),
        at(&garbled)
    );
    std::thread::spawn(move || {
        for mut stream in garbled.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let answer =
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello";
            let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
        }
    });
    let mut town = Town::set_up(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let text = std::fs::read_to_string(town.config()).unwrap();
    std::fs::write(town.config(), text + &config).unwrap();
    town.start();
    let find = || words::find_documents("P-1", "LeafClass");
    let began = Instant::now();
    let found = town.query_everywhere(find()).await.unwrap();
    let took = began.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(4),
        "{took:?}"
    );
    assert_eq!(found.status, ResponseStatus::PartialSuccess);
    let expected = [
        ("XDSUnavailableCommunity", Some("urn:oid:2.999.8")),
        ("XDSUnavailableCommunity", Some("urn:oid:2.999.9")),
    ];
    assert_eq!(codes(&found), expected);
    assert!(found.errors[0].context.contains("within 1000 ms"));
    assert!(found.errors[1].context.contains("cannot be read"));
    for _ in 0..5 {
        town.query_everywhere(find()).await.unwrap();
    }
    let began = Instant::now();
    let found = town.query_everywhere(find()).await.unwrap();
    assert!(
        began.elapsed() < Duration::from_millis(900),
        "it is not asked any more"
    );
    assert!(found.errors[0].context.contains("not asked for a while"));
    drop(silent);
}
