//! Every caller against every document: what the registry's room answers is what ten lines say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use hilum_audit::{Audit, AuditConfig};
use hilum_security::access::{Access, Consent, Policy, Provision, Vocabulary, Wish};
use hilum_security::{Caller, User, UserCode};
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrs::ReturnType;
use xds_schemas::iti18_registry_stored_query::{
    DocumentFilter, FindDocuments, StoredQuery, Visibility,
};
use xds_schemas::metadata::{
    Author, Code, DocumentEntry, DocumentEntryType, HomeCommunityId, PatientId, Submission,
    SubmissionSet,
};

use crate::config::{RegistryConfig, UnknownPatients};
use crate::db::consents::{self, NewVersion};
use crate::db::patients;
use crate::iti18_registry_stored_query as iti18;
use crate::submission::{self, Prepared};
use crate::{Registry, seconds};

const PATIENTS: usize = 40;
const DOCUMENTS_OF_PATIENT: usize = 25;
const CALLERS: usize = 100;

const RULES: &str = r#"
[[rule]]
name = "whose it is"
who = { organisation = ["urn:oid:1.2.3.1"] }
what = { institution = ["urn:oid:1.2.3.1"] }
level = "full"

[[rule]]
name = "emergency"
break_glass = true
level = "full"

[[rule]]
name = "very restricted"
what = { any_confidentiality = ["V"] }
level = "nothing"

[[rule]]
name = "restricted, permitted"
who = { role = ["doctor"] }
what = { any_confidentiality = ["R"] }
consent = "opt-in"
level = "metadata"

[[rule]]
name = "restricted"
what = { any_confidentiality = ["R"] }
who = { role = ["doctor", "nurse"] }
level = "existence"

[[rule]]
name = "restricted, others"
what = { any_confidentiality = ["R"] }
level = "nothing"

[[rule]]
name = "research"
who = { purpose = ["HRESCH"] }
consent = "opt-in"
level = "metadata"

[[rule]]
name = "no other research"
who = { purpose = ["HRESCH"] }
level = "nothing"

[[rule]]
name = "treatment"
who = { role = ["doctor", "nurse"] }
consent = "opt-out"
level = "full"
"#;

/// What a patient wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wished {
    Nothing,
    Deny,
    Permit,
    DenyOrganisation(usize),
    PermitResearch,
    Withdrawn,
}

#[derive(Debug, Clone)]
struct Asker {
    role: &'static str,
    organisation: usize,
    purpose: &'static str,
    reason: bool,
}

#[derive(Debug, Clone)]
struct Made {
    patient: usize,
    uuid: String,
    confidentiality: &'static str,
    institution: usize,
}

/// The reference: 0 nothing, 1 existence, 2 metadata or more.
fn level(who: &Asker, what: &Made, wished: Wished) -> u8 {
    use Wished::{Deny, DenyOrganisation, Permit, PermitResearch};
    let denied = wished == Deny || wished == DenyOrganisation(who.organisation);
    let permitted = wished == Permit || (wished == PermitResearch && who.purpose == "HRESCH");
    match (what.confidentiality, who.role, who.purpose) {
        _ if (who.organisation, what.institution) == (1, 1) => 2,
        (_, _, "BTG") if who.reason => 2,
        ("V", ..) => 0,
        ("R", "doctor", _) if permitted => 2,
        ("R", role, _) => u8::from(role != "clerk"),
        (_, _, "HRESCH") => {
            if permitted {
                2
            } else {
                0
            }
        }
        (_, role, _) => {
            if role != "clerk" && !denied {
                2
            } else {
                0
            }
        }
    }
}

struct Lots(u64);

impl Lots {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn patient(number: usize) -> PatientId {
    PatientId::new(format!("P{number}"), "1.2.3.9")
}

fn caller(who: &Asker) -> Caller {
    let code = |code: &str, system: &str| UserCode {
        code: code.to_owned(),
        system: system.to_owned(),
        display: None,
    };
    Caller {
        user: Some(Arc::new(User {
            name: "somebody".to_owned(),
            organization_id: Some(format!("urn:oid:1.2.3.{}", who.organisation)),
            roles: vec![code(who.role, "1.2.3.8")],
            purposes: vec![code(who.purpose, "2.16.840.1.113883.5.8")],
            reason: who.reason.then(|| "an accident".to_owned()),
            ..User::default()
        })),
        ..Caller::unknown("192.0.2.1:5".parse().unwrap())
    }
}

fn consent(of: usize, wished: Wished) -> Option<Consent> {
    let id = patient(of).to_string();
    let only = |provision| Consent {
        base: None,
        provisions: vec![provision],
        ..Consent::of("", &*id, Wish::Deny)
    };
    Some(match wished {
        Wished::Nothing => return None,
        Wished::Deny => Consent::of("", id, Wish::Deny),
        Wished::Permit => Consent::of("", id, Wish::Permit),
        Wished::DenyOrganisation(number) => only(Provision {
            organisations: vec![format!("urn:oid:1.2.3.{number}")],
            ..Provision::of(Wish::Deny)
        }),
        Wished::PermitResearch => only(Provision {
            purposes: vec!["HRESCH".to_owned()],
            ..Provision::of(Wish::Permit)
        }),
        Wished::Withdrawn => Consent {
            status: hilum_security::access::Status::Inactive,
            ..Consent::of("", id, Wish::Deny)
        },
    })
}

fn entry(made: &Made, at: usize) -> DocumentEntry {
    let code = |code: &str| Code::new(code, "1.2.3.8", code);
    DocumentEntry {
        patient_id: Some(patient(made.patient)),
        confidentiality_codes: match made.confidentiality {
            "N" => vec![code("N")],
            other => vec![code("N"), code(other)],
        },
        authors: vec![Author {
            institutions: vec![format!("Clinic^^^^^^^^^1.2.3.{}", made.institution)],
            ..Author::default()
        }],
        ..DocumentEntry::new(made.uuid.as_str(), format!("1.2.5.{at}"), "text/plain")
    }
}

/// Registers the documents of a patient, and its consent.
async fn fill(registry: &Registry, of: usize, made: &[Made], wished: Wished) {
    let mut submission = Submission::new(SubmissionSet {
        patient_id: Some(patient(of)),
        ..SubmissionSet::new("Set", format!("1.2.4.{of}"), "1.2.3.5")
    });
    for (at, made) in made.iter().enumerate() {
        submission.add_document(entry(made, of * DOCUMENTS_OF_PATIENT + at));
    }
    let prepared = Prepared::new(
        submission,
        Vec::new(),
        &registry.config.home_community_id,
        0,
    );
    let consent = consent(of, wished);
    let work = move |conn: &mut _| {
        submission::register(conn, &prepared, UnknownPatients::Accept, None)?;
        let Some(consent) = &consent else {
            return Ok(());
        };
        let known = patients::find(conn, &consent.patient_id)?.unwrap();
        let version = NewVersion {
            id: format!("of-{of}"),
            version: 1,
            newest: true,
            patient: known.number,
            updated: 0,
            resource: consent.to_fhir(),
        };
        Ok(consents::insert(conn, &version)?)
    };
    registry.db.write(work).await.unwrap();
}

fn open(folder: &std::path::Path, access: Access) -> Registry {
    let audit = Audit::open(AuditConfig {
        spool: folder.join("audit"),
        source_id: "test".to_owned(),
        enterprise_site: None,
        host: "localhost".to_owned(),
        segment_bytes: 1 << 30,
    });
    let database = format!("sqlite:{}", folder.join("registry.db").display());
    let mut config = RegistryConfig::new(database, HomeCommunityId::from("urn:oid:1.2.3"));
    config.access = access;
    Registry::open(config, audit.unwrap()).unwrap()
}

/// The documents that a caller finds of a patient.
async fn found(
    registry: &Registry,
    who: &Caller,
    of: usize,
    by_reference: bool,
    among: &[Made],
) -> BTreeSet<usize> {
    let query = StoredQuery::FindDocuments(FindDocuments {
        patient: patient(of),
        statuses: vec![AvailabilityStatus::Approved],
        filter: DocumentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            ..DocumentFilter::default()
        },
    });
    let wanted = match by_reference {
        true => ReturnType::ObjectRef,
        false => ReturnType::LeafClass,
    };
    let request = query.to_request(wanted);
    let read = StoredQuery::read_visible(&request).map(|(query, _)| (query, Visibility::default()));
    let answered = iti18::answered(registry, who, &request, read, SystemTime::now()).await;
    let is_found = |made: &Made| answered.response.contains(&format!("id=\"{}\"", made.uuid));
    (0..)
        .zip(among)
        .filter(|(_, made)| is_found(made))
        .map(|(at, _)| at)
        .collect()
}

/// 100,000 pairs, asked for by reference and whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_answered_is_what_the_reference_says() {
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::parse(RULES, &Vocabulary::default()).unwrap();
    let registry = open(folder.path(), Access::by(policy));
    assert!(seconds(SystemTime::now()) > 0);
    let mut lots = Lots(0x5EED);
    let wishes = [
        Wished::Nothing,
        Wished::Deny,
        Wished::Permit,
        Wished::DenyOrganisation(2),
        Wished::PermitResearch,
        Wished::Withdrawn,
    ];
    let mut of_patients = Vec::new();
    for of in 0..PATIENTS {
        let wished = wishes[of % wishes.len()];
        let made: Vec<Made> = (0..DOCUMENTS_OF_PATIENT)
            .map(|_| Made {
                patient: of,
                uuid: uuid::Uuid::new_v4().urn().to_string(),
                confidentiality: lots.pick(&["N", "N", "R", "V"]),
                institution: lots.pick(&[1, 2, 3]),
            })
            .collect();
        fill(&registry, of, &made, wished).await;
        of_patients.push((wished, made));
    }
    let (mut pairs, mut given) = (0, [0; 3]);
    for _ in 0..CALLERS {
        let who = Asker {
            role: lots.pick(&["doctor", "nurse", "clerk"]),
            organisation: lots.pick(&[1, 2, 3]),
            purpose: lots.pick(&["TREAT", "TREAT", "HRESCH", "BTG"]),
            reason: lots.pick(&[true, false]),
        };
        let caller = caller(&who);
        for (of, (wished, made)) in of_patients.iter().enumerate() {
            let references = found(&registry, &caller, of, true, made).await;
            let whole = found(&registry, &caller, of, false, made).await;
            for (at, made) in made.iter().enumerate() {
                let expected = level(&who, made, *wished);
                let seen = (references.contains(&at), whole.contains(&at));
                let pair = (&who, made, wished);
                assert_eq!(seen, (expected >= 1, expected >= 2), "{pair:?}");
                given[usize::from(expected)] += 1;
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 100_000);
    eprintln!("{pairs} pairs, no difference: {given:?} got nothing, existence, metadata");
    assert!(given.iter().all(|count| *count > 2000), "{given:?}");
}
