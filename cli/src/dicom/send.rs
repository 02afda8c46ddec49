//! `hilum dicom send`: files go to another application entity as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context;
use hilum_audit::{Audit, Event, Outcome, Parties, Study};
use hilum_dicom::scan::files_below;
use hilum_repository::imaging::dimse::requestor::{ToSend, Wanted, to_send};
use hilum_repository::imaging::dimse::{Peer, Requestor, RequestorError};
use indicatif::ProgressBar;
use serde_json::json;
use thiserror::Error;
use xds_schemas::metadata::PatientId;

use crate::client::Node;
use crate::status::Usage;
use crate::terminal::{count_bar, say, say_json, tell};

/// Files that are sent on one association: few enough that there are few kinds among them.
const TOGETHER: usize = 1000;
/// Kinds of objects that one association can be wanted for.
const KINDS: usize = 128;

/// Some files could not be sent; the lines before say why.
#[derive(Debug, Error)]
#[error("{0} of {1} files were not sent")]
struct Incomplete(usize, usize);

/// Sends everything that is DICOM; what is not is told.
pub(super) async fn run(
    node: &Node,
    requestor: &Requestor,
    peer: &Peer,
    paths: &[PathBuf],
    json: bool,
) -> anyhow::Result<()> {
    let files = listed(paths)?;
    let ledger = node.ledger()?;
    let bar = count_bar(files.len() as u64, "sending");
    let mut sent = 0;
    for files in files.chunks(TOGETHER) {
        let ready = looked_at(files, &bar);
        if ready.is_empty() {
            continue;
        }
        let parties = Parties::asked(&format!("dicom://{}:{}", peer.host, peer.port))
            .named(requestor.ae_title().to_owned(), peer.ae_title.clone());
        let mut told = Told {
            ledger: &ledger,
            parties,
            authority: &node.config.affinity_domain.patient_id_authority,
            studies: BTreeMap::new(),
        };
        let ended = together(requestor, peer, &ready, &mut told, &bar).await;
        sent += told.record().await?;
        ended?;
    }
    bar.finish_and_clear();
    match json {
        true => say_json(&json!({ "sent": sent, "files": files.len() }))?,
        false => say(&format!("{sent} files were sent to {peer}"))?,
    }
    match files.len() - sent {
        0 => Ok(()),
        unsent => Err(Incomplete(unsent, files.len()).into()),
    }
}

fn listed(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let shown = path.display();
        if !path.exists() {
            return Err(Usage(format!("{shown}: there is no such file or folder")).into());
        }
        files.extend(files_below(path).with_context(|| format!("{shown} cannot be listed"))?);
    }
    Ok(files)
}

fn looked_at(files: &[PathBuf], bar: &ProgressBar) -> Vec<ToSend> {
    let mut ready = Vec::with_capacity(files.len());
    for file in files {
        match to_send(file) {
            Ok(file) => ready.push(file),
            Err(error) => {
                beside(bar, &error.to_string());
                bar.inc(1);
            }
        }
    }
    ready
}

/// Sends files on one association. Fails if that ends before the last one.
async fn together(
    requestor: &Requestor,
    peer: &Peer,
    files: &[ToSend],
    told: &mut Told<'_>,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let wanted: BTreeSet<Wanted> = files.iter().map(ToSend::wanted).collect();
    let wanted: Vec<Wanted> = wanted.into_iter().take(KINDS).collect();
    let mut requested = requestor.associate(peer, &wanted).await?;
    for file in files {
        told.begins(file).await?;
        let shown = file.path.display();
        match requested.store(file).await {
            Ok(remark) => {
                told.sent(file);
                if let Some(remark) = remark {
                    beside(bar, &format!("{shown}: {remark}"));
                }
            }
            Err(error @ RequestorError::Broken { .. }) => return Err(error.into()),
            Err(error) => beside(bar, &format!("{shown}: {error}")),
        }
        bar.inc(1);
    }
    Ok(requested.release().await?)
}

/// Standard error, without a bar across it.
fn beside(bar: &ProgressBar, line: &str) {
    bar.suspend(|| tell(line));
}

/// What is recorded: by Study Instance UID, the patient, and how many instances of which classes.
struct Told<'a> {
    ledger: &'a Audit,
    parties: Parties,
    authority: &'a str,
    studies: BTreeMap<String, (Option<String>, BTreeMap<String, u64>)>,
}

impl Told<'_> {
    /// The first instance of a study is recorded before it is sent.
    async fn begins(&mut self, file: &ToSend) -> anyhow::Result<()> {
        let Some(study) = file
            .study
            .as_ref()
            .filter(|it| !self.studies.contains_key(*it))
        else {
            return Ok(());
        };
        let patient = file.patient_id.as_deref();
        let patient = patient.map(|id| PatientId::new(id, self.authority).to_string());
        let of_study = of(study, &BTreeMap::new());
        let event = Event::sending_begun(&self.parties, patient.as_deref(), &of_study);
        self.ledger.record(event, ()).await?.into_inner();
        self.studies
            .insert(study.clone(), (patient, BTreeMap::new()));
        Ok(())
    }

    fn sent(&mut self, file: &ToSend) {
        let study = file.study.clone().unwrap_or_default();
        let (_, classes) = self.studies.entry(study).or_default();
        *classes.entry(file.sop_class.clone()).or_default() += 1;
    }

    /// Records it all, and says how many instances were sent.
    async fn record(self) -> anyhow::Result<usize> {
        let mut all = 0;
        for (study, (patient, classes)) in &self.studies {
            let count = usize::try_from(classes.values().sum::<u64>())?;
            all += count;
            let outcome = match count {
                0 => Outcome::Failure("no instance was taken".to_owned()),
                _ => Outcome::Success,
            };
            let study = of(study, classes);
            let event = Event::images_sent(&self.parties, patient.as_deref(), &study, &outcome);
            self.ledger.record(event, ()).await?.into_inner();
        }
        Ok(all)
    }
}

fn of(instance_uid: &str, classes: &BTreeMap<String, u64>) -> Study {
    let classes = classes.iter();
    Study {
        instance_uid: instance_uid.to_owned(),
        sop_classes: classes
            .map(|(class, count)| (class.clone(), *count))
            .collect(),
        repository_unique_id: None,
        home_community_id: None,
    }
}
