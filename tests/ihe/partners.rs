//! Partners as they are: communities of others, each with an oddity, and what this node makes of them.

mod bounds;
mod changing;
mod circles;
mod identity;
mod quirks;
mod reasons;
mod trust;
mod watching;

use std::time::{Duration, Instant};

use hilum_tests::calls::{Retrieve, Retrieved};
use hilum_tests::partner::{self, Asked, Partner, Said};
use hilum_tests::words::{self, new_oid};
use hilum_tests::{Setup, Town};
use hilum_transport::ClientError;
use xds_schemas::ebrs::AdhocQueryResponse;

/// `homeCommunityId` of the partner.
const HOME: &str = "urn:oid:2.999.77";
/// Its repository.
const REPOSITORY: &str = "2.999.77.1";
/// An object that it knows.
const OBJECT: &str = "urn:uuid:aaaaaaaa-0000-4000-8000-000000000001";

/// What is said of it in the configuration.
fn community(url: &str, lines: &str) -> String {
    format!(
        "\n[[gateway.community]]\nhome_community_id = \"{HOME}\"\nname = \"Partner\"\nurl = \"{url}\"\n{lines}\n"
    )
}

/// A town that knows these communities.
fn town(communities: &str) -> Town {
    town_of(
        Setup {
            plain: true,
            ..Setup::default()
        },
        communities,
    )
}

fn town_of(setup: Setup, communities: &str) -> Town {
    let mut town = Town::set_up(Setup {
        uncounted: true,
        ..setup
    });
    write(&town, communities);
    town.start();
    town
}

/// Writes communities behind everything else in a town's configuration.
fn write(town: &Town, communities: &str) {
    let text = std::fs::read_to_string(town.config()).unwrap();
    let rest = text.split("\n[[gateway.community]]").next().unwrap();
    std::fs::write(town.config(), format!("{}\n{communities}", rest.trim_end())).unwrap();
}

/// A partner without an oddity: it knows one object, and gives every document.
fn usual(asked: &Asked) -> Said {
    match asked.is_query() {
        true => finds(),
        false => gives(asked),
    }
}

fn finds() -> Said {
    let body = partner::found(Some(HOME), &[OBJECT]);
    Said::envelope(&words::envelope(partner::QUERY_ANSWER, &body))
}

fn gives(asked: &Asked) -> Said {
    let ids = asked.documents();
    Said::multipart(&partner::attached(HOME, REPOSITORY, &ids, &ids, content))
}

/// What a document holds, by its name.
fn content(id: &str) -> Vec<u8> {
    format!("the content of {id}").into_bytes()
}

async fn find(town: &Town) -> AdhocQueryResponse {
    let query = words::find_documents("P-1", "ObjectRef");
    town.query_everywhere(query).await.unwrap()
}

/// ITI-43 at the town's own gateway, of documents that the partner has.
async fn get(town: &Town, ids: &[String]) -> Result<Retrieved, ClientError> {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let home = format!("<xds:HomeCommunityId>{HOME}</xds:HomeCommunityId>");
    let first = "<xds:RepositoryUniqueId>";
    let request = words::retrieve(REPOSITORY, &ids).replace(first, &format!("{home}{first}"));
    town.retrieve_at::<Retrieve>(&town.initiating(), request)
        .await
}

/// Names of documents.
fn ids(count: usize) -> Vec<String> {
    (0..count).map(|_| new_oid()).collect()
}

/// That the documents came as the partner has them.
fn assert_got(got: &Retrieved, ids: &[String]) {
    assert_eq!(got.documents.len(), ids.len(), "{:?}", got.response.errors);
    for document in &got.documents {
        assert!(ids.contains(&document.unique_id));
        assert_eq!(document.content, content(&document.unique_id));
        assert_eq!(document.home.as_deref(), Some(HOME));
    }
}

fn codes(response: &AdhocQueryResponse) -> Vec<&str> {
    let errors = response.errors.iter();
    errors.map(|error| error.code.as_str()).collect()
}

/// Waits until something holds.
fn wait(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A partner that is taken for what it is, and one that has the `oddity`: without the `quirk` in the
/// configuration nothing is found there, with it everything.
async fn only_with(
    quirk: &str,
    oddity: impl Fn(&Asked) -> Said + Clone + Send + Sync + 'static,
) -> Partner {
    let partner = Partner::open(oddity);
    let plain = town(&community(&partner.url(), ""));
    let found = find(&plain).await;
    assert!(found.objects.is_empty(), "{found:?}");
    assert_eq!(found.errors.len(), 1, "{:?}", found.errors);
    drop(plain);
    let town = town(&community(&partner.url(), quirk));
    let found = find(&town).await;
    assert_eq!(codes(&found), [""; 0], "{:?}", found.errors);
    assert_eq!(found.objects.len(), 1);
    assert_eq!(found.objects[0].home.as_deref(), Some(HOME));
    let ids = ids(2);
    assert_got(&get(&town, &ids).await.unwrap(), &ids);
    partner
}
