//! What else is done with what was found: a correction, a medium to take along, two patients who are
//! one. Each step is a command that a user could type.

use anyhow::Context;
use serde_json::Value;

use super::road::Road;
use crate::config::Config;
use crate::domain::Domain;

/// How the errands went. Of two numbers the first is what was found, the second what must be.
#[derive(Default)]
pub(super) struct Errands {
    /// Versions of a manifest whose title was corrected.
    versions: (usize, usize),
    /// Submission sets of a medium that are whole.
    on_medium: (usize, usize),
    /// Documents of a patient after another was merged into it; nothing if there is only one.
    merged: (usize, usize),
}

impl Road {
    /// Runs the errands: for the manifest of a patient, and for two patients if there are two.
    pub(super) async fn errands(
        &self,
        manifest: &str,
        patients: &[String],
    ) -> anyhow::Result<Errands> {
        let domain = Domain::of(&Config::load(&self.centre)?)?;
        let patients: Vec<String> = patients.iter().map(|id| domain.written(id)).collect();
        let title = "Corrected after a second look";
        self.command("update", &[manifest, "--title", title])
            .await?;
        let versions = ["documents", "--unique-id", manifest, "--versions"];
        let versions = self.command("query", &versions).await?;
        let mut errands = Errands {
            versions: (count(&versions["documents"], |_| true), 2),
            ..Errands::default()
        };
        let patient = patients.first().context("nobody's study is registered")?;
        let medium = self.retrieved.with_file_name("medium.zip");
        let medium = medium.display().to_string();
        let exported = ["--patient", patient, "--out", &medium];
        let exported = self.command("export", &exported).await?;
        let checked = self.anywhere("media", &["check", &medium]).await?;
        let is_whole = |set: &Value| set["problems"].as_array().is_some_and(Vec::is_empty);
        errands.on_medium = (
            count(&checked["submissionSets"], is_whole),
            count(&exported["submissionSets"], |_| true).max(1),
        );
        if let [survivor, subsumed, ..] = &patients[..] {
            let before = self.documents(survivor).await? + self.documents(subsumed).await?;
            self.as_registry("feed", &["merge", subsumed, survivor])
                .await?;
            errands.merged = (self.documents(survivor).await?, before);
        }
        Ok(errands)
    }

    /// How many documents a patient has.
    async fn documents(&self, patient: &str) -> anyhow::Result<usize> {
        let found = self.command("query", &["--patient", patient]).await?;
        Ok(count(&found["documents"], |_| true))
    }
}

fn count(list: &Value, wanted: impl Fn(&Value) -> bool) -> usize {
    let items = list.as_array().into_iter().flatten();
    items.filter(|item| wanted(item)).count()
}

impl Errands {
    pub(super) fn summary(&self) -> String {
        let mut text = format!(
            " A corrected title made version {} of a manifest (ITI-57); {} of {} submission sets came \
             whole onto a medium (ITI-32)",
            self.versions.0, self.on_medium.0, self.on_medium.1
        );
        if self.merged.1 > 0 {
            text.push_str(&format!(
                "; a patient has the {} documents of two who were merged (ITI-8)",
                self.merged.0
            ));
        }
        text.push('.');
        text
    }

    /// What did not go as it should.
    pub(super) fn failures(&self) -> Vec<String> {
        let all = [
            (self.versions, "versions of the corrected manifest"),
            (self.on_medium, "whole submission sets on the medium"),
            (self.merged, "documents of the merged patients"),
        ];
        let wrong = all
            .into_iter()
            .filter(|((found, wanted), _)| found != wanted);
        wrong
            .map(|((found, wanted), what)| format!("there are {found} {what}, not {wanted}"))
            .collect()
    }
}
