//! The policy decides as a reference that was written without it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hilum_security::access::{
    Asking, Consent, Described, Level, Period, Policy, Provision, Status, Vocabulary, Wish,
};
use hilum_security::{Caller, NodeName, Permission, Shown, User, UserCode};

const PAIRS: usize = 100_000;

const RULES: &str = r#"
[project.lung]
until = 2026-12-31
member = [{ user = "https://idp.example|u1" }, { organisation = "urn:oid:1.1", role = "researcher" }]

[[rule]]
name = "machines"
who.node = "CN=archive"
who.vouched = "nobody"
level = "full"

[[rule]]
name = "own documents"
who.role = "patient^^1.9"
what.patient = "own"
level = "full"

[[rule]]
name = "emergency"
who.role = "physician^^1.9"
what.confidentiality = ["N", "R"]
permission = "retrieve"
break_glass = true
level = "full"

[[rule]]
name = "refused"
consent = "refused"
level = "nothing"

[[rule]]
name = "very restricted"
what.any_confidentiality = "V"
level = "nothing"

[[rule]]
name = "treatment"
who.role = ["physician^^1.9", "nurse^^1.9"]
who.purpose = "TREAT"
what.confidentiality = "N^^2.16.840.1.113883.5.25"
level = "full"

[[rule]]
name = "restricted within the organisation"
who.purpose = "TREAT"
who.organisation = "urn:oid:1.1"
what.institution = "1.1"
level = "metadata"

[[rule]]
name = "lung project"
who.project = "lung"
who.purpose = "HRESCH"
what.collection = "lung"
what.class = "IMAGES"
consent = "opt-in"
level = "deidentified"

[[rule]]
name = "catalogue"
who.purpose = "HRESCH"
consent = "opt-out"
level = "existence"
"#;

/// Who asks, as the reference sees it.
#[derive(Debug, Clone, Copy)]
struct Who {
    node: bool,
    user: usize,
    role: &'static str,
    purpose: &'static str,
    organisation: usize,
    reason: bool,
    own: usize,
    retrieves: bool,
}

#[derive(Debug, Clone, Copy)]
struct What {
    patient: usize,
    confidentiality: &'static [&'static str],
    institution: usize,
    images: bool,
    lung: bool,
}

/// The policy in ten lines. `wish` is whether the patient permits it, if that was said.
fn reference(who: &Who, what: &What, wish: Option<bool>, year: u32) -> Level {
    let only = |allowed: &[&str]| {
        !what.confidentiality.is_empty()
            && what.confidentiality.iter().all(|it| allowed.contains(it))
    };
    let user = who.user > 0;
    let research = user && who.purpose == "HRESCH";
    let project = year < 2027
        && (who.user == 1 || (user && who.organisation == 1 && who.role == "researcher"));
    match () {
        () if who.node && !user => Level::Full,
        () if user && who.role == "patient" && who.own == what.patient => Level::Full,
        () if user
            && who.role == "physician"
            && ["BTG", "ETREAT"].contains(&who.purpose)
            && who.reason
            && who.retrieves
            && only(&["N", "R"]) =>
        {
            Level::Full
        }
        () if wish == Some(false) || what.confidentiality.contains(&"V") => Level::Nothing,
        () if user
            && ["physician", "nurse"].contains(&who.role)
            && who.purpose == "TREAT"
            && only(&["N"]) =>
        {
            Level::Full
        }
        () if user && who.purpose == "TREAT" && who.organisation == 1 && what.institution == 1 => {
            Level::Metadata
        }
        () if project && research && what.lung && what.images && wish == Some(true) => {
            Level::Deidentified
        }
        () if research => Level::Existence,
        () => Level::Nothing,
    }
}

/// A consent, as the reference sees it: on which day it was given, what it says, whether it is in
/// force, and whether it is about one organisation or one purpose only.
#[derive(Debug, Clone, Copy)]
struct Said {
    day: u64,
    permit: bool,
    active: bool,
    organisation: Option<usize>,
    purpose: Option<&'static str>,
}

fn wish(all: &[Said], who: &Who) -> Option<bool> {
    let user = who.user > 0;
    let about = all.iter().filter(|it| {
        it.active
            && it
                .organisation
                .is_none_or(|one| user && who.organisation == one)
            && it.purpose.is_none_or(|one| user && who.purpose == one)
    });
    about
        .max_by_key(|it| (it.day, !it.permit))
        .map(|it| it.permit)
}

/// Numbers that look random and are the same each time (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap() % sides
    }

    fn one<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

fn day(number: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(number * 86_400)
}

fn patient(number: usize) -> String {
    format!("P{number}^^^&1.2.3&ISO")
}

fn caller(who: &Who) -> Caller {
    let code = |code: &str, system: &str| UserCode {
        code: code.to_owned(),
        system: system.to_owned(),
        display: None,
    };
    let mut caller = Caller::unknown("192.0.2.1:5".parse().unwrap());
    caller.node = Some(NodeName {
        subject: format!(
            "CN={}, O=Example",
            if who.node { "archive" } else { "viewer" }
        ),
        fingerprint: "00".repeat(32),
        certificate: Shown::default(),
    });
    caller.user = (who.user > 0).then(|| {
        Arc::new(User {
            name: format!("u{}", who.user),
            issuer: "https://idp.example".to_owned(),
            organization_id: Some(format!("urn:oid:1.{}", who.organisation)),
            roles: vec![code(who.role, "urn:oid:1.9")],
            purposes: vec![code(who.purpose, "2.16.840.1.113883.5.8")],
            patient_id: Some(patient(who.own)),
            reason: who.reason.then(|| "unconscious".to_owned()),
            ..User::default()
        })
    });
    caller
}

fn described(what: &What) -> Described {
    let code = |code: &str| format!("{code}^^2.16.840.1.113883.5.25");
    Described {
        patient_id: Some(patient(what.patient)),
        unique_id: Some("1.2.3.4".to_owned()),
        confidentiality_codes: what.confidentiality.iter().map(|it| code(it)).collect(),
        class_code: Some(
            if what.images {
                "IMAGES^^1"
            } else {
                "REPORTS^^1"
            }
            .to_owned(),
        ),
        author_institutions: vec![format!("Clinic^^^^^^^^^1.{}", what.institution)],
        collection: what.lung.then(|| "lung".to_owned()),
        ..Described::default()
    }
}

fn consent(said: &Said, patient_id: &str) -> Consent {
    let wish = if said.permit {
        Wish::Permit
    } else {
        Wish::Deny
    };
    let whole = said.organisation.is_none() && said.purpose.is_none();
    let provision = Provision {
        organisations: said
            .organisation
            .iter()
            .map(|it| format!("urn:oid:1.{it}"))
            .collect(),
        purposes: said.purpose.iter().map(|it| (*it).to_owned()).collect(),
        ..Provision::of(wish)
    };
    Consent {
        status: if said.active {
            Status::Active
        } else {
            Status::Inactive
        },
        given: Some(day(said.day)),
        period: Period::default(),
        base: whole.then_some(wish),
        provisions: if whole { Vec::new() } else { vec![provision] },
        ..Consent::of("c", patient_id, wish)
    }
}

impl Dice {
    fn who(&mut self) -> Who {
        Who {
            node: self.below(4) == 0,
            user: self.below(5),
            role: self.one(&["physician", "nurse", "researcher", "patient"]),
            purpose: self.one(&["TREAT", "HRESCH", "BTG", "ETREAT", "HPAYMT"]),
            organisation: 1 + self.below(2),
            reason: self.below(2) == 0,
            own: self.below(3),
            retrieves: self.below(2) == 0,
        }
    }

    fn what(&mut self) -> What {
        What {
            patient: self.below(3),
            confidentiality: self.one(&[
                &["N"][..],
                &["N"],
                &["R"],
                &["V"],
                &["N", "R"],
                &["N", "V"],
                &[],
            ]),
            institution: 1 + self.below(2),
            images: self.below(4) > 0,
            lung: self.below(4) > 0,
        }
    }

    /// What a patient said, up to three times.
    fn said(&mut self) -> Vec<Said> {
        let times = self.below(4);
        let mut said = Vec::new();
        for _ in 0..times {
            said.push(Said {
                day: self.below(5) as u64,
                permit: self.below(2) == 0,
                active: self.below(4) > 0,
                organisation: (self.below(3) == 0).then(|| 1 + self.below(2)),
                purpose: (self.below(3) == 0).then(|| self.one(&["TREAT", "HRESCH"])),
            });
        }
        said
    }
}

#[test]
fn a_hundred_thousand_decisions_are_those_of_the_reference() {
    let policy = Policy::parse(RULES, &Vocabulary::default()).unwrap();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut seen = [0_usize; 5];
    for number in 0..PAIRS {
        let (who, what) = (dice.who(), dice.what());
        let (said, foreign) = (dice.said(), dice.said());
        let mut consents: Vec<Consent> = said
            .iter()
            .map(|it| consent(it, &patient(what.patient)))
            .collect();
        consents.extend(foreign.iter().map(|it| consent(it, &patient(9))));
        let year = dice.one(&[2026, 2027]);
        let permission = if who.retrieves {
            Permission::Retrieve
        } else {
            Permission::Query
        };
        let (caller, document) = (caller(&who), described(&what));
        let asking = Asking {
            caller: &caller,
            permission,
            now: day(if year == 2026 { 20_780 } else { 20_900 }),
        };
        let decision = policy.decide(&asking, &document, &consents);
        let expected = reference(&who, &what, wish(&said, &who), year);
        assert_eq!(
            decision.level, expected,
            "pair {number}: {who:?} {what:?} {said:?} {year}: by {}",
            decision.rule
        );
        seen[expected as usize] += 1;
        // What is decided without looking is what is decided by looking.
        if let Some(early) = policy.decide_without_consents(&asking, &document) {
            assert_eq!(early, decision);
        }
        if let Some(for_all) = policy.decide_for_all(&asking) {
            assert_eq!(for_all, decision);
        }
        let explained = policy.explain(&asking, &document, &consents);
        assert_eq!(explained.decision, decision);
        let last = explained.considered.last().unwrap();
        assert_eq!(
            &*decision.rule == "no rule",
            last.rule != *decision.rule,
            "{explained:?}"
        );
    }
    // Every level occurs often enough to mean something.
    assert!(seen.iter().all(|it| *it > PAIRS / 500), "{seen:?}");
    println!("{PAIRS} pairs, by level: {seen:?}");
}
