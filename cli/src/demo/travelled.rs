//! What became of the studies on the road: the table in the end.

use std::time::Duration;

use super::abroad::Across;
use super::centre::Day;
use super::errands::Errands;
use super::guard::Guard;
use crate::terminal::Table;

/// What became of the studies.
pub(super) struct Travelled {
    pub(super) studies: Vec<Journey>,
    pub(super) left_out: usize,
    /// Audit records of both nodes, and of the commands.
    pub(super) records: usize,
    pub(super) took: Duration,
    /// Studies that a second import found changed.
    pub(super) changed: usize,
    /// Of how many studies of one patient a summary tells that was made on demand, and how many
    /// there are.
    pub(super) summarised: (usize, usize),
    pub(super) errands: Errands,
    /// What else happened at the imaging centre, unless the images are the user's own.
    pub(super) day: Option<Day>,
    /// What was guarded, if anything was registered.
    pub(super) guard: Option<Guard>,
    /// What other countries had, unless the images are the user's own.
    pub(super) across: Option<Across>,
}

/// What became of one study.
pub(super) struct Journey {
    pub(super) patient: String,
    pub(super) manifest: Option<String>,
    pub(super) description: String,
    pub(super) fate: String,
    pub(super) instances: u64,
    pub(super) found: bool,
    pub(super) retrieved: u64,
    pub(super) bytes: u64,
    /// Files that are, byte for byte, what was imported.
    pub(super) identical: u64,
}

impl Journey {
    pub(super) fn arrived(&self) -> bool {
        self.fate == "Registered"
            && self.found
            && self.retrieved == self.instances
            && self.identical == self.instances
    }
}

impl Travelled {
    /// The patient of the first study that is registered.
    pub(super) fn patient(&self) -> Option<String> {
        let mut studies = self.studies.iter();
        let registered = studies.find(|study| study.fate == "Registered");
        registered.map(|study| study.patient.clone())
    }

    /// The manifest of that study.
    pub(super) fn manifest(&self) -> Option<String> {
        let mut studies = self.studies.iter();
        let registered = studies.find(|study| study.fate == "Registered");
        registered.and_then(|study| study.manifest.clone())
    }

    /// The patients of the studies that are registered, each once.
    pub(super) fn patients(&self) -> Vec<String> {
        let mut patients: Vec<String> = Vec::new();
        for study in self.studies.iter().filter(|it| it.fate == "Registered") {
            if !patients.contains(&study.patient) {
                patients.push(study.patient.clone());
            }
        }
        patients
    }

    /// A row for each study.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new(&[
            "PATIENT",
            "STUDY",
            "MANIFEST",
            "FOUND",
            "IMAGES",
            "BYTES",
            "IDENTICAL",
        ]);
        let yes = |yes: bool| if yes { "yes" } else { "NO" }.to_owned();
        for study in &self.studies {
            table.row(vec![
                study.patient.clone(),
                study.description.clone(),
                study.fate.to_lowercase(),
                yes(study.found),
                format!("{} of {}", study.retrieved, study.instances),
                study.bytes.to_string(),
                yes(study.identical == study.instances && study.instances > 0),
            ]);
        }
        table.text()
    }

    pub(super) fn summary(&self) -> String {
        let images: u64 = self.studies.iter().map(|study| study.identical).sum();
        let mut text = format!(
            "{} studies registered (RAD-68, ITI-42), found (ITI-18) and retrieved (ITI-43, RAD-69) \
             in {:.1} s: {images} images, byte for byte. A second import changed {}. {} audit records.",
            self.studies.iter().filter(|study| study.arrived()).count(),
            self.took.as_secs_f64(),
            self.changed,
            self.records,
        );
        let (told, studies) = self.summarised;
        if studies > 0 {
            text.push_str(&format!(
                " A summary made on demand (ITI-61) tells of {told} of {studies} studies of its patient."
            ));
        }
        if self.manifest().is_some() {
            text.push_str(&self.errands.summary());
        }
        if let Some(day) = &self.day {
            text.push_str(&day.summary());
        }
        if let Some(guard) = &self.guard {
            text.push_str(&guard.summary());
        }
        if self.left_out > 0 {
            text.push_str(&format!(" {} files were left out.", self.left_out));
        }
        text
    }

    /// What did not go as it should.
    pub(super) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let lost = self.studies.iter().filter(|study| !study.arrived()).count();
        if self.studies.is_empty() {
            failures.push("there was no study to travel".to_owned());
        }
        if lost > 0 {
            failures.push(format!(
                "{lost} of {} studies did not arrive whole",
                self.studies.len()
            ));
        }
        if self.changed > 0 {
            failures.push("a second import found changes where there were none".to_owned());
        }
        if self.summarised.0 < self.summarised.1 {
            failures.push("a summary did not tell of every study".to_owned());
        }
        failures.extend(self.errands.failures());
        failures.extend(self.day.iter().flat_map(Day::failures));
        failures.extend(self.guard.iter().flat_map(Guard::failures));
        failures.extend(self.across.iter().flat_map(Across::failures));
        if self.records == 0 {
            failures.push("nothing was audited".to_owned());
        }
        failures
    }
}
