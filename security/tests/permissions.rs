//! Permissions that a rule must name itself, and what a gateway must know of rules.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::SystemTime;

use hilum_security::access::{
    Asking, BPPC_FORMATS, Described, Infrastructure, Level, Policy, Vocabulary,
};
use hilum_security::{Caller, NodeName, Permission, Shown};
use xds_schemas::metadata::{Code, DocumentEntry};

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
        certificate: Shown::default(),
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
    let (query, provide) = (Permission::Query, Permission::Provide);
    assert!(!policy(&format!("{rule}who.role = \"x\"\n")).heeds_nodes(query));
    let of_node = policy(&format!("{rule}who.node = \"CN=x\"\n"));
    assert!(of_node.heeds_nodes(query) && of_node.heeds_nodes(provide));
    // This a rule must name.
    assert!(!of_node.heeds_nodes(Permission::Patients));
    let hands_in = "who.node = \"CN=x\"\npermission = [\"provide\", \"register\"]\n";
    let hands_in = policy(&format!("{rule}{hands_in}"));
    assert!(!hands_in.heeds_nodes(query) && hands_in.heeds_nodes(provide));
    let project = "[project.p]\nmember = [{ node = \"CN=x\" }]\n\n";
    assert!(policy(&format!("{project}{rule}who.project = \"p\"\n")).heeds_nodes(query));
}

#[test]
fn who_can_be_given_nothing_is_refused_before_anything_is_read() {
    let rules = policy(
        "[[rule]]\nname = \"no interns\"\nwho.node = \"CN=intern\"\nlevel = \"nothing\"\n\
         [[rule]]\nname = \"no secrets\"\nwhat.any_confidentiality = \"V\"\nlevel = \"nothing\"\n\
         [[rule]]\nname = \"reports\"\nwho.node = [\"CN=source\", \"CN=intern\"]\n\
         what.class = \"REPORTS\"\npermission = [\"provide\", \"register\"]\nlevel = \"full\"\n\
         [[rule]]\nname = \"look\"\nwho.node = \"CN=viewer\"\nlevel = \"metadata\"\n",
    );
    let refused = |name: &str, permission, level| {
        let caller = node(name);
        let admitted = rules.admits(&asking(&caller, permission), level);
        admitted.err().map(|it| it.rule().to_owned())
    };
    let (provide, subscribe) = (Permission::Provide, Permission::Subscribe);
    let rule = |name: &str| Some(name.to_owned());
    assert_eq!(refused("source", provide, Level::Full), None);
    assert_eq!(refused("node", provide, Level::Full), None);
    assert_eq!(refused("intern", provide, Level::Full), rule("no interns"));
    // Metadata can be looked at, not handed in.
    assert_eq!(refused("viewer", provide, Level::Full), rule("look"));
    assert_eq!(refused("viewer", subscribe, Level::Existence), None);
    assert_eq!(
        refused("source", subscribe, Level::Existence),
        rule("no rule")
    );
    let granting: Vec<&str> = rules.granting(provide).collect();
    assert_eq!(granting, ["reports"]);
}

#[test]
fn rules_behind_one_that_decides_everything_grant_nothing() {
    let granting = |first: &str| {
        let rules = policy(&format!(
            "[[rule]]\nname = \"a\"\n{first}\n\
             [[rule]]\nname = \"b\"\nwho.node = \"CN=source\"\npermission = \"provide\"\nlevel = \"full\"\n"
        ));
        let names = rules.granting(Permission::Provide).map(str::to_owned);
        names.collect::<Vec<_>>()
    };
    let nobody: [&str; 0] = [];
    assert_eq!(granting("level = \"nothing\""), nobody);
    let named = "permission = \"provide\"\nlevel = \"metadata\"";
    assert_eq!(granting(named), nobody);
    assert_eq!(granting("level = \"full\""), ["a"]);
    for elsewhere in [
        "permission = \"query\"",
        "who.node = \"CN=other\"",
        "what.class = \"REPORTS\"",
        "consent = \"refused\"",
        "break_glass = true",
        "until = 2020-01-01",
    ] {
        let rule = format!("{elsewhere}\nlevel = \"nothing\"");
        assert_eq!(granting(&rule), ["b"], "{elsewhere}");
    }
}

#[test]
fn nodes_without_certificates_are_known_by_address_or_title() {
    let rules = policy(
        "[[rule]]\nname = \"a\"\nwho.node = [\"address 192.0.2.1\", \"AE CT1\"]\nlevel = \"full\"\n",
    );
    let level = |caller: &Caller| {
        let asking = asking(caller, Permission::Provide);
        rules.decide(&asking, &Described::default(), &[]).level
    };
    let near = Caller::unknown("192.0.2.1:5".parse().unwrap());
    let far = Caller::unknown("192.0.2.2:5".parse().unwrap());
    assert_eq!(level(&near), Level::Full);
    assert_eq!(level(&far), Level::Nothing);
    // Whoever has a certificate is known by it.
    assert_eq!(level(&node("x")), Level::Nothing);
    let titled = |title: &str| Caller {
        ae_title: Some(title.to_owned()),
        ..node("x")
    };
    assert_eq!(level(&titled("CT1")), Level::Full);
    assert_eq!(level(&titled("CT10")), Level::Nothing);
    for wrong in ["address localhost", "AE A-TITLE-THAT-IS-TOO-LONG"] {
        let rule = format!("[[rule]]\nname = \"a\"\nwho.node = \"{wrong}\"\nlevel = \"full\"\n");
        assert!(
            Policy::parse(&rule, &Vocabulary::default()).is_err(),
            "{wrong}"
        );
    }
}

/// BPPC: where policies are explained, a document that acknowledges others only would not be heeded.
#[test]
fn acknowledgements_that_nobody_explains_are_known() {
    let explaining = policy("[policies.\"1.2.3.4\"]\nwish = \"deny\"\n");
    let entry = |format: &str, policies: &[&str]| {
        let codes = policies.iter();
        DocumentEntry {
            format_code: Some(Code::new(format, "1.3.6.1.4.1.19376.1.2.3", "")),
            event_codes: codes.map(|it| Code::new(*it, "", "")).collect(),
            ..DocumentEntry::new("urn:uuid:1", "1.2.3", "text/xml")
        }
    };
    let bppc = BPPC_FORMATS[0];
    assert!(explaining.leaves_unexplained(&entry(bppc, &["1.2.3.5"])));
    assert!(explaining.leaves_unexplained(&entry(bppc, &[])));
    assert!(!explaining.leaves_unexplained(&entry(bppc, &["1.2.3.5", "urn:oid:1.2.3.4"])));
    assert!(!explaining.leaves_unexplained(&entry("another", &["1.2.3.5"])));
    // Where nothing is explained, they are documents as any other.
    assert!(!policy("").leaves_unexplained(&entry(bppc, &["1.2.3.5"])));
}
