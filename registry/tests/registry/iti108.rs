//! ITI-108: consents over FHIR, and what they change at once; acknowledgements in documents (BPPC).

use bytes::Bytes;
use hilum_registry::UnknownPatients;
use hilum_security::access::Consent;
use hilum_transport::{HttpAnswer, HttpRequest};
use serde_json::{Value, json};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::ReturnType;
use xds_schemas::metadata::{Code, EntryUuid, PatientId, Timestamp};

use crate::iti8::merge;
use crate::iti18::find_documents;
use crate::site::Site;
use crate::twins::rules;
use crate::words::{code, document, empty, new_uuid, one, patient, replacement};

/// Everybody gets what no patient has denied; consents can be recorded.
const OPT_OUT: &str = r#"
[[rule]]
name = "consents"
permission = ["consent"]
level = "full"

[[rule]]
name = "registration"
permission = ["register", "update", "remove", "announce"]
level = "full"

[[rule]]
name = "not denied"
consent = "opt-out"
level = "full"

[policies."1.2.3.99"]
name = "Nobody"
wish = "deny"
otherwise = "deny"

[policies."1.2.3.100"]
name = "Research"
wish = "permit"
purpose = "HRESCH"

[policies."1.2.3.101"]
name = "No reports"
wish = "deny"
class = "report"
"#;

/// Nobody gets anything but what a patient has permitted.
const OPT_IN: &str = r#"
[[rule]]
name = "consents"
permission = ["consent"]
level = "full"

[[rule]]
name = "registration"
permission = "register"
level = "full"

[[rule]]
name = "permitted"
consent = "opt-in"
level = "full"
"#;

/// A consent of a patient: to permit or to deny everything.
pub(crate) fn consent(of: &PatientId, status: &str, wish: &str) -> Value {
    json!({
        "resourceType": "Consent",
        "status": status,
        "scope": {"coding": [{"code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"identifier": {
            "system": format!("urn:oid:{}", of.authority),
            "value": of.id,
        }},
        "dateTime": "2026-11-27",
        "policyRule": {"coding": [{"code": if wish == "deny" { "OPTOUT" } else { "OPTIN" }}]},
        "provision": {"type": wish},
    })
}

/// The body of an answer.
pub(crate) fn body(answer: &HttpAnswer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

impl Site {
    /// Sends a request to the registry's own listener.
    pub(crate) async fn http(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        sent: impl Into<Bytes>,
    ) -> HttpAnswer {
        let origin = self.url.trim_end_matches("/registry");
        let url = format!("{origin}{path}");
        let headers = headers.iter();
        let headers: Vec<(&str, String)> = headers
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let request = HttpRequest {
            method,
            url: &url,
            headers: &headers,
            body: sent.into(),
        };
        self.client.exchange_http(request, 1 << 20).await.unwrap()
    }

    async fn get(&self, path: &str) -> HttpAnswer {
        self.http("GET", path, &[], "").await
    }

    async fn post(&self, resource: &Value) -> HttpAnswer {
        let headers = [("content-type", "application/fhir+json")];
        self.http("POST", "/fhir/Consent", &headers, resource.to_string())
            .await
    }

    async fn put(&self, resource: &Value, expected: Option<&str>) -> HttpAnswer {
        let mut headers = vec![("content-type", "application/fhir+json")];
        headers.extend(expected.map(|expected| ("if-match", expected)));
        let path = format!("/fhir/Consent/{}", resource["id"].as_str().unwrap());
        self.http("PUT", &path, &headers, resource.to_string())
            .await
    }

    /// Records a consent; gives it as it is kept.
    pub(crate) async fn consents(&self, resource: &Value) -> Value {
        let answer = self.post(resource).await;
        assert_eq!(answer.status, 201, "{}", body(&answer));
        body(&answer)
    }

    /// Withdraws it.
    pub(crate) async fn withdraws(&self, kept: &Value) -> Value {
        let mut changed = kept.clone();
        changed["status"] = json!("inactive");
        let answer = self.put(&changed, None).await;
        assert_eq!(answer.status, 200, "{}", body(&answer));
        body(&answer)
    }

    /// How many documents of a patient there are for the caller, whole and by reference.
    pub(crate) async fn count(&self, of: &PatientId) -> usize {
        let query = find_documents(of);
        let whole = self.query(&query).await.objects.len();
        let named = self.ask(&query, ReturnType::ObjectRef).await;
        assert_eq!(named.objects.len(), whole);
        whole
    }
}

/// What a search finds: ids and statuses.
async fn search(site: &Site, query: &str) -> Vec<(String, String)> {
    let answer = site.get(&format!("/fhir/Consent?{query}")).await;
    let bundle = body(&answer);
    assert_eq!(answer.status, 200, "{bundle}");
    assert_eq!(bundle["type"], "searchset");
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    assert_eq!(bundle["total"], entries.len());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found = entries.iter().map(|it| &it["resource"]);
    found
        .map(|it| (text(&it["id"]), text(&it["status"])))
        .collect()
}

pub(crate) async fn withdrawal_counts_at_the_next_call(site: Site) {
    let site = site.with_patients().await;
    let site = site.configured(|config| config.access = rules(OPT_IN));
    let p1 = patient("P1");
    // The registry is asked in another way by those who may register.
    let filled = |site: Site| site.configured(|config| config.access = rules(OPT_IN));
    let (submission, _) = one(&p1);
    site.accept(&submission).await;
    assert_eq!(site.count(&p1).await, 0);
    let kept = site.consents(&consent(&p1, "active", "permit")).await;
    assert_eq!(site.count(&p1).await, 1);
    assert_eq!(site.count(&patient("P2")).await, 0);
    let withdrawn = site.withdraws(&kept).await;
    assert_eq!(withdrawn["meta"]["versionId"], "2");
    assert_eq!(site.count(&p1).await, 0);
    // Given again, and over when its time is over.
    let mut again = withdrawn.clone();
    again["status"] = json!("active");
    again["provision"]["period"] = json!({"end": "2020-01-01"});
    assert_eq!(site.put(&again, None).await.status, 200);
    assert_eq!(site.count(&p1).await, 0);
    again["provision"]["period"] = json!({"end": "2999-01-01"});
    assert_eq!(site.put(&again, None).await.status, 200);
    assert_eq!(site.count(&p1).await, 1);
    // It is so for a registry that was opened anew.
    let site = filled(site);
    assert_eq!(site.count(&p1).await, 1);
}

pub(crate) async fn wishes_follow_a_merge(site: Site) {
    let site = site.with_patients().await;
    let site = site.configured(|config| config.access = rules(OPT_OUT));
    let (p1, p2) = (patient("P1"), patient("P2"));
    for of in [&p1, &p2] {
        site.accept(&one(of).0).await;
        assert_eq!(site.count(of).await, 1);
    }
    // P1 denies, and turns out to be P2.
    let kept = site.consents(&consent(&p1, "active", "deny")).await;
    assert_eq!((site.count(&p1).await, site.count(&p2).await), (0, 1));
    site.taken(&merge("P1", "P2")).await;
    assert_eq!(site.count(&p2).await, 0);
    // The consent is now that of P2, and can be withdrawn under either name.
    let of_p2 = "patient.identifier=urn:oid:1.2.3.9%7CP2";
    let found = search(&site, of_p2).await;
    assert_eq!(found.len(), 1);
    assert_eq!(
        search(&site, "patient.identifier=urn:oid:1.2.3.9%7CP1").await,
        []
    );
    let id = kept["id"].as_str().unwrap();
    let shown = body(&site.get(&format!("/fhir/Consent/{id}")).await);
    assert_eq!(shown["patient"]["identifier"]["value"], "P2");
    site.withdraws(&kept).await;
    assert_eq!(site.count(&p2).await, 2);
}

/// PCF TF-2 3.108.4.5: read and vread; and whoever overwrites says what.
pub(crate) async fn consents_are_kept_in_all_their_versions(site: Site) {
    let site = site.with_patients().await;
    let site = site.configured(|_| {});
    let p1 = patient("P1");
    let mut sent = consent(&p1, "active", "permit");
    sent["id"] = json!("mine");
    sent["meta"] = json!({"profile": ["https://profiles.ihe.net/ITI/PCF"], "versionId": "9"});
    let answer = site.post(&sent).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("etag"), Some("W/\"1\""));
    assert!(answer.header("last-modified").unwrap().ends_with(" GMT"));
    let first = body(&answer);
    let id = first["id"].as_str().unwrap().to_owned();
    assert_ne!(id, "mine");
    let place = answer.header("location").unwrap();
    assert!(
        place.ends_with(&format!("/fhir/Consent/{id}/_history/1")),
        "{place}"
    );
    assert_eq!(first["meta"]["profile"], sent["meta"]["profile"]);
    assert_eq!(first["meta"]["versionId"], "1");
    assert_eq!(first["provision"], sent["provision"]);

    // Whoever has read an older version does not overwrite a newer one.
    let mut changed = first.clone();
    changed["status"] = json!("inactive");
    assert_eq!(site.put(&changed, Some("W/\"2\"")).await.status, 412);
    let answer = site.put(&changed, Some("W/\"1\"")).await;
    assert_eq!(
        (answer.status, answer.header("etag")),
        (200, Some("W/\"2\""))
    );
    let path = format!("/fhir/Consent/{id}");
    assert_eq!(body(&site.get(&path).await)["status"], "inactive");
    assert_eq!(body(&site.get(&format!("{path}/_history/1")).await), first);
    assert_eq!(site.get(&format!("{path}/_history/3")).await.status, 404);
    let history = body(&site.get(&format!("{path}/_history")).await);
    let versions = history["entry"].as_array().unwrap().iter();
    let versions: Vec<&Value> = versions
        .map(|it| &it["resource"]["meta"]["versionId"])
        .collect();
    assert_eq!(versions, ["2", "1"]);
    // Nothing is deleted.
    let answer = site.http("DELETE", &path, &[], "").await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, HEAD, PUT"))
    );
    assert_eq!(site.get(&path).await.status, 200);

    let said: Vec<(String, String)> = site
        .recorded()
        .into_iter()
        .map(|it| (it.action, it.outcome))
        .collect();
    let said: Vec<(&str, &str)> = said.iter().map(|(a, b)| (&**a, &**b)).collect();
    let expected = [
        ("C", "0"),
        ("U", "4"),
        ("U", "0"),
        ("R", "0"),
        ("R", "0"),
        ("R", "4"),
        ("R", "0"),
    ];
    assert_eq!(&said[..expected.len()], expected);
    // The refused DELETE, and the last look.
    assert_eq!(said.len(), expected.len() + 2);
}

/// PCF TF-2 3.108.4.1.2: by GET and by POST.
pub(crate) async fn consents_are_found(site: Site) {
    let site = site.with_patients().await;
    let (p1, p2) = (patient("P1"), patient("P2"));
    let id = |kept: &Value| kept["id"].as_str().unwrap().to_owned();
    let active = id(&site.consents(&consent(&p1, "active", "permit")).await);
    let mut focused = consent(&p1, "draft", "permit");
    focused["dateTime"] = json!("2025-05-05T10:00:00Z");
    focused["provision"] = json!({
        "type": "permit",
        "period": {"start": "2026-01-01", "end": "2026-12-31"},
        "provision": [{
            "type": "deny",
            "actor": [{
                "role": {"coding": [{"code": "IRCP"}]},
                "reference": {"type": "Organization", "identifier": {
                    "system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3.77"}},
            }],
            "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
                         "code": "HRESCH"}],
        }],
    });
    let focused = id(&site.consents(&focused).await);
    let other = id(&site.consents(&consent(&p2, "active", "deny")).await);
    let of_p1 = "patient.identifier=urn:oid:1.2.3.9%7CP1";
    for (query, expected) in [
        ("", vec![&active, &focused]),
        ("&status=active", vec![&active]),
        ("&status=active,draft", vec![&active, &focused]),
        ("&status=rejected", vec![]),
        (
            "&period=ge2026-06-01&period=le2026-06-01",
            vec![&active, &focused],
        ),
        ("&period=gt2027-01-01", vec![&active]),
        ("&period=2026", vec![&focused]),
        ("&date=lt2026", vec![&focused]),
        ("&date=2026-11-27", vec![&active]),
        ("&actor:identifier=urn:oid:1.2.3.77", vec![&focused]),
        (
            "&actor:identifier=urn:ietf:rfc:3986%7Curn:oid:1.2.3.77",
            vec![&focused],
        ),
        ("&actor:identifier=urn:oid:1.2.3.78", vec![]),
        ("&purpose=HRESCH", vec![&focused]),
        (
            "&purpose=http://terminology.hl7.org/CodeSystem/v3-ActReason%7CTREAT",
            vec![],
        ),
        ("&_id=nothing", vec![]),
        ("&something=else", vec![&active, &focused]),
    ] {
        let found = search(&site, &format!("{of_p1}{query}")).await;
        let found: Vec<&String> = found.iter().map(|(id, _)| id).collect();
        assert_eq!(found, expected, "{query}");
    }
    by_ids_and_by_form(&site, &other, &active).await;
}

/// By their ids; by POST, as whoever does not want it in logs asks; and never everybody's.
async fn by_ids_and_by_form(site: &Site, other: &str, active: &str) {
    let found = search(site, &format!("_id={other},{active}")).await;
    assert_eq!(found.len(), 2);
    // By POST, as whoever does not want it in logs asks.
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let form = "patient=urn:oid:1.2.3.9%7CP2&status=active";
    let answer = site
        .http("POST", "/fhir/Consent/_search", &headers, form)
        .await;
    let bundle = body(&answer);
    assert_eq!(bundle["total"], 1, "{bundle}");
    assert!(
        bundle["link"][0]["url"]
            .as_str()
            .unwrap()
            .ends_with("/fhir/Consent?patient=urn:oid:1.2.3.9%7CP2&status=active")
    );
    // Nobody gets everybody's.
    for wrong in [
        "",
        "status=active",
        "patient=P1",
        "patient=urn:oid:1.2.3.9%7C",
    ] {
        let answer = site.get(&format!("/fhir/Consent?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert_eq!(body(&answer)["resourceType"], "OperationOutcome");
    }
}

pub(crate) async fn what_is_no_consent_is_refused(site: Site) {
    let site = site.with_patients().await;
    let good = consent(&patient("P1"), "active", "deny");
    let fhir = [("content-type", "application/fhir+json")];
    let sent = |text: String| site.http("POST", "/fhir/Consent", &fhir, text);
    assert_eq!(sent("{".to_owned()).await.status, 400);
    assert_eq!(sent(format!("[{good}]")).await.status, 422);
    let mut changes: Vec<Value> = Vec::new();
    for (name, value) in [
        ("resourceType", json!("Patient")),
        ("status", json!("maybe")),
        // It would count more than whatever is wished later.
        ("dateTime", json!("2999-01-01")),
        ("patient", json!({"reference": "Patient/1"})),
        ("provision", json!({"type": "perhaps"})),
        ("modifierExtension", json!([{"url": "x"}])),
        (
            "provision",
            json!({"type": "deny", "dataPeriod": {"start": "2020"}}),
        ),
    ] {
        let mut wrong = good.clone();
        wrong[name] = value;
        changes.push(wrong);
    }
    changes.push(consent(&patient("Nobody"), "active", "deny"));
    for wrong in changes {
        let answer = site.post(&wrong).await;
        let outcome = body(&answer);
        assert_eq!(answer.status, 422, "{wrong} {outcome}");
        // The reason names no patient.
        assert!(!outcome.to_string().contains("Nobody"), "{outcome}");
    }
    let xml = [("content-type", "application/fhir+xml")];
    let answer = site.http("POST", "/fhir/Consent", &xml, "<Consent/>").await;
    assert_eq!(answer.status, 415);
    let long = format!("{good}{}", " ".repeat(300 * 1024));
    assert_eq!(sent(long).await.status, 413);
    let accept = [("accept", "application/fhir+xml")];
    let of_p1 = "/fhir/Consent?patient=urn:oid:1.2.3.9%7CP1";
    assert_eq!(site.http("GET", of_p1, &accept, "").await.status, 406);
    assert_eq!(
        site.http("PATCH", "/fhir/Consent/x", &[], "").await.status,
        405
    );
    assert_eq!(site.get("/fhir/Patient").await.status, 404);
    let mut unknown = good.clone();
    unknown["id"] = json!("unknown");
    assert_eq!(site.put(&unknown, None).await.status, 404);
    // A consent does not become another patient's, nor another consent.
    let kept = site.consents(&good).await;
    let mut moved = kept.clone();
    moved["patient"]["identifier"]["value"] = json!("P2");
    assert_eq!(site.put(&moved, None).await.status, 422);
    let path = format!("/fhir/Consent/{}", kept["id"].as_str().unwrap());
    let answer = site.http("PUT", &path, &fhir, unknown.to_string()).await;
    assert_eq!(answer.status, 400);
    let site = site.configured(|config| config.unknown_patients = UnknownPatients::Accept);
    site.consents(&consent(&patient("New"), "active", "deny"))
        .await;
}

/// Rules decide whose consents may be seen and changed.
pub(crate) async fn consents_are_hidden_too(site: Site) {
    let site = site.with_patients().await;
    let kept = site
        .consents(&consent(&patient("P1"), "active", "deny"))
        .await;
    let id = kept["id"].as_str().unwrap();
    let path = format!("/fhir/Consent/{id}");
    let site = site.configured(|config| {
        config.access =
            rules("[[rule]]\nname = \"all\"\npermission = [\"query\"]\nlevel = \"full\"");
    });
    let absent = site.get("/fhir/Consent/nothing").await;
    for hidden in [
        path.clone(),
        format!("{path}/_history"),
        format!("{path}/_history/1"),
    ] {
        let hidden = site.get(&hidden).await;
        assert_eq!((hidden.status, body(&hidden)), (404, body(&absent)));
    }
    assert_eq!(search(&site, "patient=urn:oid:1.2.3.9%7CP1").await, []);
    assert_eq!(search(&site, &format!("_id={id}")).await, []);
    assert_eq!(site.put(&kept, None).await.status, 404);
    assert_eq!(
        site.post(&consent(&patient("P1"), "active", "permit"))
            .await
            .status,
        403
    );
    // Whoever may look may not change.
    let site = site.configured(|config| {
        config.access =
            rules("[[rule]]\nname = \"look\"\npermission = [\"consent\"]\nlevel = \"metadata\"");
    });
    assert_eq!(site.get(&path).await.status, 200);
    assert_eq!(site.put(&kept, None).await.status, 403);
}

/// A document in which P1 acknowledges the policy that denies everything to everybody.
fn acknowledgement(of: &PatientId) -> (xds_schemas::metadata::Submission, EntryUuid) {
    let uuid = new_uuid();
    let mut submission = empty(of);
    let mut entry = document(of, uuid.as_str());
    let format = "1.3.6.1.4.1.19376.1.2.3";
    entry.format_code = Some(Code::new("urn:ihe:iti:bppc:2007", format, "BPPC"));
    entry.event_codes = vec![Code::new("1.2.3.99", "1.2.3.98", "Nobody")];
    entry.service_start_time = Some(Timestamp::parse("20200101").unwrap());
    submission.add_document(entry);
    (submission, uuid)
}

pub(crate) async fn acknowledged_policies_are_consents(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let site = site.configured(|config| config.access = rules(OPT_OUT));
    site.accept(&one(&p1).0).await;
    assert_eq!(site.count(&p1).await, 1);
    let (submission, uuid) = acknowledgement(&p1);
    site.accept(&submission).await;
    // Neither the document nor the acknowledgement.
    assert_eq!(site.count(&p1).await, 0);
    let of_p1 = "patient=urn:oid:1.2.3.9%7CP1";
    let found = search(&site, of_p1).await;
    let id = format!("bppc-{}", uuid.as_str().trim_start_matches("urn:uuid:"));
    assert_eq!(found, [(id.clone(), "active".to_owned())]);
    let shown = body(&site.get(&format!("/fhir/Consent/{id}")).await);
    assert_eq!(shown["patient"]["identifier"]["value"], "P1");
    assert_eq!(site.put(&shown, None).await.status, 422);
    // Replaced by something else, it is withdrawn.
    site.accept(&replacement(&p1, &uuid)).await;
    assert_eq!(site.count(&p1).await, 2);
    assert_eq!(search(&site, of_p1).await, [(id, "inactive".to_owned())]);
    // What says nothing of everything else is shown as it is meant, for others to decide alike.
    let (mut both, uuid) = acknowledgement(&p1);
    let policies = ["1.2.3.100", "1.2.3.101"];
    both.document_entries[0].event_codes = policies.map(code).to_vec();
    site.accept(&both).await;
    assert_eq!(site.count(&p1).await, 3);
    let uuid = uuid.as_str().trim_start_matches("urn:uuid:").to_owned();
    for (id, kind) in [
        (format!("bppc-{uuid}"), "permit"),
        (format!("bppc-{uuid}-2"), "deny"),
    ] {
        let shown = site.get(&format!("/fhir/Consent/{id}")).await;
        let meant = Consent::from_fhir(&shown.body).unwrap();
        assert_eq!(body(&shown)["provision"]["type"], kind);
        assert_eq!(
            body(&shown)["provision"]["period"]["start"],
            "2020-01-01T00:00:00Z"
        );
        assert_eq!((meant.base, meant.provisions.len()), (None, 1), "{meant:?}");
    }
    assert_eq!(search(&site, of_p1).await.len(), 3);
    // One of another policy would not be heeded.
    let (mut unknown, _) = acknowledgement(&p1);
    unknown.document_entries[0].event_codes = vec![code("1.2.3.97")];
    let errors = [ErrorCode::RegistryMetadataError];
    site.refuse(&unknown, &errors).await;
    assert_eq!(site.count(&p1).await, 3);
}
