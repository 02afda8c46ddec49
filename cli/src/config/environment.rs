//! What the environment changes: `HILUM_REGISTRY__LISTEN=…` is `listen` in `[registry]`, and
//! `HILUM_REGISTRY__DATABASE_FILE=…` names a file that holds the value, for secrets.

use std::ffi::OsString;

use toml::{Table, Value};

use crate::config::{ConfigError, keys};

const PREFIX: &str = "HILUM_";

/// Applies every variable that means a key. Those with two underscores in a row must; others, such
/// as `HILUM_LOG`, may be meant for something else.
pub(super) fn apply(
    table: &mut Table,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(), ConfigError> {
    for (name, value) in environment {
        let Some(path) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let path = path.to_ascii_lowercase();
        let said = |problem: &str| {
            ConfigError(format!("{PREFIX}{}: {problem}", path.to_ascii_uppercase()))
        };
        let value = || {
            let text = value.to_str().ok_or_else(|| said("it is not UTF-8"))?;
            Ok(text.to_owned())
        };
        let from_file = |value: String| {
            let content = std::fs::read_to_string(&value);
            // Somebody may have written the secret itself there.
            let content = content.map_err(|error| {
                said(&format!("the file that it names cannot be read: {error}"))
            })?;
            Ok::<_, ConfigError>(content.trim_end().to_owned())
        };
        match path.split_once("__") {
            Some((section, key)) => {
                let known = keys::of_section(section).map_err(|error| said(&error.0))?;
                let (key, value) = match key.strip_suffix("_file") {
                    Some(key) if known.contains(&key) => (key, from_file(value()?)?),
                    _ => (key, value()?),
                };
                if !known.contains(&key) {
                    let unknown = keys::unknown(&format!("{section}.{key}"), &keys::all());
                    return Err(said(&unknown.0));
                }
                let value = typed(section, key, value).map_err(|problem| said(&problem))?;
                let section = table.entry(section).or_insert_with(|| Table::new().into());
                if let Value::Table(section) = section {
                    section.insert(key.to_owned(), value);
                }
            }
            None if keys::TOP.contains(&path.as_str()) => {
                table.insert(path.clone(), Value::String(value()?));
            }
            None => {}
        }
    }
    Ok(())
}

/// Keys outside of `[limits]` that are numbers.
const NUMBERS: &[&str] = &[
    "reload_seconds",
    "command_seconds",
    "segment_bytes",
    "keep_days",
    "max_results",
    "connections",
    "decision_seconds",
    "settled_seconds",
    "waiting",
    "sending",
    "attempts",
    "pause_seconds",
    "max_submissions",
    "settle_seconds",
    "associations",
    "retention_days",
    "message_bytes",
    "head_seconds",
    "skew_seconds",
    "longest_lifetime_seconds",
    "remembered",
    "introspection_seconds",
    "deadline_seconds",
    "calls",
    "aside_bytes",
    "correlations_days",
    "recheck_seconds",
    "discoveries_per_minute",
    "fetch_documents",
    "fetch_bytes",
];
/// Keys that are lists, whose items stand behind commas.
const LISTS: &[&str] = &[
    "pinned",
    "names",
    "revocation",
    "command",
    "trust",
    "forward",
    "send",
    "reply_to",
    "recipients",
    "store_trust",
    "notify",
    "watch",
    "cors_origins",
    "callers",
    "infrastructure",
    "audience",
    "authentication",
    "nodes_without_users",
    "optional_rooms",
];

/// Keys that are true or false.
const FLAGS: &[&str] = &[
    "limited_metadata",
    "any_called",
    "legal_hold",
    "locator",
    "demographics",
];

/// Variables are text, which errors do not repeat: any of it may be secret. A few keys are numbers or
/// lists.
fn typed(section: &str, key: &str, value: String) -> Result<Value, String> {
    let is_number = match section {
        "limits" => true,
        "subscriptions" => key != "notify",
        _ => NUMBERS.contains(&key),
    };
    if is_number {
        let number = value.trim().parse::<i64>();
        return number
            .map(Value::Integer)
            .map_err(|_| "it is not a number".to_owned());
    }
    if LISTS.contains(&key) {
        let items = value.split(',').map(str::trim);
        let items = items.filter(|item| !item.is_empty());
        let items = items.map(|item| Value::String(item.to_owned()));
        return Ok(Value::Array(items.collect()));
    }
    if FLAGS.contains(&key) {
        let flag = value.trim().parse::<bool>();
        return flag
            .map(Value::Boolean)
            .map_err(|_| "it is neither true nor false".to_owned());
    }
    Ok(Value::String(value))
}
