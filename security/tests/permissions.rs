//! Permissions that a rule must name itself, and what a gateway must know of rules.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::SystemTime;

use hilum_security::access::{Asking, Described, Infrastructure, Level, Policy, Vocabulary};
use hilum_security::{Caller, NodeName, Permission};

fn policy(text: &str) -> Policy {
    let mut infrastructure = Infrastructure::default();
    infrastructure.add("CN=node").unwrap();
    let policy = Policy::parse(text, &Vocabulary::default()).unwrap();
    policy.with_infrastructure(infrastructure)
}

fn node(name: &str) -> Caller {
    let mut caller = Caller::unknown("192.0.2.1:5".parse().unwrap());
    caller.node = Some(NodeName {
        subject: format!("CN={name}"),
        fingerprint: "0".repeat(64),
    });
    caller
}

fn asking(caller: &Caller, permission: Permission) -> Asking<'_> {
    Asking {
        caller,
        permission,
        now: SystemTime::now(),
    }
}

#[test]
fn who_may_have_everything_may_not_do_what_must_be_named() {
    let (client, own) = (node("client"), node("node"));
    let everything = policy("[[rule]]\nname = \"all\"\nlevel = \"full\"\n");
    for permission in [
        Permission::Announce,
        Permission::Audit,
        Permission::Patients,
    ] {
        assert!(!everything.grants(&asking(&client, permission)));
        assert!(everything.grants(&asking(&own, permission)));
    }
    let document = Described::default();
    let decided = |permission| {
        let asking = asking(&client, permission);
        everything.decide(&asking, &document, &[]).level
    };
    assert_eq!(decided(Permission::Retrieve), Level::Full);
    assert_eq!(decided(Permission::Consent), Level::Nothing);
    assert_eq!(decided(Permission::Patients), Level::Nothing);
}

#[test]
fn the_first_rule_that_names_a_permission_decides() {
    let rules = policy(
        "[[rule]]\nname = \"not this one\"\nwho.node = \"CN=bad\"\npermission = \"announce\"\n\
         level = \"nothing\"\n\
         [[rule]]\nname = \"feeds\"\npermission = [\"announce\", \"consent\"]\nlevel = \"full\"\n",
    );
    let may = |name: &str, permission| rules.grants(&asking(&node(name), permission));
    assert!(may("feed", Permission::Announce));
    assert!(!may("bad", Permission::Announce));
    assert!(!may("feed", Permission::Audit));
}

#[test]
fn rules_about_nodes_are_known_to_be() {
    let rule = "[[rule]]\nname = \"a\"\nlevel = \"full\"\n";
    assert!(!policy(&format!("{rule}who.role = \"x\"\n")).heeds_nodes());
    assert!(policy(&format!("{rule}who.node = \"CN=x\"\n")).heeds_nodes());
    let project = "[project.p]\nmember = [{ node = \"CN=x\" }]\n\n";
    assert!(policy(&format!("{project}{rule}who.project = \"p\"\n")).heeds_nodes());
}
