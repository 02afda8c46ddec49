//! The answer to a search: a `Bundle` of type searchset.

use hilum_transport::Reply;
use serde_json::{Value, json};
use uuid::Uuid;

use super::question::{Question, page_after};
use super::{Searched, Told};
use crate::fhir::codes::encoded;
use crate::record_repository::web::Format;
use crate::record_repository::web::refused::{issue, outcome};

/// One page of what was found. `behind` is how many records the index lacks.
pub(super) fn bundle(
    question: &Question,
    searched: &Searched,
    told: &[Told],
    behind: u64,
    base: &str,
    format: Format,
) -> Reply {
    let mut bundle = json!({
        "resourceType": "Bundle",
        "id": Uuid::new_v4().to_string(),
        "type": "searchset",
        "total": searched.found.total,
        "link": links(question, searched, base),
    });
    let warning = warnings(question, behind).map(|outcome| {
        json!({
            "fullUrl": Uuid::new_v4().urn().to_string(),
            "resource": outcome,
            "search": { "mode": "outcome" },
        })
    });
    match format {
        Format::Xml => {
            let entry = |told: &Told| {
                json!({
                    "fullUrl": format!("{base}/AuditEvent/{}", told.id),
                    "resource": told.resource(),
                    "search": { "mode": "match" },
                })
            };
            let entries: Vec<Value> = told.iter().map(entry).chain(warning).collect();
            if !entries.is_empty() {
                bundle["entry"] = Value::Array(entries);
            }
            format.reply(200, &bundle)
        }
        Format::Json => {
            // Events stand here as they were sent.
            let entry = |told: &Told| {
                format!(
                    "{{\"fullUrl\":\"{base}/AuditEvent/{}\",\"resource\":{},\"search\":{{\"mode\":\"match\"}}}}",
                    told.id,
                    told.json()
                )
            };
            let warning = warning.map(|warning| warning.to_string());
            let entries: Vec<String> = told.iter().map(entry).chain(warning).collect();
            let mut json = bundle.to_string();
            if !entries.is_empty() {
                // The last character closes the object.
                json.pop();
                json.push_str(",\"entry\":[");
                json.push_str(&entries.join(","));
                json.push_str("]}");
            }
            Reply::plain(200, format.media(), json)
        }
    }
}

fn links(question: &Question, searched: &Searched, base: &str) -> Vec<Value> {
    let link = |relation: &str, page: Option<String>| {
        let used = question
            .used
            .iter()
            .filter(|(name, _)| page.is_none() || name != "_page");
        let mut query: Vec<String> = used
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        query.extend(page.map(|page| format!("_page={page}")));
        json!({ "relation": relation, "url": format!("{base}/AuditEvent?{}", query.join("&")) })
    };
    let mut links = vec![link("self", None)];
    if let (true, Some(last)) = (searched.found.more, searched.found.hits.last()) {
        links.push(link("next", Some(page_after(*last, searched.before))));
    }
    links
}

/// What whoever asked should know.
fn warnings(question: &Question, behind: u64) -> Option<Value> {
    let mut issues = Vec::new();
    if !question.ignored.is_empty() {
        let names = question.ignored.join(", ");
        let text = format!("these parameters are not known and were passed over: {names}");
        issues.push(issue("warning", "not-supported", &text, None));
    }
    if behind > 0 {
        let text = format!("the last {behind} records are not indexed yet and cannot be found");
        issues.push(issue("warning", "incomplete", &text, None));
    }
    (!issues.is_empty()).then(|| outcome(&issues))
}
