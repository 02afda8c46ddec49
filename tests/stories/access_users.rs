//! Users by assertion and by token, their patients' consents, and every door: what is given is what a
//! reference says that was written without the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use hilum_dicom::phantoms::{self, Detail};
use hilum_security::iti40_provide_x_user_assertion::AssertionIssuer;
use hilum_security::iti72_incorporate_access_token::TokenIssuer;
use hilum_security::{User, UserCode};
use hilum_tests::calls::{CrossProvide, Query, Raw, Retrieve, parts};
use hilum_tests::people::{AS, IDP, authorization_server, configure, idp, issue, issue_token};
use hilum_tests::streamed::ordered;
use hilum_tests::town::hilum;
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use hilum_transport::{Client, ClientError, HttpRequest};
use serde_json::Value;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::metadata::DocumentEntry;

const RULES: &str = r#"
[[rule]]
name = "the source"
who.node = "CN=client"
permission = ["provide", "register"]
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
name = "within the organisation"
who.purpose = "TREAT"
who.organisation = "urn:oid:1.1"
level = "metadata"

[[rule]]
name = "research"
who.purpose = "HRESCH"
who.issuer = ["https://idp.example", "https://as.example"]
consent = "opt-in"
level = "full"
"#;

/// At least so many callers ask.
const CALLERS: usize = 40;
/// Pairs of callers and documents on each door, unless `HILUM_ACCESS_PAIRS` says how many.
const PAIRS: usize = 2_000;
/// Documents that are asked for in one request.
const AT_ONCE: usize = 100;
/// Requests of the web at one time, each of which is about one study.
const AT_A_TIME: usize = 10;

/// How many callers ask about how many documents, or studies. One answer is about many of them.
#[derive(Debug, Clone, Copy)]
struct Scale {
    callers: usize,
    documents: usize,
}

impl Scale {
    /// `few` documents for everyday runs, more if there are to be many pairs.
    fn of(few: usize, many: usize) -> Self {
        let pairs = std::env::var("HILUM_ACCESS_PAIRS");
        let pairs = pairs.map_or(PAIRS, |pairs| pairs.parse().expect("HILUM_ACCESS_PAIRS"));
        let documents = if pairs > 10 * PAIRS { many } else { few };
        Self {
            callers: pairs.div_ceil(documents).max(CALLERS),
            documents,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Given {
    Nothing,
    Metadata,
    Full,
}

/// A caller, as the reference sees them.
#[derive(Debug, Clone, Copy)]
struct Who {
    user: bool,
    role: &'static str,
    purpose: &'static str,
    organisation: usize,
    reason: bool,
    own: usize,
}

/// The policy in ten lines. `wish` is whether the patient permits it, if that was said.
fn reference(who: &Who, of: usize, code: &str, wish: Option<bool>, retrieves: bool) -> Given {
    let emergency = ["BTG", "ETREAT"].contains(&who.purpose) && who.reason && retrieves;
    match () {
        () if !who.user => Given::Nothing,
        () if who.role == "patient" && who.own == of => Given::Full,
        () if who.role == "physician" && emergency && code != "V" => Given::Full,
        () if wish == Some(false) || code == "V" => Given::Nothing,
        () if ["physician", "nurse"].contains(&who.role)
            && who.purpose == "TREAT"
            && code == "N" =>
        {
            Given::Full
        }
        () if who.purpose == "TREAT" && who.organisation == 1 => Given::Metadata,
        () if who.purpose == "HRESCH" && wish == Some(true) => Given::Full,
        () => Given::Nothing,
    }
}

/// What the patients wish: the first nothing, the second that there be research, the third that
/// nobody gets anything, the fourth that the second organisation does not.
fn wish(patient: usize, who: &Who) -> Option<bool> {
    match patient % 4 {
        1 if who.user && who.purpose == "HRESCH" => Some(true),
        2 => Some(false),
        3 if who.user && who.organisation == 2 => Some(false),
        _ => None,
    }
}

fn record_wishes(town: &Town, patients: &[&str]) {
    for (number, patient) in patients.iter().enumerate() {
        let said: &[&str] = match number % 4 {
            1 => &["--permit", "--purpose", "HRESCH"],
            2 => &["--deny"],
            3 => &["--deny", "--organisation", "urn:oid:1.2"],
            _ => continue,
        };
        told(
            town,
            &[&["consent", "record", "--patient", patient][..], said].concat(),
        );
    }
}

/// Numbers that look random and are the same each time (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % sides
    }

    fn one<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn caller(&mut self) -> Who {
        Who {
            user: self.below(10) > 0,
            role: self.one(&["physician", "nurse", "researcher", "patient"]),
            purpose: self.one(&["TREAT", "HRESCH", "BTG", "ETREAT", "HPAYMT"]),
            organisation: 1 + self.below(2),
            reason: self.below(3) > 0,
            own: self.below(4),
        }
    }
}

/// A town that believes assertions and tokens.
struct Place {
    town: Town,
    assertions: AssertionIssuer,
    tokens: TokenIssuer,
    /// Nobody's in particular.
    web: Client,
}

impl Place {
    fn open() -> Self {
        Self::with(&[])
    }

    /// The same with more in the environment of the node.
    fn with(environment: &[(&str, &str)]) -> Self {
        let settle = [("HILUM_IMAGING__SETTLE_SECONDS", "1")];
        let environment = settle.iter().chain(environment);
        let environment =
            environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut town = Town::set_up(Setup {
            uncounted: true,
            audit_repository: true,
            environment: environment.collect(),
            ..Setup::default()
        });
        let (assertions, tokens) = (idp(&town), authorization_server(&town));
        std::fs::write(town.node().join("as.jwks"), tokens.keys().unwrap()).unwrap();
        std::fs::write(town.node().join("access.toml"), RULES).unwrap();
        let believed =
            format!("issuer = [{{ name = \"{IDP}\", certificates = [\"certs/idp.pem\"] }}]");
        let tokens_of = format!("issuer = [{{ name = \"{AS}\", keys = \"as.jwks\" }}]");
        configure(
            &town,
            &[
                ("xua", &format!("assertions = \"accepted\"\n{believed}")),
                ("iua", &format!("tokens = \"accepted\"\n{tokens_of}")),
                ("access", "rules = \"access.toml\""),
            ],
        );
        town.start();
        Self {
            web: town.client_named("client"),
            town,
            assertions,
            tokens,
        }
    }

    /// Asks as this caller from now on; gives what the web needs for it.
    fn become_caller(&mut self, who: &Who, patients: &[&str]) -> Headers {
        self.town.client = self.web.clone();
        if !who.user {
            return Vec::new();
        }
        let code = |code: &str, system: &str| UserCode {
            code: code.to_owned(),
            system: system.to_owned(),
            display: Some(code.to_owned()),
        };
        let user = User {
            name: "somebody".to_owned(),
            full_name: Some("Some Body".to_owned()),
            organization: Some("An Organisation".to_owned()),
            organization_id: Some(format!("urn:oid:1.{}", who.organisation)),
            roles: vec![code(who.role, "1.9")],
            purposes: vec![code(who.purpose, "2.16.840.1.113883.5.8")],
            patient_id: Some(words::patient(patients[who.own])),
            reason: who.reason.then(|| "found unconscious".to_owned()),
            scopes: ["RAD-55", "RAD-107", "RAD-129"].map(str::to_owned).into(),
            ..User::default()
        };
        let assertion = self.assertions.issue(&user, &issue()).unwrap();
        self.town.client = self.town.client.for_user(&assertion);
        let token = self.tokens.issue(&user, &issue_token()).unwrap();
        vec![("authorization", format!("Bearer {token}"))]
    }

    async fn get(&self, path: &str, headers: &Headers) -> (u16, Bytes) {
        let url = format!("https://localhost:{}{path}", self.town.port(2));
        get(&self.web, &url, headers).await
    }

    /// What is answered to who asks for the metadata of each study.
    async fn metadata(&self, studies: &[Study], headers: &Headers) -> Vec<(u16, Bytes)> {
        let mut answers = Vec::new();
        for studies in studies.chunks(AT_A_TIME) {
            let asking = studies.iter().map(|study| {
                let path = format!("/dicom-web/studies/{}/metadata", study.uid);
                let url = format!("https://localhost:{}{path}", self.town.port(2));
                let (client, headers) = (self.web.clone(), headers.clone());
                tokio::spawn(async move { get(&client, &url, &headers).await })
            });
            for answer in asking.collect::<Vec<_>>() {
                answers.push(answer.await.unwrap());
            }
        }
        answers
    }
}

type Headers = Vec<(&'static str, String)>;

async fn get(client: &Client, url: &str, headers: &Headers) -> (u16, Bytes) {
    let request = HttpRequest {
        method: "GET",
        url,
        headers,
        body: Bytes::new(),
    };
    let answer = client.exchange_http(request, 1 << 24).await.unwrap();
    (answer.status, answer.body)
}

/// Runs a command that succeeds, and gives what it says.
fn told(town: &Town, arguments: &[&str]) -> String {
    let output = town.run(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The documents that ITI-43 gives of these.
async fn retrieved(town: &Town, ids: &[&str]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for ids in ids.chunks(AT_ONCE) {
        let got = town.retrieve(ids).await.unwrap();
        all.extend(got.documents.into_iter().map(|it| it.unique_id));
    }
    all
}

/// The documents that ITI-18 finds of a patient.
async fn found(town: &Town, patient: &str) -> BTreeSet<String> {
    let query = words::find_documents(patient, "LeafClass");
    let answer = town.query(query).await.unwrap();
    assert_eq!(
        answer.status,
        ResponseStatus::Success,
        "{:?}",
        answer.errors
    );
    let entries = answer.objects.iter();
    let entries = entries.map(|it| DocumentEntry::from_ebrim(it).unwrap());
    entries.map(|it| it.unique_id.0).collect()
}

const PATIENTS: [&str; 4] = ["P-0", "P-1", "P-2", "P-3"];
const CODES: [&str; 3] = ["N", "R", "V"];

/// By uniqueId: patient and confidentiality code.
async fn documents(place: &Place, count: usize) -> BTreeMap<String, (usize, &'static str)> {
    let mut documents = BTreeMap::new();
    for (number, patient) in PATIENTS.into_iter().enumerate() {
        let of_patient = (0..count / 4).map(|at| {
            let mut document = Document::text(&format!("{patient} {at}"));
            document.confidentiality = CODES[at % 3];
            document
        });
        let submission = Submission::new(patient, of_patient.collect());
        let response = place.town.provide(&submission).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        for document in submission.documents {
            documents.insert(document.unique_id, (number, document.confidentiality));
        }
    }
    documents
}

/// Their uniqueIds, a patient's together: of those the registry is asked at once.
fn by_patient<'d>(documents: &'d BTreeMap<String, (usize, &'static str)>) -> Vec<&'d str> {
    let mut ids: Vec<&str> = documents.keys().map(String::as_str).collect();
    ids.sort_by_key(|id| documents[*id].0);
    ids
}

#[tokio::test]
async fn documents_are_given_as_the_reference_says() {
    let mut place = Place::open();
    let scale = Scale::of(48, 400);
    let documents = documents(&place, scale.documents).await;
    record_wishes(&place.town, &PATIENTS);
    let ids = by_patient(&documents);
    let mut dice = Dice(0x5EED_0001);
    let (mut pairs, mut given, mut emergencies) = (0, 0, 0);
    for _ in 0..scale.callers {
        let who = dice.caller();
        place.become_caller(&who, &PATIENTS);
        let level =
            |of: usize, code: &str, retrieves| reference(&who, of, code, wish(of, &who), retrieves);
        let all = documents.iter();
        let expected = all
            .clone()
            .filter(|(_, (of, code))| level(*of, code, true) == Given::Full);
        let expected: BTreeSet<String> = expected.map(|(id, _)| id.clone()).collect();
        assert_eq!(retrieved(&place.town, &ids).await, expected, "{who:?}");
        for (number, patient) in PATIENTS.into_iter().enumerate() {
            let known = all.clone().filter(|(_, (of, code))| {
                *of == number && level(*of, code, false) >= Given::Metadata
            });
            let known: BTreeSet<String> = known.map(|(id, _)| id.clone()).collect();
            assert_eq!(
                found(&place.town, patient).await,
                known,
                "{who:?} {patient}"
            );
        }
        pairs += documents.len();
        given += expected.len();
        let emergency = who.user && who.role == "physician" && who.reason;
        let emergency = emergency && ["BTG", "ETREAT"].contains(&who.purpose);
        emergencies += if emergency { expected.len() } else { 0 };
    }
    println!(
        "{pairs} pairs of callers and documents at each of ITI-43 and ITI-18, {given} retrieved"
    );
    assert!(
        given > scale.documents && emergencies > 0,
        "{given} {emergencies}"
    );

    // Each document that an emergency opened has an alert, and the log names no patient.
    let messages = place.town.messages();
    let alerts = messages
        .iter()
        .filter(|it| it.contains("csd-code=\"110127\""));
    assert_eq!(alerts.clone().count(), emergencies);
    assert!(
        alerts
            .clone()
            .all(|it| it.contains("somebody") && it.contains("P-"))
    );
    let log = place.town.log();
    assert!(log.contains("the glass is broken"), "{log}");
    assert!(
        PATIENTS.iter().all(|patient| !log.contains(patient)),
        "{log}"
    );
}

/// The gateway asks the town's rooms for whom it is asked: it is no way around the rules.
#[tokio::test]
async fn the_gateway_gives_as_the_reference_says() {
    let mut place = Place::open();
    let scale = Scale::of(48, 400);
    let documents = documents(&place, scale.documents).await;
    record_wishes(&place.town, &PATIENTS);
    let ids = by_patient(&documents);
    let home = format!(
        "<xds:HomeCommunityId>urn:oid:{}</xds:HomeCommunityId>",
        words::HOME
    );
    let first = "<xds:RepositoryUniqueId>";
    let request = |ids: &[&str]| {
        words::retrieve(words::REPOSITORY, ids).replace(first, &format!("{home}{first}"))
    };
    let mut dice = Dice(0x5EED_0003);
    let (mut pairs, mut given) = (0, 0);
    while pairs < scale.callers * scale.documents {
        let who = dice.caller();
        place.become_caller(&who, &PATIENTS);
        let town = &place.town;
        let url = town.initiating();
        let mut got = Vec::new();
        for ids in ids.chunks(AT_ONCE) {
            match town.retrieve_at::<Retrieve>(&url, request(ids)).await {
                Ok(part) if who.user => got.extend(part.documents),
                answer => assert!(answer.is_err() && !who.user, "nobody is asked for nobody"),
            }
        }
        if !who.user {
            let query = words::find_documents(PATIENTS[0], "LeafClass");
            let streamed = town.query_as_it_comes::<Query>(query).await;
            assert!(matches!(streamed, Err(ClientError::Fault { .. })));
            continue;
        }
        let level =
            |of: usize, code: &str, retrieves| reference(&who, of, code, wish(of, &who), retrieves);
        let all = documents.iter();
        let expected = all
            .clone()
            .filter(|(_, (of, code))| level(*of, code, true) == Given::Full);
        let expected: BTreeSet<String> = expected.map(|(id, _)| id.clone()).collect();
        let got = got.into_iter().map(|it| it.unique_id);
        assert_eq!(got.collect::<BTreeSet<_>>(), expected, "{who:?}");
        for (number, patient) in PATIENTS.into_iter().enumerate() {
            let known = all.clone().filter(|(_, (of, code))| {
                *of == number && level(*of, code, false) >= Given::Metadata
            });
            let known: BTreeSet<String> = known.map(|(id, _)| id.clone()).collect();
            let query = words::find_documents(patient, "LeafClass");
            let answer = town.query_everywhere(query.clone()).await.unwrap();
            let streamed = town.query_as_it_comes::<Query>(query).await.unwrap();
            let shown = ordered(streamed.together());
            assert_eq!(shown, ordered(answer.clone()), "{who:?} {patient}");
            let entries = answer.objects.iter();
            let entries = entries.map(|it| DocumentEntry::from_ebrim(it).unwrap().unique_id.0);
            assert_eq!(entries.collect::<BTreeSet<_>>(), known, "{who:?} {patient}");
        }
        pairs += documents.len();
        given += expected.len();
    }
    println!(
        "{pairs} pairs of callers and documents at each of ITI-43 and ITI-18 of the gateway, {given} retrieved"
    );
    assert!(given > scale.documents, "{given}");
}

/// Whether a command succeeds with the certificate of a client, which is no infrastructure.
fn as_client(town: &Town, arguments: &[&str]) -> bool {
    let mut command = hilum();
    command.args(arguments).current_dir(town.node());
    command.env("HILUM_TLS__CERTIFICATE", "certs/client.pem");
    command.env("HILUM_TLS__KEY", "certs/client.key");
    command.output().unwrap().status.success()
}

/// Whether a gateway takes nothing, because it cannot say from which node it comes.
async fn is_closed_for_handing_in(town: &Town) -> bool {
    let submission = Submission::new("P-0", vec![Document::text("across")]);
    let request = Raw(submission.provide_request());
    let client = town
        .client
        .for_community(&format!("urn:oid:{}", words::HOME));
    let url = town.responding();
    match client
        .send::<CrossProvide>(&url, &request, parts(&submission))
        .await
    {
        Err(ClientError::Fault { fault, .. }) => fault.reason.contains("across communities"),
        Err(other) => panic!("{other}"),
        Ok(_) => false,
    }
}

/// Merges and the audit are for those whom a rule names, and gateways are closed where rules are about nodes.
#[tokio::test]
async fn what_no_rule_names_is_not_done() {
    let mut place = Place::open();
    for arguments in [
        &["feed", "add", "P-9"][..],
        &["audit", "search", "--limit", "1"],
    ] {
        assert!(!as_client(&place.town, arguments), "{arguments:?}");
        told(&place.town, arguments);
    }
    let who = Who {
        user: true,
        role: "physician",
        purpose: "TREAT",
        organisation: 1,
        reason: false,
        own: 0,
    };
    place.become_caller(&who, &PATIENTS);
    let query = || words::find_documents("P-0", "LeafClass");
    assert!(place.town.query_everywhere(query()).await.is_ok());
    // The rule about who hands in names a node, and closes the gateway for that and for nothing else.
    assert!(is_closed_for_handing_in(&place.town).await);
    let of_node = "who.node = \"CN=client\"";
    let of_user = RULES.replacen(of_node, "who.vouched = \"assertion\"", 1);
    assert_ne!(of_user, RULES);
    std::fs::write(place.town.node().join("access.toml"), of_user).unwrap();
    let began = Instant::now();
    while is_closed_for_handing_in(&place.town).await {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "nobody is hidden"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(place.town.query_everywhere(query()).await.is_ok());
    let about_nodes = "[[rule]]\nname = \"one\"\nwho.node = \"CN=client\"\nlevel = \"nothing\"\n";
    let rules = format!("{about_nodes}{RULES}");
    std::fs::write(place.town.node().join("access.toml"), rules).unwrap();
    let began = Instant::now();
    while place.town.query_everywhere(query()).await.is_ok() {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it is asked as the gateway"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the rooms of a node ask each other needs no token.
#[tokio::test]
async fn consents_are_looked_up_where_tokens_are_required() {
    let mut place = Place::with(&[("HILUM_IUA__TOKENS", "required")]);
    let documents = documents(&place, 48).await;
    record_wishes(&place.town, &PATIENTS);
    let of_patient = documents
        .iter()
        .filter(|(_, (of, code))| *of == 1 && *code != "V");
    let ids: Vec<&str> = of_patient.map(|(id, _)| id.as_str()).collect();
    let who = Who {
        user: true,
        role: "researcher",
        purpose: "HRESCH",
        organisation: 1,
        reason: false,
        own: 0,
    };
    place.become_caller(&who, &PATIENTS);
    assert_eq!(retrieved(&place.town, &ids).await.len(), ids.len());
}

#[tokio::test]
async fn a_withdrawal_counts_at_the_next_call() {
    let mut place = Place::open();
    let documents = documents(&place, 48).await;
    record_wishes(&place.town, &PATIENTS);
    let of_patient = documents
        .iter()
        .filter(|(_, (of, code))| *of == 1 && *code != "V");
    let ids: Vec<&str> = of_patient.map(|(id, _)| id.as_str()).collect();
    let who = Who {
        user: true,
        role: "researcher",
        purpose: "HRESCH",
        organisation: 1,
        reason: false,
        own: 0,
    };
    place.become_caller(&who, &PATIENTS);
    assert_eq!(retrieved(&place.town, &ids).await.len(), ids.len());
    told(&place.town, &["consent", "withdraw", "--patient", "P-1"]);
    assert_eq!(retrieved(&place.town, &ids).await.len(), 0);
    told(
        &place.town,
        &["consent", "record", "--patient", "P-1", "--permit"],
    );
    assert_eq!(retrieved(&place.town, &ids).await.len(), ids.len());
    // Of one document only.
    let denied = [
        "consent",
        "record",
        "--patient",
        "P-1",
        "--deny",
        "--document",
        ids[0],
    ];
    told(&place.town, &denied);
    assert_eq!(retrieved(&place.town, &ids).await.len(), ids.len() - 1);
}

/// A study of one instance.
struct Study {
    uid: String,
    /// Whose it is: a place among the patients.
    of: usize,
    instance: words::Instance,
}

/// Imports so many studies. Gives them, and their patients.
fn studies(town: &Town, count: usize) -> (Vec<Study>, Vec<&'static str>) {
    let folder = town.folder().join("dicom");
    std::fs::create_dir(&folder).unwrap();
    let (mut studies, mut patients) = (Vec::new(), Vec::new());
    for seed in 0.. {
        if studies.len() >= count {
            break;
        }
        let made = town.folder().join(format!("made-{seed}"));
        let now = SystemTime::now();
        for phantom in phantoms::write(&made, &format!("users {seed}"), now, Detail::Small).unwrap()
        {
            let file = std::fs::read_dir(&phantom.folder).unwrap().next().unwrap();
            let file = file.unwrap().path();
            let instance = instance_in(&file);
            std::fs::copy(&file, folder.join(format!("{}.dcm", studies.len()))).unwrap();
            if !patients.contains(&phantom.patient_id) {
                patients.push(phantom.patient_id);
            }
            let of = patients.iter().position(|it| *it == phantom.patient_id);
            studies.push(Study {
                uid: instance.0.clone(),
                of: of.unwrap(),
                instance,
            });
        }
        std::fs::remove_dir_all(made).unwrap();
    }
    told(town, &["import", folder.to_str().unwrap()]);
    (studies, patients)
}

#[tokio::test]
async fn studies_are_given_as_the_reference_says() {
    let mut place = Place::open();
    let scale = Scale::of(20, 100);
    let (studies, mut patients) = studies(&place.town, scale.documents);
    record_wishes(&place.town, &patients);
    patients.resize(4, "P-9");
    let instances: Vec<words::Instance> = studies.iter().map(|it| it.instance.clone()).collect();
    let mut dice = Dice(0x5EED_0002);
    let (mut pairs, mut given) = (0, 0);
    for _ in 0..scale.callers {
        let who = dice.caller();
        let headers = place.become_caller(&who, &patients);
        let level = |of: usize, retrieves| reference(&who, of, "N", wish(of, &who), retrieves);
        let chosen = |retrieves, least| -> BTreeSet<String> {
            let chosen = studies.iter();
            let chosen = chosen.filter(|it| level(it.of, retrieves) >= least);
            chosen.map(|it| it.uid.clone()).collect()
        };
        let (full, known) = (chosen(true, Given::Full), chosen(false, Given::Metadata));
        let absent = place
            .get("/dicom-web/studies/2.999.404/metadata", &headers)
            .await;
        let answers = place.metadata(&studies, &headers).await;
        for (study, answer) in studies.iter().zip(answers) {
            let may = full.contains(&study.uid);
            assert_eq!(answer.0 == 200, may, "{who:?} {}: {}", study.of, answer.0);
            assert!(may || answer == absent, "{who:?}");
        }
        let request = words::retrieve_images(words::REPOSITORY, &instances, &[EXPLICIT]);
        let got = place.town.retrieve_images(request).await.unwrap();
        let got: BTreeSet<String> = got.documents.into_iter().map(|it| it.unique_id).collect();
        let expected = studies.iter().filter(|it| full.contains(&it.uid));
        let expected: BTreeSet<String> = expected.map(|it| it.instance.2.clone()).collect();
        assert_eq!(got, expected, "{who:?}");
        let (status, body) = place.get("/dicom-web/studies", &headers).await;
        assert_eq!(status, 200);
        let listed: Vec<Value> = serde_json::from_slice(&body).unwrap();
        let uid = |it: &Value| it["0020000D"]["Value"][0].as_str().unwrap().to_owned();
        assert_eq!(
            listed.iter().map(uid).collect::<BTreeSet<_>>(),
            known,
            "{who:?}"
        );
        pairs += studies.len();
        given += full.len();
    }
    assert!(given > 10, "{given}");
    println!("{pairs} pairs of callers and studies at each of WADO-RS, RAD-69 and QIDO-RS");
    let messages = place.town.messages();
    assert!(messages.iter().any(|it| it.contains("csd-code=\"110127\"")));
}

const EXPLICIT: &str = "1.2.840.10008.1.2.1";

fn instance_in(file: &std::path::Path) -> words::Instance {
    let bytes = std::fs::read(file).unwrap();
    let one = hilum_dicom::instance::read_bytes(&bytes).unwrap();
    let uids = [
        one.study_instance_uid,
        one.series_instance_uid,
        one.sop_instance_uid,
    ];
    let [study, series, instance] = uids.map(|it| it.to_string());
    (study, series, instance)
}
