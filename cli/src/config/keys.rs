//! The keys of `hilum.toml`.

use crate::config::ConfigError;

/// What stands outside of sections.
pub(super) const TOP: [&str; 2] = ["home_community_id", "data"];

/// Every section with its keys.
pub(super) const SECTIONS: &[(&str, &[&str])] = &[
    (
        "affinity_domain",
        &[
            "patient_id_authority",
            "patient_id_namespace",
            "codes",
            "unknown_patients",
            "unknown_patients_in_queries",
        ],
    ),
    (
        "tls",
        &[
            "certificate",
            "key",
            "trust",
            "client_certificates",
            "pinned",
            "names",
            "revocation",
            "revocation_expired",
            "revocation_missing",
            "reload_seconds",
        ],
    ),
    (
        "registry",
        &[
            "listen",
            "url",
            "database",
            "max_results",
            "connections",
            "demographics",
            "extra_metadata",
        ],
    ),
    ("feed", &["listen", "url", "application", "facility"]),
    (
        "subscriptions",
        &[
            "notify",
            "usual_lifetime_seconds",
            "longest_lifetime_seconds",
            "most",
            "answer_seconds",
            "first_pause_seconds",
            "longest_pause_seconds",
            "give_up_seconds",
            "backlog",
            "pull_point_messages",
            "pull_point_idle_seconds",
        ],
    ),
    (
        "repository",
        &[
            "listen",
            "url",
            "unique_id",
            "registry",
            "store",
            "store_key",
            "store_secret",
            "store_trust",
            "decision_seconds",
            "settled_seconds",
            "remove_registered",
            "on_demand",
        ],
    ),
    (
        "imaging",
        &[
            "listen",
            "url",
            "unique_id",
            "store",
            "retrieve_ae_title",
            "manifest",
            "mado_codes",
            "retrieve_url",
            "institution",
            "accession_issuer",
            "order_issuer",
            "utc_offset",
            "settle_seconds",
            "watch",
            "collection",
            "archive",
            "cors_origins",
        ],
    ),
    (
        "dicom",
        &[
            "listen",
            "listen_plain",
            "ae_title",
            "any_called",
            "callers",
            "associations",
            "node",
        ],
    ),
    (
        "recipient",
        &[
            "listen",
            "url",
            "store",
            "limited_metadata",
            "recipients",
            "max_submissions",
        ],
    ),
    ("media", &["institution", "contact"]),
    ("access", &["rules", "infrastructure"]),
    (
        "xua",
        &[
            "assertions",
            "audience",
            "issuer",
            "skew_seconds",
            "longest_lifetime_seconds",
            "authentication",
            "replay",
            "remembered",
            "nodes_without_users",
            "optional_rooms",
        ],
    ),
    (
        "iua",
        &[
            "tokens",
            "audience",
            "issuer",
            "scope",
            "skew_seconds",
            "longest_lifetime_seconds",
            "replay",
            "remembered",
            "introspection_seconds",
            "trust",
        ],
    ),
    (
        "gateway",
        &[
            "listen",
            "url",
            "registry",
            "deadline_seconds",
            "provide_url",
            "fetch_documents",
            "fetch_bytes",
            "calls",
            "aside_bytes",
            "issuer",
            "issuer_key",
            "issuer_certificate",
            "repository",
            "community",
            "correlations_days",
            "recheck_seconds",
            "locator",
            "disclosure",
            "discoveries_per_minute",
            "correlation",
        ],
    ),
    (
        "audit",
        &[
            "spool",
            "source_id",
            "enterprise_site",
            "host",
            "segment_bytes",
            "listen",
            "url",
            "syslog_tls",
            "syslog_udp",
            "store",
            "signing_key",
            "retention_days",
            "legal_hold",
            "message_bytes",
            "head_seconds",
            "forward",
            "keep_days",
            "send",
        ],
    ),
    ("metrics", &["listen"]),
    (
        "at_rest",
        &["keys", "plain", "identifiers", "command", "command_seconds"],
    ),
    (
        "asynchronous",
        &[
            "reply_to",
            "waiting",
            "sending",
            "attempts",
            "pause_seconds",
        ],
    ),
    (
        "limits",
        &[
            "connections",
            "header_bytes",
            "root_bytes",
            "message_bytes",
            "attachments",
            "attachment_bytes",
            "early_bytes",
            "parts",
            "part_bytes",
            "body_bytes",
            "part_header_bytes",
            "handshake_seconds",
            "refused_seconds",
            "idle_seconds",
            "progress_seconds",
            "progress_bytes",
            "drain_seconds",
            "connect_seconds",
            "answer_seconds",
            "pooled_connections",
            "pooled_seconds",
        ],
    ),
];

/// Sections of which there may be several, within others.
const REPEATED: &[(&str, &[&str])] = &[
    ("audit.forward", &["to", "records_per_second", "trust"]),
    ("audit.send", &["to", "records_per_second", "trust"]),
    (
        "imaging.archive",
        &[
            "name",
            "dicomweb",
            "user",
            "password_file",
            "token_file",
            "dimse",
            "dimse_tls",
            "own_ae_title",
            "modalities",
            "since",
            "days",
            "interval_seconds",
            "recent_days",
            "sweep_seconds",
            "parallel_requests",
            "answer_seconds",
            "keep_bytes",
        ],
    ),
    (
        "imaging.collection",
        &["name", "from", "card", "deidentify", "key_file"],
    ),
    ("dicom.node", &["ae_title", "host", "port", "tls"]),
    ("xua.issuer", &["name", "certificates"]),
    (
        "iua.issuer",
        &[
            "name",
            "keys",
            "secret_file",
            "introspection",
            "client_id",
            "client_secret_file",
            "token_file",
        ],
    ),
    ("iua.scope", &["name", "permissions"]),
    (
        "gateway.repository",
        &["unique_id", "url", "imaging_url", "wado_url"],
    ),
    (
        "gateway.community",
        &[
            "home_community_id",
            "name",
            "url",
            "query_url",
            "retrieve_url",
            "imaging_url",
            "fetch_url",
            "provide_url",
            "wado_url",
            "pass_tokens",
            "deadline_seconds",
            "connect_seconds",
            "calls",
            "documents_per_request",
            "inline",
            "missing_home",
            "action",
            "must_understand",
            "timestamp",
            "trust",
            "pinned",
            "server_name",
            "certificate",
            "key",
            "identity",
            "audience",
            "assertion_minutes",
            "patients",
            "discovery_url",
            "deferred_url",
            "locator",
            "node",
        ],
    ),
    (
        "gateway.correlation",
        &["patient", "home_community_id", "there"],
    ),
];

/// Refuses keys that mean nothing, by name and with the nearest one that does.
pub(super) fn check(table: &toml::Table) -> Result<(), ConfigError> {
    for (key, value) in table {
        if TOP.contains(&key.as_str()) {
            continue;
        }
        let keys = of_section(key)?;
        let toml::Value::Table(section) = value else {
            return Err(ConfigError(format!("{key}: it is a section, [{key}]")));
        };
        for (name, value) in section {
            let name = format!("{key}.{name}");
            if !keys.contains(&name[key.len() + 1..].as_ref()) {
                return Err(unknown(&name, &all()));
            }
            check_repeated(&name, value)?;
        }
    }
    Ok(())
}

fn check_repeated(name: &str, value: &toml::Value) -> Result<(), ConfigError> {
    let Some((_, keys)) = REPEATED.iter().find(|(repeated, _)| *repeated == name) else {
        return Ok(());
    };
    let toml::Value::Array(items) = value else {
        return Err(ConfigError(format!("{name}: it is written [[{name}]]")));
    };
    let known: Vec<String> = keys.iter().map(|key| format!("{name}.{key}")).collect();
    for item in items.iter().filter_map(toml::Value::as_table) {
        if let Some(key) = item.keys().find(|key| !keys.contains(&key.as_str())) {
            return Err(unknown(&format!("{name}.{key}"), &known));
        }
    }
    Ok(())
}

/// The keys of a section.
pub(super) fn of_section(name: &str) -> Result<&'static [&'static str], ConfigError> {
    let found = SECTIONS.iter().find(|(section, _)| *section == name);
    let sections = SECTIONS.iter().map(|(section, _)| (*section).to_owned());
    let known: Vec<String> = sections.chain(TOP.map(str::to_owned)).collect();
    found.map_or_else(|| Err(unknown(name, &known)), |(_, keys)| Ok(*keys))
}

/// Every key in full.
pub(crate) fn all() -> Vec<String> {
    let of_section = |(section, keys): &(&str, &[&str])| {
        let section = (*section).to_owned();
        let full = move |key: &&str| format!("{section}.{key}");
        keys.iter().map(full).collect::<Vec<_>>()
    };
    let top = TOP.iter().map(|key| (*key).to_owned());
    top.chain(SECTIONS.iter().flat_map(of_section)).collect()
}

/// The refusal of an unknown key.
pub(super) fn unknown(key: &str, known: &[String]) -> ConfigError {
    let distance = |other: &&String| strsim::damerau_levenshtein(key, other);
    let nearest = known.iter().min_by_key(distance);
    let hint = nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"));
    ConfigError(format!("unknown key {key}{hint}"))
}
