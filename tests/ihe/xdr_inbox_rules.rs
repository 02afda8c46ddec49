//! The inbox of a Document Recipient where there are rules: whoever looks into it must be named by one, since it
//! has what others sent of anybody.

use hilum_tests::people::configure;
use hilum_tests::words::{Document, Submission};
use hilum_tests::{Setup, Town};
use hilum_transport::{Client, ClientError, HttpRequest};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::inbox::{
    DeleteRequest, DeleteSubmission, FetchRequest, FetchSubmission, ListInbox, ListRequest,
};
use xds_schemas::transaction::Transaction;

/// The last rule is about everything that no rule has to name itself.
const RULES: &str = r#"
[[rule]]
name = "not this one"
who.node = "CN=trainee"
permission = "administer"
level = "nothing"

[[rule]]
name = "clerks"
who.node = ["CN=clerk", "CN=trainee"]
permission = "administer"
level = "full"

[[rule]]
name = "everybody"
level = "full"
"#;

fn town() -> Town {
    let mut town = Town::set_up(Setup {
        uncounted: true,
        ..Setup::default()
    });
    for node in ["clerk", "trainee", "sender"] {
        let output = town.run(&["certs", node]);
        assert!(output.status.success(), "{output:?}");
    }
    std::fs::write(town.node().join("access.toml"), RULES).unwrap();
    configure(&town, &[("access", "rules = \"access.toml\"")]);
    town.start();
    town
}

/// Whether it is permitted; if it is not, no more is said.
async fn may<T: Transaction>(town: &Town, client: &Client, request: T::Request) -> bool {
    let url = town.recipient();
    match client.send::<T>(&url, &request, Vec::new()).await {
        Ok(_) => true,
        Err(ClientError::Fault { fault, .. }) => {
            assert!(fault.is("FailedAuthentication"), "{fault}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// Listing, fetching and removing are decided by the rule that names `administer`; a rule that names no
/// permission is not about them, and the node's own commands are its own.
#[tokio::test]
async fn whoever_looks_into_the_inbox_is_named_by_a_rule() {
    let town = town();
    let submission = Submission::new("P-1", vec![Document::text("a letter")]);
    let sent = town.send_directly(&submission, submission.provide_request());
    assert_eq!(sent.await.unwrap().status, ResponseStatus::Success);
    let id = || submission.unique_id.clone();
    for (node, permitted) in [("sender", false), ("trainee", false), ("clerk", true)] {
        let client = town.client_named(node);
        let list = ListRequest::default();
        let fetch = FetchRequest { unique_id: id() };
        let delete = DeleteRequest {
            unique_id: "2.25.1".to_owned(),
        };
        let may_list = may::<ListInbox>(&town, &client, list).await;
        let may_fetch = may::<FetchSubmission>(&town, &client, fetch).await;
        let may_delete = may::<DeleteSubmission>(&town, &client, delete).await;
        assert_eq!([may_list, may_fetch, may_delete], [permitted; 3], "{node}");
    }
    let refused = town.messages();
    let refused = refused.iter().filter(|it| it.contains("administer here"));
    assert_eq!(refused.count(), 6, "what is refused is recorded");
    let output = town.run(&["inbox", "list"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(&submission.unique_id));

    // The subscriptions of the registry are looked at by the same rule.
    for (node, status) in [("sender", 403), ("clerk", 200)] {
        let request = HttpRequest {
            method: "GET",
            url: &format!("{}/subscriptions", town.registry()),
            headers: &[],
            body: bytes::Bytes::new(),
        };
        let client = town.client_named(node);
        let answer = client.exchange_http(request, 1 << 20).await.unwrap();
        assert_eq!(answer.status, status, "{node}");
    }
    let output = town.run(&["subscriptions", "list"]);
    assert!(output.status.success(), "{output:?}");
}
