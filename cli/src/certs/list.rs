//! `hilum certs list`.

use anyhow::Context;
use hilum_security::inspection::Certificate;
use serde_json::json;

use super::folder::Folder;
use crate::terminal;

/// More files of one folder are not listed.
const MOST: usize = 10_000;

pub(super) fn run(folder: &Folder, as_json: bool) -> anyhow::Result<()> {
    let list = folder.list()?;
    let entries = std::fs::read_dir(folder.path());
    let entries =
        entries.with_context(|| format!("{}: cannot be read", folder.path().display()))?;
    let mut files = Vec::new();
    for entry in entries.take(MOST) {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "pem") {
            files.push(path);
        }
    }
    files.sort();
    for file in files {
        // A revocation list, for one, is no certificate.
        let Ok(certificate) = Certificate::read(&file) else {
            continue;
        };
        let facts = certificate.facts()?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let revoked = list.as_ref().and_then(|list| list.revoked(&certificate));
        let state = match (&revoked, facts.days_left) {
            (Some(_), _) => "revoked",
            (None, ..0) => "expired",
            (None, _) if facts.not_yet_valid => "not yet valid",
            (None, _) => "valid",
        };
        let line = match as_json {
            true => json!({
                "name": name,
                "subject": facts.node.subject,
                "issuer": facts.issuer,
                "names": certificate.names(),
                "not_before": facts.not_before,
                "not_after": facts.not_after,
                "days_left": facts.days_left,
                "fingerprint": format!("sha256:{}", facts.node.fingerprint),
                "state": state,
                "revoked": revoked,
            })
            .to_string(),
            false => format!(
                "{name}: {}, {state}{}, until {}, reached as {}\n    sha256:{}",
                facts.node.subject,
                revoked.map_or_else(String::new, |on| format!(" on {on}")),
                facts.not_after,
                match certificate.names() {
                    names if names.is_empty() => "nothing".to_owned(),
                    names => names.join(", "),
                },
                facts.node.fingerprint,
            ),
        };
        terminal::say(&line)?;
    }
    Ok(())
}
