//! Rules of access where the registry does not say what is needed to decide.

use hilum_security::access::{Access, Policy, Vocabulary};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryError;

use crate::site::{Site, refusal};
use crate::submissions::Draft;

const RULES: &str = r#"
[[rule]]
name = "whatever comes"
permission = "provide"
level = "full"

[[rule]]
name = "what patients permit"
consent = "opt-in"
level = "full"
"#;

/// A site with these rules, whose registry knows documents and says nothing of consents.
async fn site(rules: &str) -> Site {
    let mut site = Site::open().await;
    site.stop().await;
    site.access = Access::by(Policy::parse(rules, &Vocabulary::default()).unwrap());
    site.start().await;
    site
}

/// What is said of one of the documents that were asked for.
fn told(errors: &[RegistryError], id: &str) -> RegistryError {
    let told = errors.iter().find(|it| it.location.as_deref() == Some(id));
    let mut told = told.unwrap().clone();
    told.context = told.context.replace(id, "ID");
    told.location = None;
    told
}

#[tokio::test]
async fn what_depends_on_consents_that_nobody_tells_is_not_there() {
    let site = site(RULES).await;
    let draft = Draft::of([&b"one"[..], b"two"]);
    site.accepted(&draft).await;
    let (one, absent) = (draft.id(0), "2.999.404");
    let (both, got) = site.retrieve(&[&one, absent]).await;
    assert!(got.is_empty());
    assert_eq!(told(&both.errors, &one), told(&both.errors, absent));
    let (alone, _) = site.retrieve(&[&one]).await;
    let (of_absent, _) = site.retrieve(&[absent]).await;
    assert_eq!(alone.status, of_absent.status);
    assert_eq!(told(&alone.errors, &one), told(&of_absent.errors, absent));
    refusal(alone, &["XDSDocumentUniqueIdError"]);
}

/// Whether something is here or not, it cannot be said without a registry, and this is said of both alike.
#[tokio::test]
async fn a_registry_that_says_nothing_is_no_way_to_tell_what_is_here() {
    let site = site(RULES).await;
    let draft = Draft::of([&b"one"[..]]);
    site.accepted(&draft).await;
    *site.registry.confused.lock().unwrap() = true;
    let (one, absent) = (draft.id(0), "2.999.404");
    let (alone, _) = site.retrieve(&[&one]).await;
    let (of_absent, _) = site.retrieve(&[absent]).await;
    assert_eq!(alone.status, ResponseStatus::Failure);
    assert_eq!(told(&alone.errors, &one), told(&of_absent.errors, absent));
}

#[tokio::test]
async fn what_may_be_handed_in_only_with_consent_waits_for_the_registry() {
    let site = site(&RULES.replace("permission = \"provide\"", "permission = \"query\"")).await;
    let draft = Draft::of([&b"one"[..]]);
    site.refused(&draft, &["XDSRegistryNotAvailable"]).await;
    site.nothing_left().await;
    assert!(site.registry.submissions.lock().unwrap().is_empty());
}
