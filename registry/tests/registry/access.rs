//! What rules hide, case by case: levels, versions, identifiers that are taken, and what subscribers are
//! told. That hidden is as good as absent, `twins` shows.

use hilum_security::access::Access;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::ReturnType;
use xds_schemas::iti52_document_metadata_subscribe::Topic;
use xds_schemas::iti52_document_metadata_subscribe::filter::FilterKind;
use xds_schemas::metadata::{DocumentEntry, EntryUuid, PatientId, Submission};
use xds_schemas::wsn::NotificationMessage;

use crate::consumer::{Consumer, Mood, eventually};
use crate::dsub::{P1, of_p1, published, query};
use crate::iti18::find_documents;
use crate::iti57::{everything, new_version};
use crate::iti108::consent;
use crate::site::{Site, succeeded};
use crate::twins::{RULES, rules};
use crate::words::{code, document, empty, folder, new_uuid, one, patient};

/// These rules for those who ask, and everybody may register whatever it is and see the list of subscriptions.
fn registering(text: &str) -> Access {
    let rule = |permission: &str| {
        format!(
            "[[rule]]\nname = \"{permission}\"\npermission = \"{permission}\"\nlevel = \"full\"\n"
        )
    };
    rules(&(rule("register") + &rule("administer") + text))
}

/// A submission of a document with this confidentiality.
fn confidential(of: &PatientId, confidentiality: &str) -> (Submission, DocumentEntry) {
    let mut submission = empty(of);
    let mut entry = document(of, new_uuid().as_str());
    entry.confidentiality_codes = vec![code(confidentiality)];
    submission.add_document(entry.clone());
    (submission, entry)
}

/// ObjectRef needs less than LeafClass.
pub(crate) async fn existence_is_less_than_metadata(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    for confidentiality in ["N", "R", "V"] {
        site.accept(&confidential(&p1, confidentiality).0).await;
    }
    let site = site.configured(|config| {
        config.access = rules(
            "[[rule]]\nname = \"n\"\nwhat = { confidentiality = [\"N\"] }\nlevel = \"metadata\"\n\
             [[rule]]\nname = \"r\"\nwhat = { confidentiality = [\"R\"] }\nlevel = \"existence\"\n",
        );
    });
    let query = find_documents(&p1);
    assert_eq!(
        site.ask(&query, ReturnType::ObjectRef).await.objects.len(),
        2
    );
    assert_eq!(
        site.ask(&query, ReturnType::LeafClass).await.objects.len(),
        1
    );
    let sets = everything(&p1);
    // With their submission sets and memberships.
    assert_eq!(
        site.ask(&sets, ReturnType::ObjectRef).await.objects.len(),
        6
    );
    assert_eq!(
        site.ask(&sets, ReturnType::LeafClass).await.objects.len(),
        3
    );
}

/// A document that became confidential is so in all its versions; one that ceased to be so is not seen
/// as it was.
pub(crate) async fn versions_are_as_confidential_as_the_newest(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let versions = |first: &str, second: &str| {
        let (submission, entry) = confidential(&p1, first);
        let mut update = new_version(&entry, new_uuid().as_str(), "1");
        update.document_entries[0].confidentiality_codes = vec![code(second)];
        (submission, update)
    };
    for (first, second) in [("N", "R"), ("R", "N"), ("N", "N")] {
        let (submission, update) = versions(first, second);
        site.accept(&submission).await;
        succeeded(&site.update(&update).await);
    }
    let site = site.configured(|config| config.access = rules(RULES));
    let found = site.find_all(&everything(&p1)).await;
    let is_document =
        |object: &&RegistryObject| matches!(object.body, Body::ExtrinsicObject { .. });
    let of_documents = found.iter().filter(is_document);
    // The newest of the second, and both of the third.
    assert_eq!(of_documents.count(), 3);
    assert_eq!(site.find(&find_documents(&p1)).await.len(), 2);
}

/// Two documents with one uniqueId would be worse than to learn that somebody else has it. Which object
/// it is, is not said.
pub(crate) async fn identifiers_of_hidden_documents_are_taken(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (submission, secret) = confidential(&p1, "R");
    site.accept(&submission).await;
    let site = site.configured(|config| config.access = rules(RULES));
    // The same document again tells nothing.
    let (mut again, entry) = confidential(&p1, "N");
    again.document_entries[0].unique_id = secret.unique_id.clone();
    site.accept(&again).await;
    assert_eq!(site.find(&find_documents(&p1)).await.len(), 1);
    let mut other = empty(&p1);
    other.add_document(DocumentEntry {
        entry_uuid: new_uuid(),
        unique_id: secret.unique_id.clone(),
        hash: Some("0000000000000000000000000000000000000000".to_owned()),
        ..entry
    });
    let errors = site.refuse(&other, &[ErrorCode::NonIdenticalHash]).await;
    let said = format!("{errors:?}");
    assert!(!said.contains(secret.entry_uuid.as_str()), "{said}");
    let mut on_demand = empty(&p1);
    on_demand.add_document(DocumentEntry {
        unique_id: secret.unique_id.clone(),
        ..crate::iti61::on_demand(&p1, new_uuid().as_str())
    });
    let refused = site.submit_on_demand(&on_demand).await;
    let said = format!("{:?}", refused.errors);
    assert!(!said.contains(secret.entry_uuid.as_str()), "{said}");
    assert!(said.contains("DuplicateUniqueId"), "{said}");
}

/// What stays would be broken, so it is refused; what it is, is not said.
pub(crate) async fn what_is_hidden_holds_what_is_seen(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (mut submission, seen) = confidential(&p1, "N");
    let (_, secret) = confidential(&p1, "R");
    submission.add_document(secret.clone());
    site.accept(&submission).await;
    let site = site.configured(|config| config.access = rules(RULES));
    let found = site.find(&everything(&p1)).await;
    let names: Vec<EntryUuid> = found.iter().map(|it| EntryUuid::from(&*it.id)).collect();
    assert_eq!(names.len(), 3);
    let refused = site.remove(&names).await;
    let said = format!("{refused:?}");
    assert!(said.contains("something refers to it"), "{said}");
    assert!(!said.contains(secret.entry_uuid.as_str()), "{said}");
    let refused = site.remove(std::slice::from_ref(&secret.entry_uuid)).await;
    assert!(format!("{refused:?}").contains("no such object"));
    assert_eq!(site.find(&everything(&p1)).await.len(), 3);
    assert!(names.contains(&seen.entry_uuid));
}

/// The objects of each notification.
fn told(messages: &[NotificationMessage]) -> Vec<Vec<&str>> {
    let of = |message: &'_ NotificationMessage| message.objects().len();
    assert!(messages.iter().all(|message| of(message) > 0));
    let ids = messages.iter().map(|message| {
        let objects = message.objects().iter();
        objects.map(|object| object.id.as_str()).collect()
    });
    ids.collect()
}

/// ITI-53 and ITI-70: decided when it is sent.
pub(crate) async fn subscribers_are_told_what_they_may_see(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let site = site.configured(|config| config.access = registering(RULES));
    let consumer = Consumer::new(Mood::Willing);
    site.subscribe(&consumer.url(), Topic::FullDocumentEntry, of_p1())
        .await;
    let topics = [
        (Topic::FullDocumentEntry, FilterKind::DocumentEntry),
        (Topic::MinimalDocumentEntry, FilterKind::DocumentEntry),
        (Topic::SubmissionSetMetadata, FilterKind::SubmissionSet),
        (Topic::FolderMetadata, FilterKind::Folder),
        (
            Topic::ExtendedMinimalDocumentEntry,
            FilterKind::DocumentEntry,
        ),
    ];
    let mut pull_points = Vec::new();
    for (topic, kind) in topics {
        let parameter = match kind {
            FilterKind::DocumentEntry => "$XDSDocumentEntryPatientId",
            FilterKind::SubmissionSet => "$XDSSubmissionSetPatientId",
            _ => "$XDSFolderPatientId",
        };
        let pull_point = site.pull_point().await;
        site.subscribe(&pull_point, topic, query(kind, &[(parameter, P1)]))
            .await;
        pull_points.push(pull_point);
    }
    // Only secrets, then some of both, then nothing of them.
    let (mut secrets, secret) = confidential(&p1, "R");
    let hidden_folder = folder(&p1, new_uuid().as_str());
    secrets.add_folder(hidden_folder.clone());
    secrets.put_into_folder(hidden_folder.entry_uuid, secret.entry_uuid.clone());
    secrets.submission_set.entry_uuid = new_uuid();
    for association in &mut secrets.associations {
        if association.source == EntryUuid::from("Set") {
            association.source = secrets.submission_set.entry_uuid.clone();
        }
    }
    site.accept(&secrets).await;
    let (mut both, seen) = confidential(&p1, "N");
    both.add_document(confidential(&p1, "R").1);
    site.accept(&both).await;
    let (last, open) = one(&p1);
    site.accept(&last).await;
    consumer.takes(2).await;
    let objects = consumer.objects();
    let ids: Vec<&str> = objects.iter().map(|it| it.id.as_str()).collect();
    let (seen, open) = (seen.entry_uuid.as_str(), open.as_str());
    assert_eq!(ids, [seen, open]);
    // Taken out as it would have been written without the others.
    let whole = site.find(&find_documents(&p1)).await;
    assert_eq!(objects, whole);
    // What was only about secrets does not wait any more.
    eventually("nothing waits", || async {
        let listed = site.listed().await;
        listed[0]["backlog"] == 0
    })
    .await;
    let removed = [EntryUuid::from(seen)];
    assert!(format!("{:?}", site.remove(&removed).await).contains("ReferencesExist"));
    for (at, expected) in [vec![vec![seen], vec![open]], vec![vec![seen], vec![open]]]
        .iter()
        .enumerate()
    {
        let messages = site.pull(&pull_points[at]).await;
        assert_eq!(&told(&messages), expected);
    }
    assert_eq!(site.pull(&pull_points[2]).await.len(), 2);
    assert_eq!(site.pull(&pull_points[3]).await, []);
    assert_eq!(site.pull(&pull_points[4]).await.len(), 2);
}

/// What was registered before a patient changed its mind is not told after it.
pub(crate) async fn what_waits_is_decided_when_it_is_sent(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let site = site.configured(|config| {
        config.access = rules(
            "[[rule]]\nname = \"others\"\npermission = [\"register\", \"consent\", \"administer\"]\nlevel = \"full\"\n\
             [[rule]]\nname = \"not denied\"\nconsent = \"opt-out\"\nlevel = \"full\"\n",
        );
    });
    let mut consumer = Consumer::absent(Mood::Willing);
    site.subscribe(&consumer.url(), Topic::FullDocumentEntry, of_p1())
        .await;
    let pull_point = site.pull_point().await;
    site.subscribe(&pull_point, Topic::FullDocumentEntry, of_p1())
        .await;
    site.accept(&one(&p1).0).await;
    eventually("it is tried", || async {
        site.listed().await[0]["attempts"] != 0
    })
    .await;
    let kept = site.consents(&consent(&p1, "active", "deny")).await;
    consumer.listen();
    eventually("nothing waits", || async {
        site.listed().await[0]["backlog"] == 0
    })
    .await;
    assert_eq!(consumer.taken(), []);
    assert_eq!(site.pull(&pull_point).await, []);
    site.withdraws(&kept).await;
    site.accept(&one(&p1).0).await;
    consumer.takes(1).await;
    assert_eq!(site.pull(&pull_point).await.len(), 1);
}

/// ITI-54, and what has gone: decided by what is known of it.
pub(crate) async fn what_is_not_registered_is_decided_by_what_is_known(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let site = site.configured(|config| config.access = registering(RULES));
    let pull_point = site.pull_point().await;
    let topic = Topic::ExtendedMinimalDocumentEntry;
    site.subscribe(&pull_point, topic, of_p1()).await;
    let entry = |confidentiality: &str| confidential(&p1, confidentiality).1;
    let (secret, open) = (entry("R"), entry("N"));
    let objects = vec![secret.to_ebrim(), open.to_ebrim()];
    site.publish(&site.url, &published(None, objects))
        .await
        .unwrap();
    let only = vec![secret.to_ebrim()];
    site.publish(&site.url, &published(None, only))
        .await
        .unwrap();
    let messages = site.pull(&pull_point).await;
    assert_eq!(told(&messages), [[open.entry_uuid.as_str()]]);
    // Other brokers' messages are decided for who comes for them.
    let objects = vec![secret.to_ebrim(), open.to_ebrim()];
    let notify = published(Some("ihe:FullDocumentEntry"), objects);
    site.publish(&pull_point, &notify).await.unwrap();
    let messages = site.pull(&pull_point).await;
    assert_eq!(told(&messages), [[open.entry_uuid.as_str()]]);
    // What is removed is told to whoever could see it.
    let mut sent = Vec::new();
    for confidentiality in ["N", "R"] {
        let (submission, entry) = confidential(&p1, confidentiality);
        site.accept(&submission).await;
        sent.push(entry);
    }
    site.pull(&pull_point).await;
    let everybody = site.configured(|config| {
        config.access = Access::everything();
    });
    let all = everybody.find(&everything(&p1)).await;
    let all: Vec<EntryUuid> = all.iter().map(|it| EntryUuid::from(&*it.id)).collect();
    succeeded(&everybody.remove(&all).await);
    let site = everybody.configured(|config| config.access = registering(RULES));
    let path = pull_point.split_once("/registry").unwrap().1;
    let messages = site.pull(&format!("{}{path}", site.url)).await;
    assert_eq!(told(&messages), [[sent[0].entry_uuid.as_str()]]);
}
