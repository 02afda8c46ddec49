//! An imaging centre's day: objects come over DICOM's own protocol and through watched folders, are
//! looked at, kept back or de-identified at the door, and found by how they were made and by what was
//! measured on them. Each step is a command that a user could type, or a request of a browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use hilum_dicom::phantoms::{self, Detail, Phantom};
use hilum_transport::Client;
use serde_json::Value;

use super::nodes::set;
use super::road::Road;
use crate::config::Config;
use crate::terminal::say;

/// The folder whose objects are de-identified, and the one whose objects are judged.
const RESEARCH: &str = "data/research";
const SCREENING: &str = "data/screening";
/// What a screening programme wants: no slice may be missing.
const CARD: &str = r#"name = "screening"
version = "1"
title = "Thorax without gaps"

[[stack]]
checks = ["gaps"]
"#;
/// What a research collection wants.
const PROFILE: &str = r#"prefix = "RESEARCH-"

[options]
modified_dates = true
retain_patient_characteristics = true
clean_descriptors = true
clean_structured_content = true
"#;
/// How long something may take to be published.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the day went. Of two numbers the first is what was found, the second what must be.
#[derive(Default)]
pub(super) struct Day {
    /// Studies that were sent over DICOM's protocol and can be found on the web.
    sent: (usize, usize),
    /// Studies that were kept back, and those that could be found after their release.
    kept_back: (usize, usize),
    released: (usize, usize),
    /// De-identified studies, and places at which the patient's name was found in them.
    deidentified: (usize, usize),
    names: (usize, usize),
    /// Documents found by an acquisition parameter, and by a measured value; at least one each.
    by_acquisition: (usize, usize),
    by_measurement: (usize, usize),
}

/// Has the imaging centre of a node watch two folders, before it starts.
pub(super) fn prepare(file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().context("a file without a folder")?;
    for watched in [RESEARCH, SCREENING] {
        fs::create_dir_all(folder.join(watched))?;
    }
    fs::write(folder.join("screening.toml"), CARD)?;
    fs::write(folder.join("research.toml"), PROFILE)?;
    let secret = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    let secret: Vec<String> = secret.iter().map(ToString::to_string).collect();
    fs::write(folder.join("research.key"), secret.concat())?;
    let shown = |watched: &str| folder.join(watched).display().to_string();
    let collections = format!(
        "[{{ name = \"research\", from = [\"folder {}\"], deidentify = \"research.toml\", key_file = \
         \"research.key\" }}, {{ name = \"screening\", from = [\"folder {}\"], card = \
         \"screening.toml\" }}]",
        shown(RESEARCH),
        shown(SCREENING)
    );
    let watched = format!("[\"{RESEARCH}\", \"{SCREENING}\"]");
    set(
        file,
        &[
            ("imaging", "settle_seconds", "1"),
            ("imaging", "watch", &watched),
            ("imaging", "collection", &collections),
        ],
    )
}

impl Road {
    /// Lives a day at the imaging centre, with studies of its own.
    pub(super) async fn day(&self) -> anyhow::Result<Day> {
        let config = Config::load(&self.centre)?;
        let web = Web {
            client: crate::client::client(&config)?,
            base: config.imaging_url().context("no imaging source")?,
        };
        let drawn = self.retrieved.with_file_name("today");
        let seed = uuid::Uuid::new_v4().to_string();
        let drawn = phantoms::write(&drawn, &seed, SystemTime::now(), Detail::Small)?;
        let [thorax, followed_up, _, liver] = &drawn[..] else {
            anyhow::bail!("four studies were to be drawn");
        };
        let mut day = Day::default();
        let address = config.dicom.listen.context("no DICOM listener")?;
        let peer = format!("HILUM@localhost:{}", address.port());
        let folder = liver.folder.display().to_string();
        self.command("dicom", &["send", &peer, "--tls", &folder])
            .await?;
        day.sent = (web.wait_for(&of(liver)).await?.len(), 1);
        self.research(&web, followed_up, &mut day).await?;
        self.screening(&web, thorax, &mut day).await?;
        let thin = [
            "--acquisition",
            "SliceThickness le 5 mm|SliceThickness gt 5 mm",
        ];
        day.by_acquisition = (self.found(&thin).await?.min(1), 1);
        let large = ["--measurement", "118565006^^SCT gt 1 mm3"];
        day.by_measurement = (self.found(&large).await?.min(1), 1);
        Ok(day)
    }

    /// A study is put into the folder of the research collection: only what was made of it is kept.
    async fn research(&self, web: &Web, study: &Phantom, day: &mut Day) -> anyhow::Result<()> {
        self.drop_into(RESEARCH, study, |_| true)?;
        let found = web.wait_for("PatientID=RESEARCH-*").await?;
        day.deidentified = (found.len(), 1);
        let named = found.iter().filter(|it| it.to_string().contains("Hilum"));
        day.names = (named.count() + web.studies(&of(study)).await?.len(), 0);
        Ok(())
    }

    /// A study of which a slice is missing is put into the folder of the screening programme.
    async fn screening(&self, web: &Web, study: &Phantom, day: &mut Day) -> anyhow::Result<()> {
        let middle = study.instances / 2;
        self.drop_into(SCREENING, study, |number| number != middle)?;
        let begun = Instant::now();
        let mut kept_back = 0;
        while kept_back == 0 && begun.elapsed() < PATIENCE {
            // It is looked at two seconds after it came, and judged when nothing more comes.
            tokio::time::sleep(Duration::from_secs(3)).await;
            let list = self.command("quarantine", &["list"]).await?;
            kept_back = list["studies"].as_array().map_or(0, Vec::len);
        }
        day.kept_back = (kept_back, 1);
        self.command(
            "quarantine",
            &["release", study.study_instance_uid.as_str()],
        )
        .await?;
        day.released = (web.wait_for(&of(study)).await?.len(), 1);
        Ok(())
    }

    /// Copies the files of a study, as a modality or a person would.
    fn drop_into(
        &self,
        watched: &str,
        study: &Phantom,
        wanted: impl Fn(usize) -> bool,
    ) -> anyhow::Result<()> {
        let node = self.centre.parent().context("a node without a folder")?;
        say(&format!("$ cp {}/* {watched}", study.folder.display()))?;
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(&study.folder)? {
            files.push(entry?.path());
        }
        files.sort();
        for (number, file) in files
            .iter()
            .enumerate()
            .filter(|(number, _)| wanted(*number))
        {
            let name = format!("{number:04}.dcm");
            fs::copy(file, node.join(watched).join(name))?;
        }
        Ok(())
    }

    /// How many documents a question about imaging finds.
    async fn found(&self, question: &[&str]) -> anyhow::Result<usize> {
        let found = self.command("query", question).await?;
        Ok(found["documents"].as_array().map_or(0, Vec::len))
    }
}

fn of(study: &Phantom) -> String {
    format!("StudyInstanceUID={}", study.study_instance_uid)
}

/// The imaging source, as a browser asks it (QIDO-RS).
struct Web {
    client: Client,
    base: String,
}

impl Web {
    async fn studies(&self, question: &str) -> anyhow::Result<Vec<Value>> {
        let base = self.base.trim_end_matches("/imaging");
        let url = format!("{base}/dicom-web/studies?{question}");
        let (status, answer) = self.client.fetch(&url).await?;
        match status {
            200 => Ok(serde_json::from_slice(&answer)?),
            204 => Ok(Vec::new()),
            other => anyhow::bail!("{url}: status {other}"),
        }
    }

    /// Asks until something is found, or it takes too long.
    async fn wait_for(&self, question: &str) -> anyhow::Result<Vec<Value>> {
        say(&format!("$ curl …/dicom-web/studies?{question}"))?;
        let begun = Instant::now();
        loop {
            let found = self.studies(question).await?;
            if !found.is_empty() || begun.elapsed() > PATIENCE {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Day {
    pub(super) fn summary(&self) -> String {
        format!(
            " At the imaging centre, {} study came by C-STORE, {} was de-identified at the door, {} \
             was kept back because a slice was missing, and released; documents were found by slice \
             thickness and by measured volume.",
            self.sent.0, self.deidentified.0, self.kept_back.0
        )
    }

    /// What did not go as it should.
    pub(super) fn failures(&self) -> Vec<String> {
        let all = [
            (self.sent, "studies on the web that were sent by C-STORE"),
            (self.kept_back, "studies that were kept back"),
            (self.released, "studies that were released"),
            (self.deidentified, "de-identified studies"),
            (
                self.names,
                "places with the name or UID of a patient who was de-identified",
            ),
            (self.by_acquisition, "documents by acquisition parameter"),
            (self.by_measurement, "documents by measured value"),
        ];
        let wrong = all
            .into_iter()
            .filter(|((found, wanted), _)| found != wanted);
        wrong
            .map(|((found, wanted), what)| format!("there are {found} {what}, not {wanted}"))
            .collect()
    }
}
