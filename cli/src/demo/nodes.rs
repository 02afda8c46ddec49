//! The nodes: a network's registry and an imaging centre, and those of two more countries. Each trusts
//! those with whom it has to do.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::abroad::{self, COUNTRIES, Country};
use super::{centre, guard};
use crate::init;

/// Where free ports are looked for, and in what steps.
const FIRST_PORT_BASE: u16 = 18400;
const STEP: usize = 40;
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
        let [midland, northland, southland] = &COUNTRIES;
        let node = |name: &str, country: &Country| init::Arguments {
            no_audit_repository: name != "registry",
            dir: dir.join(name),
            plain: false,
            port_base: port_base + country.offset,
            accept_unknown_patients: true,
            home: Some(country.home.to_owned()),
            repository_id: Some(country.repository.to_owned()),
            // For all countries the same, so that they mean the same patient.
            patient_authority: Some("2.25.18401".to_owned()),
            codes: None,
            database: "sqlite:data/registry.db".to_owned(),
            store: "file:data/documents".to_owned(),
            encrypt: false,
        };
        let registry = node("registry", midland);
        let centre = node("imaging-centre", midland);
        init::write(&registry)?;
        init::write(&centre)?;
        for country in [northland, southland] {
            init::write(&node(country.folder, country))?;
        }
        let file = |node: &init::Arguments| node.dir.join("hilum.toml");
        let nodes = Self {
            registry: file(&registry),
            centre: file(&centre),
        };
        // Each has an authority of its own, as organisations have, and trusts that of the other.
        let trusts = |others: &[&str]| {
            let others = others.iter();
            let others = others.map(|other| format!(", \"../{other}/certs/ca.pem\""));
            format!("[\"certs/ca.pem\"{}]", others.collect::<String>())
        };
        edit(
            &nodes.registry,
            &["repository", "imaging", "dicom", "recipient"],
            &trusts(&["imaging-centre", northland.folder, southland.folder]),
        )?;
        edit(
            &nodes.centre,
            &["registry", "feed", "recipient", "metrics", "gateway"],
            &trusts(&["registry"]),
        )?;
        for (country, other) in [(northland, southland), (southland, northland)] {
            edit(
                &dir.join(country.folder).join("hilum.toml"),
                &["feed", "dicom", "recipient", "metrics"],
                &trusts(&["registry", other.folder]),
            )?;
        }
        centre::prepare(&nodes.centre)?;
        // Records of both nodes come together at the registry's.
        let receiver = format!("[\"syslog+tls://localhost:{}\"]", port_base + 8);
        set(&nodes.centre, &[("audit", "send", &receiver)])?;
        guard::prepare(&nodes.registry)?;
        for country in &COUNTRIES {
            abroad::prepare(dir, country, port_base)?;
        }
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
        .find(|base| (1..=30).all(|offset| free(base + offset)))
        .context("no free ports were found; name some with --port-base")
}
