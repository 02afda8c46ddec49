//! What guards the road: a researcher finds what patients permit, from one call to the next; and what
//! everybody did has arrived where nobody can change it unnoticed. Each step is a command that a user
//! could type.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::nodes::set;
use super::road::Road;
use crate::certs;
use crate::config::Config;
use crate::domain::Domain;
use crate::terminal::say;

/// Who vouches for the researcher, and for the clinician who asks other countries.
pub(super) const ISSUER: &str = "urn:example:idp";
/// The rules of the registry. Its own node and the imaging centre's ask for nobody, and are infrastructure.
const RULES: &str = r#"[[rule]]
name = "Research, with consent"
who.role = "researcher"
who.purpose = "HRESCH"
consent = "opt-in"
level = "metadata"

[[rule]]
name = "Treatment"
who.role = "physician"
who.purpose = "TREAT"
level = "full"
"#;
/// How long records may be on their way.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was guarded. Of two numbers the first is what was found, the second what must be.
#[derive(Default)]
pub(super) struct Guard {
    /// Documents that a researcher finds before the patient consents, then, and after the withdrawal.
    before: (usize, usize),
    permitted: (usize, usize),
    withdrawn: (usize, usize),
    /// The researcher's questions, and records of the imaging centre, in the audit record repository.
    questions: (usize, usize),
    submissions: (usize, usize),
}

/// Gives the registry rules, and somebody to vouch for users, before it starts.
pub(super) fn prepare(registry: &Path) -> anyhow::Result<()> {
    let folder = registry.parent().context("a file without a folder")?;
    certs::issue_into(&folder.join("certs"), "idp")?;
    fs::write(folder.join("access.toml"), RULES)?;
    let issuer = format!("[{{ name = \"{ISSUER}\", certificates = [\"certs/idp.pem\"] }}]");
    set(
        registry,
        &[
            ("access", "rules", "\"access.toml\""),
            ("access", "infrastructure", "[\"CN=node\"]"),
            ("xua", "assertions", "\"accepted\""),
            ("xua", "issuer", &issuer),
        ],
    )
}

impl Road {
    /// Asks as a researcher for what a patient has, with and without consent; then looks for all of it in
    /// the audit record repository.
    pub(super) async fn guarded(&self, patient: &str) -> anyhow::Result<Guard> {
        let patient = Domain::of(&Config::load(&self.registry)?)?.written(patient);
        let found = self.command("query", &["--patient", &patient]).await?;
        let documents = found["documents"].as_array().map_or(0, Vec::len);
        let of = [
            "--role",
            "researcher",
            "--purpose",
            "HRESCH^^2.16.840.1.113883.5.8",
        ];
        let assertion = self.assertion("curie", &of).await?;
        let mut guard = Guard {
            before: (self.found_by(&patient, &assertion).await?, 0),
            ..Guard::default()
        };
        let permit = ["record", "--patient", &patient, "--permit", "--purpose"];
        self.as_registry("consent", &[&permit[..], &["HRESCH"]].concat())
            .await?;
        guard.permitted = (self.found_by(&patient, &assertion).await?, documents);
        self.as_registry("consent", &["withdraw", "--patient", &patient])
            .await?;
        guard.withdrawn = (self.found_by(&patient, &assertion).await?, 0);
        let began = Instant::now();
        loop {
            guard.questions = (self.recorded(&["--user", "curie"]).await?.min(3), 3);
            guard.submissions = (self.recorded(&["--transaction", "RAD-68"]).await?.min(1), 1);
            let all = guard.questions.0 == 3 && guard.submissions.0 == 1;
            if all || began.elapsed() > PATIENCE {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        // It fails if the log is not whole.
        let verified = self.told("audit", &["verify"]).await?;
        say(&format!("$ hilum audit verify\n{}", verified.trim_end()))?;
        Ok(guard)
    }

    /// An assertion that a user has got from somebody whom the registry believes: its file.
    pub(super) async fn assertion(&self, user: &str, of: &[&str]) -> anyhow::Result<String> {
        let folder = self.registry.with_file_name("certs");
        let key = folder.join("idp.key").display().to_string();
        let by = ["--issuer", ISSUER, "--issuer-key", &key, "--user", user];
        let arguments = [&by[..], of].concat();
        say(&format!("$ hilum assertion {}", arguments.join(" ")))?;
        let assertion = self.told("assertion", &arguments).await?;
        let file = self.registry.with_file_name(format!("{user}.xml"));
        fs::write(&file, assertion)?;
        Ok(file.display().to_string())
    }

    /// How many documents of a patient the holder of an assertion finds.
    async fn found_by(&self, patient: &str, assertion: &str) -> anyhow::Result<usize> {
        let arguments = ["--patient", patient, "--assertion", assertion];
        let found = self.as_registry("query", &arguments).await?;
        let documents = found["documents"].as_array();
        Ok(documents.context("the question was refused")?.len())
    }

    /// How many records like this the audit record repository has.
    async fn recorded(&self, like: &[&str]) -> anyhow::Result<usize> {
        let arguments = [&["search"], like, &["--json"]].concat();
        Ok(self.told("audit", &arguments).await?.lines().count())
    }
}

impl Guard {
    pub(super) fn summary(&self) -> String {
        let mut text = format!(
            " A researcher (ITI-40) found {} documents of a patient, {} when the patient had consented \
             (ITI-108), {} after the consent was withdrawn.",
            self.before.0, self.permitted.0, self.withdrawn.0,
        );
        if self.questions.0 == self.questions.1 && self.submissions.0 == self.submissions.1 {
            text.push_str(
                " The audit record repository has it all (ITI-20, ITI-81), and its log is proven to be whole.",
            );
        }
        text
    }

    /// What did not go as it should.
    pub(super) fn failures(&self) -> Vec<String> {
        let all = [
            (self.before, "documents found without consent"),
            (self.permitted, "documents found with consent"),
            (self.withdrawn, "documents found after a withdrawal"),
            (self.questions, "questions in the audit record repository"),
            (
                self.submissions,
                "submissions in the audit record repository",
            ),
        ];
        let wrong = all
            .into_iter()
            .filter(|((found, wanted), _)| found != wanted);
        wrong
            .map(|((found, wanted), what)| format!("there are {found} {what}, not {wanted}"))
            .collect()
    }
}
