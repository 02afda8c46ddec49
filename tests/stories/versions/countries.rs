//! The two countries: their nodes, and what each says of the other.

use std::io::Write as _;

use hilum_tests::bent::{Bend, bent};
use hilum_tests::people::configure;
use hilum_tests::region::{DEMOGRAPHICS, authority, home, repository};
use hilum_tests::{Desk, Partner, Setup, Town, versions};

/// How long each waits for the other. Short, since circles of those who pass no header on take that long.
pub(super) const DEADLINE_SECONDS: u64 = 12;
/// A repository of which each believes that the other's gateway is it.
pub(super) const CIRCLE: &str = "2.999.99";

/// What two countries are like.
#[derive(Debug)]
pub(super) struct Round {
    /// Plain HTTP, or mutual TLS.
    pub(super) plain: bool,
    /// Keys and values with which each describes the other.
    pub(super) said: [&'static [(&'static str, &'static str)]; 2],
    /// What changes the messages of each to the other.
    pub(super) bent: [Option<Bend>; 2],
}

/// One of the two.
#[derive(Debug)]
pub(super) struct Country {
    pub(super) number: usize,
    pub(super) town: Town,
    /// Where the other is asked over WADO-RS, if this one can.
    pub(super) asks_over_the_web: bool,
}

/// Both of them, and what is between them.
#[derive(Debug)]
pub(super) struct Countries {
    both: [Country; 2],
    /// Who takes answers on connections of their own.
    pub(super) desk: Desk,
    _lines: Vec<Partner>,
}

/// Says what is not tried, past the harness, which keeps what is printed of a test that succeeds.
pub(super) fn skipped(what: &str) {
    assert!(versions::other().is_some(), "this version cannot: {what}");
    let told = writeln!(std::io::stderr(), "NOT TRIED with HILUM_OTHER: {what}");
    told.expect("standard error is open");
}

/// A node that is set up and does not run: the second one of the other version.
pub(super) fn set_up(number: usize, plain: bool, environment: Vec<(String, String)>) -> Town {
    let program = (number == 1).then(versions::other).flatten();
    let town = Town::set_up(Setup {
        plain,
        program,
        environment,
        home: Some(home(number)),
        repository: Some(repository(number)),
        authority: Some(authority(number)),
        uncounted: true,
        ..Setup::default()
    });
    let refuse = "unknown_patients_in_queries = \"refuse\"";
    configure(
        &town,
        &[("affinity_domain", refuse), ("registry", DEMOGRAPHICS)],
    );
    town
}

/// Puts this at the end of a town's configuration.
pub(super) fn append(town: &Town, text: &str) {
    let before = std::fs::read_to_string(town.config()).expect("a configuration");
    std::fs::write(town.config(), before + text).expect("it can be changed");
}

impl Countries {
    pub(super) fn found(round: &Round) -> Self {
        let desk = Desk::reserve(round.plain);
        let setup = |number| set_up(number, round.plain, vec![desk.allowed()]);
        let mut towns = [setup(0), setup(1)];
        let mut lines = Vec::new();
        for number in [0, 1] {
            let (town, other) = (&towns[number], &towns[1 - number]);
            let (keys, unknown): (Vec<_>, Vec<_>) = round.said[number]
                .iter()
                .partition(|(key, _)| town.knows(key));
            for (key, value) in &unknown {
                skipped(&format!("country {number} with {key} = {value}"));
            }
            let url = match round.bent[number] {
                Some(bend) if unknown.is_empty() => {
                    let line = bent(bend, other.port(3));
                    let url = line.url();
                    lines.push(line);
                    url
                }
                _ => other.responding(),
            };
            let text = described(town, other, 1 - number, &url, &keys);
            let deadline = format!("deadline_seconds = {DEADLINE_SECONDS}");
            configure(town, &[("gateway", &deadline)]);
            append(town, &text);
        }
        if !round.plain {
            let authorities = towns.each_ref().map(ca);
            let all = authorities.join(",");
            towns
                .iter_mut()
                .for_each(|it| it.set("HILUM_TLS__TRUST", &all));
        }
        let asks_over_the_web = towns.each_ref().map(|it| it.knows("wado_url"));
        towns.iter_mut().for_each(Town::start);
        let [one, other] = towns;
        let country = |number: usize, town| Country {
            number,
            town,
            asks_over_the_web: asks_over_the_web[number],
        };
        let both = [country(0, one), country(1, other)];
        let mut countries = Self {
            both,
            desk,
            _lines: lines,
        };
        countries.desk.open(&countries.both[0].town);
        countries
    }

    pub(super) const fn both(&self) -> [&Country; 2] {
        let [one, other] = &self.both;
        [one, other]
    }
}

fn ca(town: &Town) -> String {
    town.node().join("certs/ca.pem").display().to_string()
}

/// What a town says of the other, in keys that it knows.
fn described(town: &Town, other: &Town, number: usize, url: &str, keys: &[(&str, &str)]) -> String {
    let mut lines = vec![
        format!("home_community_id = \"urn:oid:{}\"", home(number)),
        format!("name = \"country {number}\""),
        format!("url = \"{url}\""),
        "patients = \"discover\"".to_owned(),
    ];
    if town.knows("wado_url") {
        lines.push(format!("wado_url = \"{}\"", other.responding_wado()));
    }
    if town.knows("trust") && other.client_files().is_some() {
        lines.push(format!("trust = [\"{}\"]", ca(other)));
    }
    lines.extend(keys.iter().map(|(key, value)| format!("{key} = {value}")));
    let initiating = other.initiating();
    format!(
        "\n[[gateway.community]]\n{}\n\n[[gateway.repository]]\nunique_id = \"{CIRCLE}\"\n\
         url = \"{initiating}\"\nimaging_url = \"{initiating}\"\n",
        lines.join("\n")
    )
}
