//! Consents as they are shown: one, or several in a Bundle.

use hilum_security::access::Consent;
use hilum_transport::Reply;
use serde_json::{Map, Value, json};
use xds_schemas::metadata::PatientId;
use xds_schemas::wsn::time;

/// A version of a consent that is shown.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) version: i32,
    /// Milliseconds since 1970.
    pub(super) updated: i64,
    pub(super) status: String,
    /// CX, as the patient is known now.
    pub(super) patient_id: String,
    /// What it means.
    pub(super) meant: Consent,
    pub(super) resource: Value,
}

impl Shown {
    pub(super) fn reply(&self, status: u16) -> Reply {
        Reply::plain(status, super::JSON, self.resource.to_string())
            .and_header("etag", &format!("W/\"{}\"", self.version))
            .and_header("last-modified", &http_date(self.updated))
    }
}

/// `meta` is the registry's, but for what the sender says of profiles and labels.
pub(super) fn with_meta(resource: &mut Value, id: &str, version: i32, updated: i64) {
    let Some(members) = resource.as_object_mut() else {
        return;
    };
    let given = members.remove("meta").and_then(|meta| match meta {
        Value::Object(meta) => Some(meta),
        _ => None,
    });
    let mut meta = Map::new();
    meta.insert("versionId".to_owned(), json!(version.to_string()));
    meta.insert("lastUpdated".to_owned(), json!(instant(updated)));
    for (name, value) in given.unwrap_or_default() {
        if matches!(&*name, "profile" | "security" | "tag" | "source") {
            meta.insert(name, value);
        }
    }
    members.insert("id".to_owned(), json!(id));
    members.insert("meta".to_owned(), Value::Object(meta));
}

/// Lets a consent be that of the patient with this identifier (CX).
pub(super) fn set_patient(resource: &mut Value, patient_id: &str) {
    let Ok(patient) = PatientId::parse(patient_id) else {
        return;
    };
    let identifier = json!({
        "system": format!("urn:oid:{}", patient.authority),
        "value": patient.id,
    });
    if let Some(Value::Object(reference)) = resource.get_mut("patient") {
        reference.insert("identifier".to_owned(), identifier);
    }
}

/// `Z` without less than a millisecond.
fn instant(millis: i64) -> String {
    let millis = u64::try_from(millis).unwrap_or_default();
    let written = time::written(millis / 1000);
    let seconds = written.trim_end_matches('Z');
    format!("{seconds}.{:03}Z", millis % 1000)
}

/// As HTTP writes dates: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(millis: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let seconds = u64::try_from(millis).unwrap_or_default() / 1000;
    let written = time::written(seconds);
    let part = |from: usize, to: usize| written.get(from..to).unwrap_or_default();
    let day = usize::try_from(seconds / 86_400 % 7).unwrap_or_default();
    let month: usize = part(5, 7).parse().unwrap_or(1);
    let month = MONTHS.get(month.wrapping_sub(1)).unwrap_or(&"Jan");
    let (date, year, clock) = (part(8, 10), part(0, 4), part(11, 19));
    format!("{}, {date} {month} {year} {clock} GMT", DAYS[day])
}

/// A Bundle of versions of consents, of `total` that there are. `links` are the address under which it
/// was asked for, and that of the next page.
pub(super) fn bundle(
    kind: &str,
    links: &[(&str, String)],
    base: &str,
    shown: &[Shown],
    total: usize,
) -> String {
    let entry = |shown: &Shown| {
        let mut entry = json!({
            "fullUrl": format!("{base}/{}", shown.id),
            "resource": shown.resource,
        });
        match kind {
            "history" => {
                let method = if shown.version == 1 { "POST" } else { "PUT" };
                let url = match shown.version {
                    1 => super::CONSENT.to_owned(),
                    _ => format!("{}/{}", super::CONSENT, shown.id),
                };
                let status = if shown.version == 1 { "201" } else { "200" };
                entry["request"] = json!({"method": method, "url": url});
                entry["response"] = json!({
                    "status": status,
                    "etag": format!("W/\"{}\"", shown.version),
                    "lastModified": instant(shown.updated),
                });
            }
            _ => entry["search"] = json!({"mode": "match"}),
        }
        entry
    };
    let links = links.iter();
    let links = links.map(|(relation, url)| json!({"relation": relation, "url": url}));
    let mut bundle = json!({
        "resourceType": "Bundle",
        "type": kind,
        "total": total,
        "link": links.collect::<Vec<_>>(),
    });
    if !shown.is_empty() {
        bundle["entry"] = shown.iter().map(entry).collect();
    }
    bundle.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        assert_eq!(http_date(784_111_777_123), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(instant(784_111_777_023), "1994-11-06T08:49:37.023Z");
    }

    #[test]
    fn meta_is_ours() {
        let mut resource = json!({
            "id": "theirs",
            "meta": {"versionId": "7", "profile": ["x"], "lastUpdated": "1999"},
        });
        with_meta(&mut resource, "ours", 2, 0);
        let expected = json!({
            "id": "ours",
            "meta": {
                "versionId": "2",
                "lastUpdated": "1970-01-01T00:00:00.000Z",
                "profile": ["x"],
            },
        });
        assert_eq!(resource, expected);
    }
}
