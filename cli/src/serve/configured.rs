//! That the configuration of a node was changed is recorded when it starts: which sections of it, never
//! what they contain.
//!
//! Beside the spool lies what they were at the last start, as salted hashes. So nobody learns from
//! there what was configured, but it is seen that it is not the same.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use hilum_audit::{Audit, Event};
use uuid::Uuid;

use crate::config::{Config, Fingerprint};

/// The file.
const FILE: &str = "configuration";
/// Its first line, before the salt.
const HEADER: &str = "hilum configuration 1 ";
/// Sections on which the security of the node does not depend. Every other one counts.
const ORDINARY: [&str; 15] = [
    "affinity_domain",
    "asynchronous",
    "codes",
    "data",
    "dicom",
    "feed",
    "home_community_id",
    "imaging",
    "limits",
    "media",
    "metrics",
    "recipient",
    "registry",
    "repository",
    "subscriptions",
];

/// Records what is not as it was at the last start, and remembers how it is now.
pub(super) async fn compare(config: &Config, audit: &Audit) -> anyhow::Result<()> {
    let file = config.spool().join(FILE);
    let before = fs::read_to_string(&file).unwrap_or_default();
    let (salt, before) = parse(&before);
    let salt = salt.unwrap_or_else(|| Uuid::new_v4().simple().to_string());
    let now = hashes(&config.fingerprint(), &salt);
    if let Some(event) = before.as_ref().and_then(|before| changed(before, &now)) {
        audit.record(event, ()).await?.into_inner();
    }
    if before.as_ref() != Some(&now) {
        let written = write(&file, &salt, &now);
        written.with_context(|| format!("{}: cannot be written", file.display()))?;
    }
    Ok(())
}

/// The hash of each section.
type Hashes = BTreeMap<String, String>;

fn hashes(fingerprint: &Fingerprint, salt: &str) -> Hashes {
    fingerprint.salted(salt).into_iter().collect()
}

fn changed(before: &Hashes, now: &Hashes) -> Option<Event> {
    let differs = |section: &&String| before.get(*section) != now.get(*section);
    let mut sections: Vec<&String> = before.keys().chain(now.keys()).filter(differs).collect();
    sections.sort();
    sections.dedup();
    let security = sections.iter().any(|it| !ORDINARY.contains(&it.as_str()));
    let names: Vec<&str> = sections.iter().map(|it| it.as_str()).collect();
    let description = format!("changed since the last start: {}", names.join(", "));
    (!sections.is_empty()).then(|| Event::configuration_changed(security, &description))
}

/// The salt and the hashes; of a file that cannot be understood, as of none, nothing.
fn parse(text: &str) -> (Option<String>, Option<Hashes>) {
    let mut lines = text.lines();
    let Some(salt) = lines.next().and_then(|line| line.strip_prefix(HEADER)) else {
        return (None, None);
    };
    let hash = |line: &str| {
        let (hash, section) = line.split_once(' ')?;
        Some((section.to_owned(), hash.to_owned()))
    };
    (Some(salt.to_owned()), lines.map(hash).collect())
}

fn write(file: &Path, salt: &str, hashes: &Hashes) -> io::Result<()> {
    let mut text = format!("{HEADER}{salt}\n");
    for (section, hash) in hashes {
        text.push_str(&format!("{hash} {section}\n"));
    }
    let fresh = file.with_extension("new");
    let mut private = fs::OpenOptions::new();
    let opened = private.create(true).truncate(true).write(true).mode(0o600);
    let mut out = opened.open(&fresh)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sections: &[(&str, &str)]) -> Hashes {
        let owned = |(section, hash): &(&str, &str)| ((*section).to_owned(), (*hash).to_owned());
        sections.iter().map(owned).collect()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let hashes = of(&[("tls", "a1"), ("limits", "b2"), ("tls files", "c3")]);
        write(&file, "salt", &hashes).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(parse(&text), (Some("salt".to_owned()), Some(hashes)));
        assert_eq!(parse(""), (None, None));
        assert_eq!(parse("something else\n"), (None, None));
    }

    #[test]
    fn changes_are_told_by_name() {
        let before = of(&[("tls", "a"), ("limits", "b"), ("media", "c")]);
        assert!(changed(&before, &before).is_none());
        let now = of(&[("tls", "a"), ("limits", "x"), ("feed", "d")]);
        let told = format!("{:?}", changed(&before, &now).unwrap());
        assert!(told.contains("feed, limits, media"), "{told}");
        assert!(
            told.contains("110131") && !told.contains("110129"),
            "{told}"
        );
        let now = of(&[("tls", "y"), ("limits", "b"), ("media", "c")]);
        let told = format!("{:?}", changed(&before, &now).unwrap());
        assert!(
            told.contains("last start: tls\"") && told.contains("110129"),
            "{told}"
        );
    }
}
