//! Circles: whatever version the other is, they end, soon and without a storm, beside everything else.

use std::time::{Duration, Instant};

use hilum_tests::calls::{Raw, Retrieve, RetrieveImages, RetrieveResponse};
use hilum_tests::people::configure;
use hilum_tests::region::home;
use hilum_tests::words;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::transaction::Transaction;

use super::countries::{CIRCLE, Country, DEADLINE_SECONDS, append, set_up};

/// The longest that a circle may last: the deadline, and what a machine may need that has other things to do.
const LONGEST: Duration = Duration::from_secs(DEADLINE_SECONDS + 6);
/// The most that a question may be asked in a circle.
const MOST: usize = 60;

fn in_community(number: usize, request: &str) -> String {
    let first = "<xds:RepositoryUniqueId>";
    let home = format!(
        "<xds:HomeCommunityId>urn:oid:{}</xds:HomeCommunityId>",
        home(number)
    );
    request.replace(first, &format!("{home}{first}"))
}

/// Each is asked for what the other's gateway is believed to have, of whom the same is believed.
pub(super) async fn circles_of_repositories(one: &Country, other: &Country) {
    let of = async |country| {
        documents(country).await;
        images(country).await;
    };
    tokio::join!(of(one), of(other));
}

async fn documents(country: &Country) {
    let request = words::retrieve(CIRCLE, &[&words::new_oid()]);
    nothing_comes::<Retrieve>(country, &request).await;
}

async fn images(country: &Country) {
    let instance = ("2.999.1".into(), "2.999.1.1".into(), words::new_oid());
    let request = words::retrieve_images(CIRCLE, &[instance], &["1.2"]);
    nothing_comes::<RetrieveImages>(country, &request).await;
}

async fn nothing_comes<T>(country: &Country, request: &str)
where
    T: Transaction<Request = Raw, Response = RetrieveResponse>,
{
    let url = country.town.initiating();
    let request = in_community(country.number, request);
    let began = Instant::now();
    let got = country.town.retrieve_at::<T>(&url, request).await.unwrap();
    let took = began.elapsed();
    assert!(took < LONGEST, "{took:?}");
    assert_eq!(got.response.status, ResponseStatus::Failure);
    assert!(!got.response.errors.is_empty());
}

/// Two nodes each of which takes the other's gateway for its registry, and for a community too.
pub(super) async fn circle_of_registries() {
    let mut towns = [0, 1].map(|number| set_up(number, true, Vec::new()));
    let urls = [1, 0].map(|it: usize| towns[it].initiating());
    for (number, town) in towns.iter_mut().enumerate() {
        let url = &urls[number];
        let lines = format!("registry = \"{url}\"\ndeadline_seconds = {DEADLINE_SECONDS}");
        configure(town, &[("gateway", &lines)]);
        let community = format!(
            "\n[[gateway.community]]\nhome_community_id = \"urn:oid:{}\"\nname = \"the other\"\nurl = \"{url}\"\n",
            home(1 - number)
        );
        append(town, &community);
        town.start();
    }
    for town in &towns {
        let began = Instant::now();
        let find = words::find_documents("P-1", "ObjectRef");
        let found = town.query_everywhere(find).await.unwrap();
        let took = began.elapsed();
        assert!(took < LONGEST, "{took:?}");
        assert!(found.objects.is_empty());
        assert!(!found.errors.is_empty());
    }
    let recorded = towns.each_ref().map(|town| {
        let records = town.records();
        let queries = records.iter().filter(|it| it["transaction"] == "ITI-18");
        queries.count()
    });
    let all: usize = recorded.iter().sum();
    // Both sides record what one asks of the other.
    assert!(all <= 4 * MOST, "{recorded:?}");
}
