//! Two nodes that trust each other: a network's registry, and an imaging centre.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{centre, guard};
use crate::init;

/// Where free ports are looked for, and in what steps.
const FIRST_PORT_BASE: u16 = 18400;
const STEP: usize = 20;
const LAST_PORT_BASE: u16 = 20400;

/// The configuration files of the nodes.
pub(super) struct Nodes {
    /// The registry.
    pub(super) registry: PathBuf,
    /// The imaging centre: repository and imaging source.
    pub(super) centre: PathBuf,
}

impl Nodes {
    /// Writes both nodes into `dir`.
    pub(super) fn write(dir: &Path, port_base: Option<u16>) -> anyhow::Result<Self> {
        let port_base = match port_base {
            Some(port_base) => port_base,
            None => free_port_base()?,
        };
        init::empty(dir)?;
        let node = |name: &str| init::Arguments {
            no_audit_repository: name != "registry",
            dir: dir.join(name),
            plain: false,
            port_base,
            accept_unknown_patients: true,
            home: Some("2.25.18400".to_owned()),
            repository_id: Some("2.25.18402".to_owned()),
            patient_authority: Some("2.25.18401".to_owned()),
            codes: None,
            database: "sqlite:data/registry.db".to_owned(),
            store: "file:data/documents".to_owned(),
            encrypt: false,
        };
        let (registry, centre) = (node("registry"), node("imaging-centre"));
        init::write(&registry)?;
        init::write(&centre)?;
        let file = |node: &init::Arguments| node.dir.join("hilum.toml");
        let nodes = Self {
            registry: file(&registry),
            centre: file(&centre),
        };
        // Each has an authority of its own, as organisations have, and trusts that of the other.
        let trusts = |other: &str| format!("[\"certs/ca.pem\", \"../{other}/certs/ca.pem\"]");
        edit(
            &nodes.registry,
            &["repository", "imaging", "dicom", "recipient"],
            &trusts("imaging-centre"),
        )?;
        edit(
            &nodes.centre,
            &["registry", "feed", "recipient", "metrics", "gateway"],
            &trusts("registry"),
        )?;
        centre::prepare(&nodes.centre)?;
        // Records of both nodes come together at the registry's.
        let receiver = format!("[\"syslog+tls://localhost:{}\"]", port_base + 8);
        set(&nodes.centre, &[("audit", "send", &receiver)])?;
        guard::prepare(&nodes.registry)?;
        Ok(nodes)
    }
}

/// Closes rooms of a node that `init` wrote, and sets whom it trusts.
fn edit(file: &Path, closed: &[&str], trust: &str) -> anyhow::Result<()> {
    let said = || file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(said)?;
    let mut section = "";
    let mut edited = String::with_capacity(text.len());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        }
        if line.starts_with("listen = ") && closed.contains(&section) {
            edited.push_str("# ");
        }
        edited.push_str(line);
        edited.push('\n');
    }
    std::fs::write(file, edited).with_context(said)?;
    set(file, &[("tls", "trust", trust)])
}

/// Gives keys of sections other values than `init` did, whether they were commented out or not.
pub(super) fn set(file: &Path, values: &[(&str, &str, &str)]) -> anyhow::Result<()> {
    let said = || file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(said)?;
    let mut section = "";
    let mut lines: Vec<String> = Vec::new();
    let mut left: Vec<_> = values.iter().collect();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        }
        let key = line.trim_start_matches("# ").split(" = ").next();
        let at = left
            .iter()
            .position(|(of, wanted, _)| *of == section && key == Some(*wanted));
        match at.map(|at| left.remove(at)) {
            Some((_, key, value)) => lines.push(format!("{key} = {value}")),
            None => lines.push(line.to_owned()),
        }
    }
    anyhow::ensure!(left.is_empty(), "{}: there is no {left:?}", file.display());
    std::fs::write(file, lines.join("\n") + "\n").with_context(said)
}

/// The first ports that nobody listens on.
fn free_port_base() -> anyhow::Result<u16> {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (FIRST_PORT_BASE..=LAST_PORT_BASE)
        .step_by(STEP)
        .find(|base| {
            [1, 2, 3, 4, 5, 7, 8, 9, 10]
                .iter()
                .all(|offset| free(base + offset))
        })
        .context("no free ports were found; name some with --port-base")
}
