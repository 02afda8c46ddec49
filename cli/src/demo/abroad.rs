//! Two more countries: communities of their own, each with registry, repository, imaging source and
//! gateways. A clinician of the first country asks the own gateway and gets what all three have; then one
//! is stopped, and comes back. Each step is a command that a user could type.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use hilum_dicom::phantoms::{self, Detail};
use serde_json::Value;

use super::guard::ISSUER;
use super::nodes::set;
use super::road::Road;
use crate::config::Config;
use crate::domain::Domain;
use crate::serve::Running;
use crate::terminal::{Table, say};

/// What [`Road::across`] writes beside the configuration of Midland's registry.
pub(super) const CLINICIAN: &str = "welby.xml";

/// A community, as its operator would set it up.
#[derive(Debug, Clone)]
pub(super) struct Country {
    /// For people.
    pub(super) name: &'static str,
    /// The node's folder; that of the first country is its registry's.
    pub(super) folder: &'static str,
    /// `homeCommunityId` and repositoryUniqueId, as OIDs.
    pub(super) home: &'static str,
    pub(super) repository: &'static str,
    /// What is added to the port base.
    pub(super) offset: u16,
}

/// The first is that of registry and imaging centre.
pub(super) const COUNTRIES: [Country; 3] = [
    Country {
        name: "Midland",
        folder: "registry",
        home: "2.25.18400",
        repository: "2.25.18402",
        offset: 0,
    },
    Country {
        name: "Northland",
        folder: "northland",
        home: "2.25.18410",
        repository: "2.25.18412",
        offset: 10,
    },
    Country {
        name: "Southland",
        folder: "southland",
        home: "2.25.18420",
        repository: "2.25.18422",
        offset: 20,
    },
];

/// Tells the node of a country of all the others, and whose users it believes. Midland's repository and
/// imaging source are the imaging centre's.
pub(super) fn prepare(dir: &Path, country: &Country, port_base: u16) -> anyhow::Result<()> {
    let file = dir.join(country.folder).join("hilum.toml");
    let others = COUNTRIES.iter().filter(|it| it.home != country.home);
    let community = |it: &Country| {
        let port = port_base + it.offset + 3;
        format!(
            "{{ home_community_id = \"urn:oid:{}\", name = \"{}\", url = \
             \"https://localhost:{port}/responding\", deadline_seconds = 10 }}",
            it.home, it.name
        )
    };
    let communities: Vec<String> = others.map(community).collect();
    let communities = format!("[{}]", communities.join(", "));
    set(&file, &[("gateway", "community", &communities)])?;
    if country.offset > 0 {
        return believe(&file);
    }
    let port = port_base + 2;
    let repository = format!(
        "[{{ unique_id = \"{}\", url = \"https://localhost:{port}/repository\", imaging_url = \
         \"https://localhost:{port}/imaging\" }}]",
        country.repository
    );
    set(&file, &[("gateway", "repository", &repository)])?;
    believe(&dir.join("imaging-centre/hilum.toml"))
}

/// Has a node believe who vouches for Midland's users.
fn believe(file: &Path) -> anyhow::Result<()> {
    let issuer =
        format!("[{{ name = \"{ISSUER}\", certificates = [\"../registry/certs/idp.pem\"] }}]");
    set(
        file,
        &[
            ("xua", "assertions", "\"accepted\""),
            ("xua", "issuer", &issuer),
        ],
    )
}

/// The nodes of the other countries, while they run.
pub(super) struct Abroad {
    nodes: Vec<(Country, PathBuf, Option<Running>)>,
}

impl Abroad {
    pub(super) async fn start(dir: &Path) -> anyhow::Result<Self> {
        let mut nodes = Vec::new();
        for country in COUNTRIES.into_iter().skip(1) {
            let file = dir.join(country.folder).join("hilum.toml");
            let running = start(&file).await?;
            say(&format!(
                "{} runs too (urn:oid:{})",
                country.name, country.home
            ))?;
            nodes.push((country, file, Some(running)));
        }
        Ok(Self { nodes })
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        for (_, _, running) in self.nodes {
            if let Some(running) = running {
                running.stop().await?;
            }
        }
        Ok(())
    }
}

async fn start(file: &Path) -> anyhow::Result<Running> {
    let running = Running::start(&Config::load(file)?).await;
    running.with_context(|| file.display().to_string())
}

/// What one country has, and what came of it.
#[derive(Default)]
struct Row {
    name: &'static str,
    /// Documents that were found, and how many came.
    documents: (usize, usize),
    /// Images of one study that came, and how many there are.
    images: (u64, u64),
    /// Documents found while one country was stopped, and when it was back.
    meanwhile: usize,
    back: usize,
}

/// What came of asking all countries.
#[derive(Default)]
pub(super) struct Across {
    /// Who was asked for.
    pub(super) patient: String,
    rows: Vec<Row>,
    /// How long the question took when all were there, and when one was stopped.
    took: Duration,
    took_meanwhile: Duration,
    /// Who was stopped, and the errors that told of it.
    stopped: &'static str,
    errors: Vec<String>,
}

impl Road {
    /// Asks all countries for what they have of a patient, who has this manifest in Midland; stops one, asks
    /// again, and starts it again.
    pub(super) async fn across(
        &self,
        abroad: &mut Abroad,
        patient: &str,
        manifest: &str,
    ) -> anyhow::Result<Across> {
        let mut manifests = BTreeMap::from([(COUNTRIES[0].home, manifest.to_owned())]);
        manifests.extend(self.examined_abroad(abroad, patient).await?);
        let clinician = self.clinician().await?;
        let (found, took, _) = self.found_everywhere(patient, &clinician).await?;
        let mut across = Across {
            patient: patient.to_owned(),
            took,
            ..Across::default()
        };
        for country in &COUNTRIES {
            let documents = found.get(country.home).cloned().unwrap_or_default();
            let manifest = manifests.get(country.home).context("no manifest")?;
            let row = self
                .fetched(country, &documents, manifest, &clinician)
                .await?;
            across.rows.push(row);
        }
        let (country, file, running) = abroad.nodes.last_mut().context("nobody is abroad")?;
        say(&format!("-- {} is stopped", country.name))?;
        across.stopped = country.name;
        if let Some(running) = running.take() {
            running.stop().await?;
        }
        let (meanwhile, took, errors) = self.found_everywhere(patient, &clinician).await?;
        (across.took_meanwhile, across.errors) = (took, errors);
        say(&format!("-- {} comes back", country.name))?;
        *running = Some(start(file).await?);
        let (back, _, _) = self.found_everywhere(patient, &clinician).await?;
        for (row, country) in across.rows.iter_mut().zip(&COUNTRIES) {
            let of = |found: &Found| found.get(country.home).map_or(0, Vec::len);
            (row.meanwhile, row.back) = (of(&meanwhile), of(&back));
        }
        Ok(across)
    }

    /// A study and a letter of the patient in each of the other countries. Gives the studies' manifests.
    async fn examined_abroad(
        &self,
        abroad: &Abroad,
        patient: &str,
    ) -> anyhow::Result<Vec<(&'static str, String)>> {
        let mut manifests = Vec::new();
        for (country, file, _) in &abroad.nodes {
            let folder = self.retrieved.with_file_name(country.folder);
            let seed = uuid::Uuid::new_v4().to_string();
            let images = folder.join("images");
            let drawn = phantoms::write(&images, &seed, SystemTime::now(), Detail::Small)?;
            let study = drawn.iter().find(|study| study.patient_id == patient);
            let study = study.context("nobody has drawn this patient")?;
            let study = study.folder.display().to_string();
            let imported = self.run("import", &[&study], Some(file)).await?;
            let manifest = imported["studies"][0]["manifest"].as_str();
            manifests.push((country.home, manifest.context("no manifest")?.to_owned()));
            let letter = folder.join("letter.txt");
            fs::write(&letter, format!("{} greets Midland.\n", country.name))?;
            let letter = letter.display().to_string();
            let title = format!("Letter from {}", country.name);
            let of = ["--patient", patient, "--title", &title];
            self.run("submit", &[&[&*letter], &of[..]].concat(), Some(file))
                .await?;
        }
        Ok(manifests)
    }

    /// An assertion about a clinician of Midland, for all countries.
    async fn clinician(&self) -> anyhow::Result<String> {
        let of = [
            "--role",
            "physician",
            "--purpose",
            "TREAT^^2.16.840.1.113883.5.8",
        ];
        let audiences: Vec<String> = COUNTRIES
            .iter()
            .map(|country| format!("urn:oid:{}", country.home))
            .collect();
        let audiences = audiences.iter().flat_map(|it| ["--audience", it]);
        let of: Vec<&str> = of.into_iter().chain(audiences).collect();
        self.assertion("welby", &of).await
    }

    /// One question to everybody: what was found where, how long it took, and what went wrong.
    async fn found_everywhere(
        &self,
        patient: &str,
        clinician: &str,
    ) -> anyhow::Result<(Found, Duration, Vec<String>)> {
        let patient = Domain::of(&Config::load(&self.registry)?)?.written(patient);
        let asked = [
            "--patient",
            &patient,
            "--communities",
            "--assertion",
            clinician,
        ];
        let began = Instant::now();
        let answer = self.as_registry("query", &asked).await?;
        let took = began.elapsed();
        let mut found = Found::new();
        for document in answer["documents"].as_array().into_iter().flatten() {
            let home = document["homeCommunityId"].as_str().unwrap_or_default();
            let home = home.trim_start_matches("urn:oid:").to_owned();
            let unique_id = document["uniqueId"].as_str().unwrap_or_default();
            found.entry(home).or_default().push(unique_id.to_owned());
        }
        let errors = answer["errors"].as_array().into_iter().flatten();
        let said = |error: &Value| {
            let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", text("errorCode"), text("codeContext"))
        };
        Ok((found, took, errors.map(said).collect()))
    }

    /// Gets all documents of a country, and the images of one study.
    async fn fetched(
        &self,
        country: &Country,
        documents: &[String],
        manifest: &str,
        clinician: &str,
    ) -> anyhow::Result<Row> {
        let home = format!("urn:oid:{}", country.home);
        let out = self.retrieved.join(country.name);
        let out = out.display().to_string();
        let how = [
            "--communities",
            "--assertion",
            clinician,
            "--home",
            &home,
            "--out",
            &out,
        ];
        let ids: Vec<&str> = documents.iter().map(String::as_str).collect();
        let got = [&ids[..], &how[..]].concat();
        let got = match ids.is_empty() {
            true => Value::Null,
            false => self.as_registry("retrieve", &got).await?,
        };
        let came = got["documents"].as_array().into_iter().flatten();
        let came = came.filter(|document| document["verified"] == true).count();
        let study = [&["--manifest", manifest], &how[..]].concat();
        let study = self.as_registry("retrieve", &study).await?;
        let mut row = Row {
            name: country.name,
            documents: (documents.len(), came),
            ..Row::default()
        };
        for study in study["studies"].as_array().into_iter().flatten() {
            let number = |key: &str| study[key].as_u64().unwrap_or_default();
            row.images.0 += number("instances");
            row.images.1 += number("instances") + number("missing");
        }
        Ok(row)
    }
}

/// uniqueIds of documents, by the community that has them.
type Found = BTreeMap<String, Vec<String>>;

impl Across {
    /// A row for each country.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new(&[
            "COUNTRY",
            "FOUND",
            "DOCUMENTS",
            "IMAGES",
            "ONE STOPPED",
            "BACK",
        ]);
        for row in &self.rows {
            let (found, came) = row.documents;
            let meanwhile = match row.name == self.stopped {
                true => "unavailable".to_owned(),
                false => row.meanwhile.to_string(),
            };
            table.row(vec![
                row.name.to_owned(),
                found.to_string(),
                format!("{came} of {found}"),
                format!("{} of {}", row.images.0, row.images.1),
                meanwhile,
                row.back.to_string(),
            ]);
        }
        table.text()
    }

    pub(super) fn summary(&self) -> String {
        let found: usize = self.rows.iter().map(|row| row.documents.0).sum();
        format!(
            "Across {} countries, one question found {found} documents in {:.2} s (ITI-38); documents \
             (ITI-39) and images (RAD-75) came through the gateways. With {} stopped, the same question \
             took {:.2} s and found what the others have, and said:\n  {}",
            self.rows.len(),
            self.took.as_secs_f64(),
            self.stopped,
            self.took_meanwhile.as_secs_f64(),
            self.errors.join("\n  "),
        )
    }

    /// What did not go as it should.
    pub(super) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for row in &self.rows {
            let (found, came) = row.documents;
            let name = row.name;
            if found == 0 || came < found {
                failures.push(format!("{came} of {found} documents of {name} came"));
            }
            if row.images.0 == 0 || row.images.0 < row.images.1 {
                failures.push(format!("images of {name} did not come"));
            }
            let meanwhile = match name == self.stopped {
                true => 0,
                false => found,
            };
            if (row.meanwhile, row.back) != (meanwhile, found) {
                failures.push(format!("{name} was not found as it should be"));
            }
        }
        let is_precise =
            |it: &String| it.contains("XDSUnavailableCommunity") && it.contains(self.stopped);
        if self.errors.len() != 1 || !self.errors.iter().all(is_precise) {
            failures.push(format!("who is away was not told: {:?}", self.errors));
        }
        failures
    }
}
