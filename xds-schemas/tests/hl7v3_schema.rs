//! What we write of HL7 v3 is valid by the schemas of the Normative Edition 2008.
//!
//! `HILUM_PUBLISHED_HL7V3_SCHEMAS` names its folder `multicacheschemas`, and `xmllint` must be there.

#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "words/hl7v3.rs"]
mod words;

use std::path::PathBuf;
use std::process::Command;

use words::{
    deferred, found, identifiers, identifiers_wanted, more, no_identifiers, question, records,
    refusing, wanting,
};
use xds_schemas::hl7v3::find_candidates::{FindCandidatesQuery, FindCandidatesResponse};
use xds_schemas::hl7v3::{AcceptAcknowledgement, InstanceId, QueryContinuation, Verdict};
use xds_schemas::iti45_pixv3_query::{GetIdentifiersQuery, GetIdentifiersResponse};
use xds_schemas::xml::{ToXml, Writer};

fn written(message: &dyn ToXml) -> String {
    let mut writer = Writer::default();
    message.to_xml(&mut writer);
    writer.finish()
}

/// Each with the schema by which it is to be judged.
fn messages() -> Vec<(&'static str, String)> {
    let mut all = vec![
        (FindCandidatesQuery::NAME, written(&question())),
        (FindCandidatesQuery::NAME, written(&deferred())),
        (FindCandidatesResponse::NAME, written(&found())),
        (FindCandidatesResponse::NAME, written(&wanting())),
        (FindCandidatesResponse::NAME, written(&refusing())),
        (GetIdentifiersQuery::NAME, written(&identifiers_wanted())),
        (GetIdentifiersResponse::NAME, written(&identifiers())),
        (GetIdentifiersResponse::NAME, written(&no_identifiers())),
        (QueryContinuation::NAME, written(&more())),
        (QueryContinuation::NAME, written(&more().cancelling())),
    ];
    for record in records() {
        all.push((record.interaction.as_str(), written(&record)));
    }
    let acknowledgement =
        AcceptAcknowledgement::of(&question().transmission, InstanceId::new("2.25.1"), "2026")
            .refusing(Verdict::Error, "no");
    all.push((AcceptAcknowledgement::NAME, written(&acknowledgement)));
    all
}

#[test]
fn every_message_is_valid() {
    let Some(schemas) = std::env::var_os("HILUM_PUBLISHED_HL7V3_SCHEMAS").map(PathBuf::from) else {
        eprintln!(
            "NOT CHECKED: messages were not validated, because HILUM_PUBLISHED_HL7V3_SCHEMAS is not set"
        );
        return;
    };
    if Command::new("xmllint").arg("--version").output().is_err() {
        eprintln!("NOT CHECKED: messages were not validated, because xmllint is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (at, (name, xml)) in messages().into_iter().enumerate() {
        let file = folder.path().join(format!("{at}.xml"));
        std::fs::write(&file, &xml).unwrap();
        let judged = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema"])
            .arg(schemas.join(format!("{name}.xsd")))
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&judged.stderr);
        assert!(judged.status.success(), "{said}\n{xml}");
    }
}
