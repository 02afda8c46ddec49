//! Questions that cost more than others: what is too much is refused at once (docs/integrating.md), and what takes
//! a registry long is not taken for a registry that is down.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hilum_tests::partner::{self, Said};
use hilum_tests::region::home;
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Partner, Region, Setup, Town};
use tokio::task::JoinSet;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::AdhocQueryResponse;

/// What such a question may take, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(10);

/// FindDocuments with more slots.
fn with(slots: &str) -> String {
    let query = words::find_documents("P-1", "ObjectRef");
    query.replace("</rim:AdhocQuery>", &format!("{slots}</rim:AdhocQuery>"))
}

fn slot(name: &str, values: &str) -> String {
    format!(
        "<rim:Slot name=\"{name}\"><rim:ValueList><rim:Value>{values}</rim:Value></rim:ValueList></rim:Slot>"
    )
}

fn told(response: &AdhocQueryResponse) -> Vec<(&str, &str)> {
    let errors = response.errors.iter();
    errors
        .map(|error| (error.code.as_str(), error.context.as_str()))
        .collect()
}

/// Many slots, known or not, and many values; each is refused by whom it reaches first, with one error.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_slots_and_values_are_refused_at_once() {
    let region = Region::plain(2);
    for town in &region.towns {
        let submission = Submission::new("P-1", vec![Document::text("a document")]);
        let response = town.provide(&submission).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    }
    let unknown: String = (0..50_000)
        .map(|at| slot(&format!("$X{at}"), "'x'"))
        .collect();
    let same = slot("$XDSDocumentEntryClassCode", "('A^^1.2')").repeat(50_000);
    let lists = slot("$XDSDocumentEntryConfidentialityCode", "('N^^1.2')").repeat(50_000);
    let codes: Vec<String> = (0..100_000).map(|at| format!("'{at}^^1.2'")).collect();
    let values = slot(
        "$XDSDocumentEntryEventCodeList",
        &format!("({})", codes.join(",")),
    );
    let [town, other] = &region.towns[..] else {
        panic!("two towns");
    };
    for (slots, why) in [
        (unknown, "1000 slots"),
        (same, "1000 slots"),
        (lists, "1000 slots"),
        (values, "10000 values"),
    ] {
        let query = with(&slots);
        let began = Instant::now();
        let by_registry = town.query(query.clone()).await.unwrap();
        let by_gateway = town.query_everywhere(query.clone()).await.unwrap();
        let home = format!("<rim:AdhocQuery home=\"urn:oid:{}\" ", home(1));
        let query = query.replace("<rim:AdhocQuery ", &home);
        let by_other = other.query_across(query).await.unwrap();
        let took = began.elapsed();
        assert!(took < 3 * SOON, "{took:?}");
        for response in [by_registry, by_gateway, by_other] {
            assert_eq!(response.status, ResponseStatus::Failure);
            let told = told(&response);
            assert_eq!(told.len(), 1, "{why}");
            assert_eq!(told[0].0, "XDSStoredQueryParamNumber");
            assert!(told[0].1.contains(why), "{}", told[0].1);
        }
    }
    // The most that is allowed is answered.
    let codes: Vec<String> = (0..9_000).map(|at| format!("'{at}^^1.2'")).collect();
    let values = slot(
        "$XDSDocumentEntryEventCodeList",
        &format!("({})", codes.join(",")),
    );
    let began = Instant::now();
    let found = town.query_everywhere(with(&values)).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    let took = began.elapsed();
    assert!(took < SOON, "{took:?}");
}

/// A registry that answers most questions at once, and some not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_late_with_some_questions_is_asked_the_others() {
    let registry = Partner::open(|asked| {
        let action = "urn:ihe:iti:2007:RegistryStoredQueryResponse";
        let body = partner::found(Some("urn:oid:2.999.2"), &[]);
        let said = Said::envelope(&words::envelope(action, &body));
        match asked.body.contains("heavy") {
            true => said.after(Duration::from_secs(6)),
            false => said,
        }
    });
    let mut town = Town::set_up(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let lines = format!("deadline_seconds = 2\nregistry = \"{}\"", registry.url());
    hilum_tests::people::configure(&town, &[("gateway", &lines)]);
    town.start();
    let town = Arc::new(town);
    let mut asking = JoinSet::new();
    for at in 0..12 {
        let town = Arc::clone(&town);
        let query = words::find_documents(&format!("heavy-{at}"), "ObjectRef");
        asking.spawn(async move { town.query_everywhere(query).await.unwrap() });
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    let light = || words::find_documents("P-1", "ObjectRef");
    let found = town.query_everywhere(light()).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    for late in asking.join_all().await {
        assert_eq!(told(&late)[0].0, "XDSRegistryNotAvailable");
        assert!(told(&late)[0].1.contains("2000 ms"), "{:?}", told(&late));
    }
    // Twelve in a row were late, and the registry is asked all the same.
    let found = town.query_everywhere(light()).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
}
