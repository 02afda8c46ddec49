//! Certificates, trust and revocation lists of `[tls]`.

use hilum_security::inspection::{CertificateFacts, ListFacts, inspect, inspect_rules};
use hilum_security::iti19_authenticate_node::PeerRules;

use super::{Finding, Report};
use crate::config::Config;

/// Certificates that end sooner than this are pointed out.
const DAYS_LEFT: i32 = 30;

pub(super) fn check(config: &Config, report: &mut Report) {
    let (Some(files), Some(rules)) = (config.tls_files(), config.tls_rules()) else {
        let what = "plain HTTP, on this machine only";
        return report.add("certificates", Ok(what.to_owned()));
    };
    let inspection = match inspect(&files) {
        Ok(inspection) => inspection,
        Err(error) => return report.add("certificates", Err(error.to_string())),
    };
    report.add("certificate", dates(&inspection.own));
    report.add(
        "key",
        match inspection.key_matches {
            true => Ok("it is the certificate's".to_owned()),
            false => Err(format!(
                "{}: it is not the certificate's",
                files.key.display()
            )),
        },
    );
    for trusted in &inspection.trusted {
        report.add("trusted", dates(trusted));
    }
    if let Some(reason) = inspection.not_trusted_here {
        let hint = "nodes with certificates like ours are not trusted here";
        report.add("trust", Ok(format!("{hint}: {reason}")));
    }
    if rules == PeerRules::default() {
        return;
    }
    let facts = match inspect_rules(&files, &rules) {
        Ok(facts) => facts,
        Err(error) => return report.add("peers", Err(error.to_string())),
    };
    for pinned in &facts.pinned {
        report.add("pinned", dates(pinned));
    }
    for list in &facts.lists {
        report.add("revocation", list_dates(list));
    }
    for authority in facts
        .without_list
        .iter()
        .filter(|_| !rules.revocation.is_empty())
    {
        let missing = format!("{authority}: there is no revocation list of it");
        report.add(
            "revocation",
            match rules.revocation_missing {
                hilum_security::iti19_authenticate_node::Missing::Accept => Ok(missing),
                _ => Err(format!("{missing}, so nobody whom it signed passes")),
            },
        );
    }
    if !rules.names.is_empty() {
        let many = rules.names.len();
        report.add("names", Ok(format!("{many} may call, and nobody else")));
    }
}

pub(super) fn dates(facts: &CertificateFacts) -> Finding {
    let (node, end, days) = (&facts.node, &facts.not_after, facts.days_left);
    match days {
        _ if facts.not_yet_valid => Err(format!("{node}: valid only from {}", facts.not_before)),
        ..0 => Err(format!("{node}: it ended on {end}")),
        0..DAYS_LEFT => Err(format!("{node}: it ends in {days} days, on {end}")),
        _ => Ok(format!("{node}, until {end}")),
    }
}

/// Lists are often made for days only, so that one is due soon means nothing.
fn list_dates(list: &ListFacts) -> Finding {
    let ListFacts {
        issuer,
        revoked,
        next_update,
        ..
    } = list;
    let next = next_update.as_deref().unwrap_or("an unknown day");
    if list.days_left.is_some_and(|days| days < 0) {
        return Err(format!("list of {issuer}: it expired on {next}"));
    }
    let whose = match list.issuer_is_trusted {
        true => "",
        false => "; its issuer is not in `trust`",
    };
    Ok(format!(
        "list of {issuer}: {revoked} revoked, until {next}{whose}"
    ))
}
