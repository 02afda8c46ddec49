use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::{Caller, Permission, User, UserCode};

const PATIENT: &str = "P1^^^&1.2.3&ISO";

fn day(number: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(number * 86_400)
}

fn researcher(organisation: &str) -> Caller {
    let code = |code: &str, system: &str| UserCode {
        code: code.to_owned(),
        system: system.to_owned(),
        display: None,
    };
    let mut caller = Caller::unknown("192.0.2.1:5".parse().unwrap());
    caller.user = Some(Arc::new(User {
        name: "curie".to_owned(),
        issuer: "https://idp.example".to_owned(),
        organization_id: Some(organisation.to_owned()),
        roles: vec![code("researcher", "1.9")],
        purposes: vec![code("HRESCH", "urn:oid:2.16.840.1.113883.5.8")],
        ..User::default()
    }));
    caller
}

fn image() -> Described {
    Described {
        patient_id: Some(PATIENT.to_owned()),
        unique_id: Some("1.2.3.4".to_owned()),
        confidentiality_codes: vec!["R^^2.16.840.1.113883.5.25".to_owned()],
        class_code: Some("IMAGES^^1.3.6".to_owned()),
        ..Described::default()
    }
}

/// What is wished of the image for a researcher of organisation 1.1 on day 100.
fn said(consents: &[Consent]) -> Option<Wish> {
    let caller = researcher("urn:oid:1.1");
    let asking = Asking {
        caller: &caller,
        permission: Permission::Retrieve,
        now: day(100),
    };
    wished(consents, &asking, &image()).map(|(wish, _)| wish)
}

fn given(day_of: u64, wish: Wish) -> Consent {
    Consent {
        given: Some(day(day_of)),
        ..Consent::of(day_of.to_string(), PATIENT, wish)
    }
}

fn only(provision: Provision) -> Consent {
    Consent {
        base: None,
        provisions: vec![provision],
        ..given(1, Wish::Permit)
    }
}

#[test]
fn the_newest_counts_and_of_equally_new_ones_the_one_that_denies() {
    assert_eq!(said(&[]), None);
    let (older, newer) = (given(1, Wish::Permit), given(2, Wish::Deny));
    assert_eq!(said(&[older.clone(), newer.clone()]), Some(Wish::Deny));
    assert_eq!(said(&[newer, given(3, Wish::Permit)]), Some(Wish::Permit));
    assert_eq!(said(&[older, given(1, Wish::Deny)]), Some(Wish::Deny));
}

#[test]
fn what_was_wished_of_this_document_counts_more_than_what_is_newer() {
    let named = |id: &str| {
        only(Provision {
            documents: vec![id.to_owned()],
            ..Provision::of(Wish::Deny)
        })
    };
    let general = given(50, Wish::Permit);
    assert_eq!(said(&[named("1.2.3.4"), general.clone()]), Some(Wish::Deny));
    assert_eq!(said(&[named("1.2.3.5"), general]), Some(Wish::Permit));
}

#[test]
fn only_what_is_valid_counts_and_only_of_the_patient() {
    for status in Status::ALL {
        let permit = Consent {
            status,
            ..given(1, Wish::Permit)
        };
        let deny = Consent {
            status,
            ..given(1, Wish::Deny)
        };
        let (permitted, denied) = match status {
            Status::Active => (Some(Wish::Permit), Some(Wish::Deny)),
            Status::Rejected => (Some(Wish::Deny), None),
            _ => (None, None),
        };
        assert_eq!(said(&[permit]), permitted, "{status:?}");
        assert_eq!(said(&[deny]), denied, "{status:?}");
    }
    let within = |from: u64, until: u64| Consent {
        period: Period {
            from: Some(day(from)),
            until: Some(day(until)),
        },
        ..given(1, Wish::Permit)
    };
    assert_eq!(said(&[within(100, 101)]), Some(Wish::Permit));
    assert_eq!(said(&[within(101, 102)]), None);
    assert_eq!(said(&[within(99, 100)]), None);
    let other = Consent {
        patient_id: "P2^^^&1.2.3&ISO".to_owned(),
        ..given(1, Wish::Permit)
    };
    assert_eq!(said(&[other]), None);
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn each_condition_of_a_provision_must_hold() {
    let of = || Provision::of(Wish::Permit);
    let list = |text: &str| vec!["none of it".to_owned(), text.to_owned()];
    let cases: [(Provision, bool); 16] = [
        (of(), true),
        (
            Provision {
                organisations: list("urn:oid:1.1"),
                ..of()
            },
            true,
        ),
        (
            Provision {
                organisations: list("1.1"),
                ..of()
            },
            true,
        ),
        (
            Provision {
                organisations: list("1.2"),
                ..of()
            },
            false,
        ),
        (
            Provision {
                actors: list("curie"),
                ..of()
            },
            true,
        ),
        (
            Provision {
                actors: list("https://idp.example|curie"),
                ..of()
            },
            true,
        ),
        (
            Provision {
                actors: list("https://other.example|curie"),
                ..of()
            },
            false,
        ),
        (
            Provision {
                roles: list("researcher"),
                ..of()
            },
            true,
        ),
        (
            Provision {
                roles: list("researcher^^1.8"),
                ..of()
            },
            false,
        ),
        (
            Provision {
                purposes: list("HRESCH^^2.16.840.1.113883.5.8"),
                ..of()
            },
            true,
        ),
        (
            Provision {
                purposes: list("TREAT"),
                ..of()
            },
            false,
        ),
        (
            Provision {
                confidentiality_codes: list("R"),
                ..of()
            },
            true,
        ),
        (
            Provision {
                confidentiality_codes: list("N"),
                ..of()
            },
            false,
        ),
        (
            Provision {
                class_codes: list("IMAGES"),
                ..of()
            },
            true,
        ),
        (
            Provision {
                documents: list("1.2.3.4"),
                ..of()
            },
            true,
        ),
        (
            Provision {
                documents: list("1.2"),
                ..of()
            },
            false,
        ),
    ];
    for (provision, holds) in cases {
        let shown = format!("{provision:?}");
        let wish = holds.then_some(Wish::Permit);
        assert_eq!(said(&[only(provision)]), wish, "{shown}");
    }
}

#[test]
fn exceptions_have_exceptions() {
    let except = |wish, organisation: &str, provisions| Provision {
        organisations: vec![organisation.to_owned()],
        provisions,
        ..Provision::of(wish)
    };
    let deny_all_but_research = except(
        Wish::Deny,
        "1.1",
        vec![Provision {
            purposes: vec!["HRESCH".to_owned()],
            ..Provision::of(Wish::Permit)
        }],
    );
    let consent = |provisions| Consent {
        provisions,
        ..given(1, Wish::Permit)
    };
    assert_eq!(
        said(&[consent(vec![except(Wish::Deny, "1.1", vec![])])]),
        Some(Wish::Deny)
    );
    assert_eq!(
        said(&[consent(vec![except(Wish::Deny, "1.2", vec![])])]),
        Some(Wish::Permit)
    );
    assert_eq!(
        said(&[consent(vec![deny_all_but_research.clone()])]),
        Some(Wish::Permit)
    );
    // At the same depth, a denial counts more.
    let both = vec![deny_all_but_research, except(Wish::Deny, "1.1", vec![])];
    assert_eq!(said(&[consent(both)]), Some(Wish::Deny));
}

/// A consent to research says nothing of treatment, unless it says so.
#[test]
fn a_consent_may_be_silent() {
    let treatment = Provision {
        purposes: vec!["TREAT".to_owned()],
        ..Provision::of(Wish::Permit)
    };
    assert_eq!(said(&[only(treatment.clone())]), None);
    let otherwise = Consent {
        base: Some(Wish::Deny),
        ..only(treatment.clone())
    };
    assert_eq!(said(&[otherwise]), Some(Wish::Deny));
    let newer = Consent {
        given: Some(day(50)),
        ..only(treatment)
    };
    assert_eq!(said(&[given(1, Wish::Permit), newer]), Some(Wish::Permit));
}
