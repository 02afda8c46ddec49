//! ITI-52, 69 and 70: subscriptions, what they match, and pull points; ITI-54: what others publish.

use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrim::{Body, RegistryObject, Slot};
use xds_schemas::ebrs::SubmitObjectsRequest;
use xds_schemas::iti18_registry_stored_query::StoredQuery;
use xds_schemas::iti52_document_metadata_subscribe::filter::FilterKind;
use xds_schemas::iti52_document_metadata_subscribe::{
    AdhocQuery, DocumentMetadataSubscribe, DocumentMetadataUnsubscribe, Subscribe,
    SubscribeResponse, SubscriptionFilter, TerminationTime, Topic, Unsubscribe,
};
use xds_schemas::iti53_document_metadata_notify::Notify;
use xds_schemas::iti54_document_metadata_publish::DocumentMetadataPublish;
use xds_schemas::iti69_create_destroy_pull_point::{
    CreatePullPoint, CreatePullPointRequest, DestroyPullPoint, DestroyPullPointRequest,
};
use xds_schemas::iti70_pull_notification::{GetMessages, PullNotification};
use xds_schemas::metadata::{Author, DocumentEntry, EntryUuid};
use xds_schemas::soap::{Fault, FaultCode};
use xds_schemas::wsn::{About, EndpointReference, Message, NotificationMessage, TopicExpression};

use hilum_transport::ClientError;

use crate::consumer::eventually;
use crate::iti8::merge;
use crate::iti18::get_associations;
use crate::iti57::{Stay, change_status, everything, new_version};
use crate::site::{Site, succeeded};
use crate::words::{code, document, empty, folder, new_uuid, one, patient, replacement};

/// P1 as a parameter.
pub(crate) const P1: &str = "'P1^^^&1.2.3.9&ISO'";
const DE_PATIENT: &str = "$XDSDocumentEntryPatientId";
const SS_PATIENT: &str = "$XDSSubmissionSetPatientId";
const FD_PATIENT: &str = "$XDSFolderPatientId";

/// A filter.
pub(crate) fn query(kind: FilterKind, slots: &[(&str, &str)]) -> AdhocQuery {
    let slots = slots
        .iter()
        .map(|(name, value)| Slot::single(*name, *value));
    AdhocQuery {
        id: kind.id().to_owned(),
        slots: slots.collect(),
    }
}

/// All documents of P1.
pub(crate) fn of_p1() -> AdhocQuery {
    query(FilterKind::DocumentEntry, &[(DE_PATIENT, P1)])
}

impl Site {
    pub(crate) async fn try_subscribe(
        &self,
        request: &Subscribe,
    ) -> Result<SubscribeResponse, Fault> {
        let sent = self
            .client
            .send::<DocumentMetadataSubscribe>(&self.url, request, Vec::new());
        faulty(sent.await.map(|answer| answer.response))
    }

    /// Subscribes; gives the address of the subscription.
    pub(crate) async fn subscribe(
        &self,
        consumer: &str,
        topic: Topic,
        query: AdhocQuery,
    ) -> String {
        let request = Subscribe::new(consumer, topic, query);
        self.try_subscribe(&request).await.unwrap().subscription
    }

    pub(crate) async fn unsubscribe(&self, address: &str) -> Result<(), Fault> {
        let sent =
            self.client
                .send::<DocumentMetadataUnsubscribe>(address, &Unsubscribe, Vec::new());
        faulty(sent.await.map(drop))
    }

    pub(crate) async fn pull_point(&self) -> String {
        let request = CreatePullPointRequest;
        let sent = self
            .client
            .send::<CreatePullPoint>(&self.url, &request, Vec::new());
        sent.await.unwrap().response.pull_point
    }

    async fn destroy(&self, pull_point: &str) -> Result<(), Fault> {
        let request = DestroyPullPointRequest;
        let sent = self
            .client
            .send::<DestroyPullPoint>(pull_point, &request, Vec::new());
        faulty(sent.await.map(drop))
    }

    async fn get_messages(
        &self,
        pull_point: &str,
        maximum_number: u64,
    ) -> Result<Vec<NotificationMessage>, Fault> {
        let request = GetMessages { maximum_number };
        let sent = self
            .client
            .send::<PullNotification>(pull_point, &request, Vec::new());
        faulty(sent.await.map(|answer| answer.response.messages))
    }

    /// Everything that waits in a pull point.
    pub(crate) async fn pull(&self, pull_point: &str) -> Vec<NotificationMessage> {
        let mut all = Vec::new();
        loop {
            let messages = self.get_messages(pull_point, 1).await.unwrap();
            if messages.is_empty() {
                return all;
            }
            all.extend(messages);
        }
    }

    pub(crate) async fn publish(&self, to: &str, notify: &Notify) -> Result<(), Fault> {
        let client = &self.client;
        let sent = client.send_one_way::<DocumentMetadataPublish>(to, None, notify);
        faulty(sent.await)
    }
}

fn faulty<T>(answer: Result<T, ClientError>) -> Result<T, Fault> {
    answer.map_err(|error| match error {
        ClientError::Fault { fault, .. } => *fault,
        other => panic!("{other}"),
    })
}

pub(crate) fn topic(message: &NotificationMessage) -> &str {
    &message.about.topic.as_ref().unwrap().text
}

fn topics(messages: &[NotificationMessage]) -> Vec<&str> {
    messages.iter().map(topic).collect()
}

fn ids(objects: &[RegistryObject]) -> Vec<&str> {
    objects.iter().map(|object| object.id.as_str()).collect()
}

/// ITI TF-2 3.52.5.1.1, 3.53.4.1.2: the whole metadata of document entries, and nothing else, in
/// one message.
pub(crate) async fn documents_are_told_in_full(site: Site) {
    let site = site.with_patients().await;
    let pull_point = site.pull_point().await;
    let address = site
        .subscribe(&pull_point, Topic::FullDocumentEntry, of_p1())
        .await;
    let mut submission = empty(&patient("P1"));
    for _ in 0..2 {
        submission.add_document(document(&patient("P1"), new_uuid().as_str()));
    }
    submission.add_folder(folder(&patient("P1"), "Folder"));
    site.accept(&submission).await;
    let messages = site.pull(&pull_point).await;
    assert_eq!(topics(&messages), ["ihe:FullDocumentEntry"]);
    let about = &messages[0].about;
    assert_eq!(about.subscription.as_deref(), Some(&*address));
    assert_eq!(about.producer.as_deref(), Some(&*site.url));
    let SubscriptionFilter { query, .. } =
        SubscriptionFilter::read(Topic::FullDocumentEntry, &of_p1()).unwrap();
    let registered = site.find(&query).await;
    assert_eq!(registered.len(), 2);
    assert_eq!(messages[0].objects(), registered);
    assert_eq!(site.pull(&pull_point).await, []);
}

/// ITI TF-2 3.52.5.1.2, 3.53.4.1.2: references only.
pub(crate) async fn documents_are_told_by_reference(site: Site) {
    let site = site.with_patients().await;
    let pull_point = site.pull_point().await;
    site.subscribe(&pull_point, Topic::MinimalDocumentEntry, of_p1())
        .await;
    let (submission, uuid) = one(&patient("P1"));
    site.accept(&submission).await;
    site.accept(&one(&patient("P2")).0).await;
    let messages = site.pull(&pull_point).await;
    assert_eq!(topics(&messages), ["ihe:MinimalDocumentEntry"]);
    let [reference] = messages[0].objects() else {
        panic!("one object was expected")
    };
    assert_eq!(reference.body, Body::ObjectRef);
    assert_eq!(reference.id, uuid.as_str());
    assert_eq!(reference.home.as_deref(), Some("urn:oid:1.2.3"));
}

/// ITI TF-2 3.52.5.1.3, 3.52.5.2.2: submission sets by source, author and recipient, LIKE patterns
/// among them.
pub(crate) async fn submission_sets_are_told(site: Site) {
    let site = site.with_patients().await;
    let cases: [(&[(&str, &str)], bool); 8] = [
        (&[], true),
        (&[("$XDSSubmissionSetSourceId", "('1.2.3.5','1.9')")], true),
        (&[("$XDSSubmissionSetSourceId", "('1.9')")], false),
        (
            &[("$XDSSubmissionSetAuthorPerson", "('%Kildare%','%Welby%')")],
            true,
        ),
        (&[("$XDSSubmissionSetAuthorPerson", "('Welby')")], false),
        (
            &[("$XDSSubmissionSetIntendedRecipient", "('Some Hospital%')")],
            true,
        ),
        (
            &[("$XDSSubmissionSetIntendedRecipient", "('Other Hospital%')")],
            false,
        ),
        (&[("$XDSSubmissionSetSubmissionTimeTo", "2024")], true),
    ];
    let mut pull_points = Vec::new();
    for (more, expected) in cases {
        let mut slots = vec![(SS_PATIENT, P1)];
        slots.extend(more);
        let pull_point = site.pull_point().await;
        let query = query(FilterKind::SubmissionSet, &slots);
        site.subscribe(&pull_point, Topic::SubmissionSetMetadata, query)
            .await;
        pull_points.push((pull_point, more, expected));
    }
    let (mut submission, _) = one(&patient("P1"));
    let set = &mut submission.submission_set;
    set.authors = vec![Author {
        person: Some("^Welby^Marcus".to_owned()),
        ..Author::default()
    }];
    set.intended_recipients = vec!["Some Hospital^^^^^^^^^1.2.3.9.1789.45".to_owned()];
    let unique_id = set.unique_id.to_string();
    site.accept(&submission).await;
    for (pull_point, more, expected) in pull_points {
        let messages = site.pull(&pull_point).await;
        assert_eq!(messages.len(), usize::from(expected), "{more:?}");
        if let [message] = &messages[..] {
            let [set] = message.objects() else {
                panic!("one object was expected")
            };
            let scheme = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8";
            assert_eq!(set.external_identifier(scheme), Some(&*unique_id));
        }
    }
}

/// DSUB Extensions, 3.52.5.1.4, 3.52.5.1.7, 3.52.5.1.8 and table 3.53.4.3.2-2: new folders, documents
/// put into them, and documents replaced in them.
pub(crate) async fn folders_are_told(site: Site) {
    let site = site.with_patients().await;
    let topics_told = [
        Topic::FolderMetadata,
        Topic::UpdateFolder,
        Topic::ExtendedFolder,
    ];
    let mut pull_points = Vec::new();
    let new = folder(&patient("P1"), new_uuid().as_str());
    let by_code = query(
        FilterKind::Folder,
        &[
            (FD_PATIENT, P1),
            ("$XDSFolderCodeList", "('folder^^1.2.3.8')"),
        ],
    );
    let unique_id = format!("('{}')", new.unique_id);
    let by_name = query(
        FilterKind::Folder,
        &[(FD_PATIENT, P1), ("$XDSFolderUniqueId", &unique_id)],
    );
    for query in [&by_code, &by_name] {
        for topic in topics_told {
            let pull_point = site.pull_point().await;
            site.subscribe(&pull_point, topic, query.clone()).await;
            pull_points.push(pull_point);
        }
    }
    let other = query(
        FilterKind::Folder,
        &[(FD_PATIENT, P1), ("$XDSFolderUniqueId", "('1.2')")],
    );
    let nothing = site.pull_point().await;
    site.subscribe(&nothing, Topic::ExtendedFolder, other).await;
    // A new folder with a document in it.
    let (mut submission, uuid) = one(&patient("P1"));
    let folder_uuid = new.entry_uuid.clone();
    submission.add_folder(new);
    submission.put_into_folder(folder_uuid.clone(), uuid.clone());
    site.accept(&submission).await;
    // Another document is put into it, and the first is replaced.
    let (mut submission, second) = one(&patient("P1"));
    submission.put_into_folder(folder_uuid.clone(), second);
    site.accept(&submission).await;
    site.accept(&replacement(&patient("P1"), &uuid)).await;
    let names = |topic: Topic| match topic {
        Topic::FolderMetadata => ["ihe:FolderMetadata"; 3].map(str::to_owned),
        topic => ["", "/UpdateContent", "/UpdateContent"]
            .map(|change| format!("{}{change}", topic.as_str())),
    };
    for (pull_point, topic) in pull_points.iter().zip(topics_told.into_iter().cycle()) {
        let messages = site.pull(pull_point).await;
        assert_eq!(topics(&messages), names(topic));
        for message in &messages {
            assert_eq!(ids(message.objects()), [folder_uuid.as_str()]);
        }
    }
    assert_eq!(site.pull(&nothing).await, []);
}

/// DSUB Extensions, table 3.53.4.3.2-1: replaced documents go out of force.
pub(crate) async fn more_than_what_is_new_is_told_to_those_who_ask(site: Site) {
    let site = site.with_patients().await;
    let mut pull_points = Vec::new();
    for topic in [
        Topic::FullDocumentEntry,
        Topic::ExtendedFullDocumentEntry,
        Topic::ExtendedMinimalDocumentEntry,
    ] {
        let pull_point = site.pull_point().await;
        site.subscribe(&pull_point, topic, of_p1()).await;
        pull_points.push(pull_point);
    }
    let (submission, old) = one(&patient("P1"));
    site.accept(&submission).await;
    site.accept(&replacement(&patient("P1"), &old)).await;
    let plain = site.pull(&pull_points[0]).await;
    assert_eq!(topics(&plain), ["ihe:FullDocumentEntry"; 2]);
    let full = site.pull(&pull_points[1]).await;
    let expected = ["", "", "/Deprecate"].map(|it| format!("ihe:ExtendedFullDocumentEntry{it}"));
    assert_eq!(topics(&full), expected);
    let [deprecated] = full[2].objects() else {
        panic!("one object was expected")
    };
    assert_eq!(deprecated.id, old.as_str());
    let status = AvailabilityStatus::Deprecated.as_str();
    assert_eq!(deprecated.status.as_deref(), Some(status));
    let minimal = site.pull(&pull_points[2]).await;
    assert_eq!(
        topics(&minimal)[2],
        "ihe:ExtendedMinimalDocumentEntry/Deprecate"
    );
    assert_eq!(minimal[2].objects()[0].body, Body::ObjectRef);
}

/// DSUB Extensions, 3.52.5.2.4 and 3.52.5.2.5: whoever the patient is.
pub(crate) async fn patients_need_not_be_named(site: Site) {
    let site = site.with_patients().await;
    let documents = site.pull_point().await;
    let class = ("$XDSDocumentEntryClassCode", "('class^^1.2.3.8')");
    let of_anybody = query(FilterKind::DocumentEntryOfAnybody, &[class]);
    site.subscribe(&documents, Topic::MinimalDocumentEntry, of_anybody)
        .await;
    let sets = site.pull_point().await;
    let source = ("$XDSSubmissionSetSourceId", "('1.2.3.5')");
    let of_anybody = query(FilterKind::SubmissionSetOfAnybody, &[source]);
    site.subscribe(&sets, Topic::SubmissionSetMetadata, of_anybody)
        .await;
    for id in ["P1", "P2"] {
        site.accept(&one(&patient(id)).0).await;
    }
    assert_eq!(site.pull(&documents).await.len(), 2);
    assert_eq!(site.pull(&sets).await.len(), 2);
}

/// ITI TF-2 3.52.4.3.3, 3.52.4.1.3: what was cancelled is not told any more, and cannot be cancelled
/// again; others go on.
pub(crate) async fn a_subscription_is_cancelled(site: Site) {
    let site = site.with_patients().await;
    let pull_point = site.pull_point().await;
    let first = site
        .subscribe(&pull_point, Topic::MinimalDocumentEntry, of_p1())
        .await;
    let second = site
        .subscribe(&pull_point, Topic::FullDocumentEntry, of_p1())
        .await;
    assert_ne!(first, second);
    site.unsubscribe(&first).await.unwrap();
    site.accept(&one(&patient("P1")).0).await;
    let messages = site.pull(&pull_point).await;
    assert_eq!(topics(&messages), ["ihe:FullDocumentEntry"]);
    let nowhere = format!("{}/subscriptions/{}", site.url, "0".repeat(32));
    for address in [&first, &nowhere, &site.url] {
        let fault = site.unsubscribe(address).await.unwrap_err();
        assert!(fault.is("ResourceUnknownFault"), "{address}: {fault}");
    }
}

/// ITI TF-2 3.52.4.2.3: a subscription lasts as long as it was answered, then matches nothing, and
/// is removed when there is nothing more to tell.
pub(crate) async fn a_subscription_ends(site: Site) {
    let site = site.with_patients().await;
    let pull_point = site.pull_point().await;
    let mut request = Subscribe::new(&*pull_point, Topic::MinimalDocumentEntry, of_p1());
    let usual = site.try_subscribe(&request).await.unwrap();
    assert!(usual.termination_time.is_some() && usual.current_time.is_some());
    site.unsubscribe(&usual.subscription).await.unwrap();
    request.initial_termination_time = Some(TerminationTime::At("PT1S".to_owned()));
    let short = site.try_subscribe(&request).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    site.accept(&one(&patient("P1")).0).await;
    assert_eq!(site.pull(&pull_point).await, []);
    assert_eq!(site.listed().await[0]["state"], "ended");
    let fault = site.unsubscribe(&short.subscription).await.unwrap_err();
    assert!(fault.is("ResourceUnknownFault"), "{fault}");
    for time in ["1999-01-01T00:00:00Z", "P2Y"] {
        request.initial_termination_time = Some(TerminationTime::At(time.to_owned()));
        let fault = site.try_subscribe(&request).await.unwrap_err();
        assert!(
            fault.is("UnacceptableInitialTerminationTimeFault"),
            "{fault}"
        );
    }
    // What has ended is looked for from time to time, and when the registry is opened.
    let site = site.configured(|_| {});
    eventually("it is removed", || async { site.listed().await.is_empty() }).await;
}

/// ITI TF-2 3.52.4.1.3: every fault of the framework, over the wire.
pub(crate) async fn wrong_subscriptions_are_refused(site: Site) {
    let site = site.with_patients().await;
    let pull_point = site.pull_point().await;
    let good = || Subscribe::new(&*pull_point, Topic::MinimalDocumentEntry, of_p1());
    let mut no_filter = good();
    no_filter.filter.queries.clear();
    let mut unknown_parameter = good();
    let unknown = Slot::single("$XDSDocumentEntryWeather", "('x')");
    unknown_parameter.filter.queries[0].slots.push(unknown);
    let mut dialect = good();
    dialect.filter.topics[0].dialect =
        "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Full".to_owned();
    let mut garbled = good();
    garbled.filter.topics[0] = TopicExpression::simple("ihe:A/B|C");
    let mut unheard = good();
    unheard.filter.topics[0] = TopicExpression::simple("ihe:Weather");
    let mut far = good();
    far.consumer = EndpointReference::of("https://192.0.2.1/notify");
    let mut nowhere = good();
    nowhere.consumer = EndpointReference::of("urn:nowhere");
    let mut no_pull_point = good();
    let place = format!("http://192.0.2.1/registry/pull-points/{}", "0".repeat(32));
    no_pull_point.consumer = EndpointReference::of(place);
    let cases = [
        (no_filter, "InvalidFilterFault"),
        (unknown_parameter, "InvalidFilterFault"),
        (dialect, "TopicExpressionDialectUnknownFault"),
        (garbled, "InvalidTopicExpressionFault"),
        (unheard, "TopicNotSupportedFault"),
        (far, "SubscribeCreationFailedFault"),
        (nowhere, "SubscribeCreationFailedFault"),
        (no_pull_point, "SubscribeCreationFailedFault"),
    ];
    for (request, expected) in cases {
        let fault = site.try_subscribe(&request).await.unwrap_err();
        assert!(fault.is(expected), "{expected}: {fault}");
        assert!(!fault.reason.is_empty() && !fault.reason.contains("P1"));
    }
    assert!(site.listed().await.is_empty());
    let full = site.configured(|config| config.subscriptions.most = 1);
    full.try_subscribe(&good()).await.unwrap();
    let fault = full.try_subscribe(&good()).await.unwrap_err();
    assert!(fault.is("SubscribeCreationFailedFault"), "{fault}");
    assert!(fault.reason.contains("as many as may be"), "{fault}");
}

/// DSUB Extensions, 3.69 and 3.70: one message at a time, oldest first, each once; a pull point that
/// is gone is unknown.
pub(crate) async fn a_pull_point_keeps_messages(site: Site) {
    let site = site.with_patients().await;
    let pull_point = site.pull_point().await;
    let subscription = site
        .subscribe(&pull_point, Topic::MinimalDocumentEntry, of_p1())
        .await;
    let mut uuids = Vec::new();
    for _ in 0..3 {
        let (submission, uuid) = one(&patient("P1"));
        site.accept(&submission).await;
        uuids.push(uuid);
    }
    assert_eq!(site.get_messages(&pull_point, 0).await, Ok(Vec::new()));
    let first = site.get_messages(&pull_point, 10).await.unwrap();
    assert_eq!(first.len(), 1, "a record concerns one patient");
    // What was kept stays when the subscription is cancelled.
    site.unsubscribe(&subscription).await.unwrap();
    let rest = site.pull(&pull_point).await;
    let all: Vec<&str> = first
        .iter()
        .chain(&rest)
        .map(|it| &*it.objects()[0].id)
        .collect();
    let expected: Vec<&str> = uuids.iter().map(EntryUuid::as_str).collect();
    assert_eq!(all, expected);
    site.subscribe(&pull_point, Topic::MinimalDocumentEntry, of_p1())
        .await;
    site.destroy(&pull_point).await.unwrap();
    site.accept(&one(&patient("P1")).0).await;
    assert!(
        site.listed().await.is_empty(),
        "its subscriptions go with it"
    );
    for fault in [
        site.get_messages(&pull_point, 1).await.unwrap_err(),
        site.destroy(&pull_point).await.unwrap_err(),
        site.get_messages(&site.url, 1).await.unwrap_err(),
    ] {
        assert!(fault.is("ResourceUnknownFault"), "{fault}");
    }
}

/// A pull point is bounded: the oldest are lost, and how many is seen.
pub(crate) async fn a_full_pull_point_loses_its_oldest(site: Site) {
    let site = site.configured(|config| {
        config.subscriptions.pull_point_messages = 2;
        config.subscriptions.most = 1;
    });
    let site = site.with_patients().await;
    let pull_point = site.pull_point().await;
    site.subscribe(&pull_point, Topic::MinimalDocumentEntry, of_p1())
        .await;
    let mut last = None;
    for _ in 0..4 {
        let (submission, uuid) = one(&patient("P1"));
        site.accept(&submission).await;
        last = Some(uuid);
    }
    let listed = &site.listed().await[0];
    assert_eq!(
        (&listed["backlog"], &listed["lost"]),
        (&2.into(), &2.into())
    );
    let messages = site.pull(&pull_point).await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].objects()[0].id, last.unwrap().as_str());
    let sent = site
        .client
        .send::<CreatePullPoint>(&site.url, &CreatePullPointRequest, Vec::new());
    let fault = faulty(sent.await.map(drop)).unwrap_err();
    assert!(fault.is("UnableToCreatePullPointFault"), "{fault}");
}

pub(crate) fn published(topic: Option<&str>, objects: Vec<RegistryObject>) -> Notify {
    let mut request = SubmitObjectsRequest::default();
    request.objects.objects = objects;
    Notify {
        messages: vec![NotificationMessage {
            about: About {
                subscription: None,
                topic: topic.map(TopicExpression::simple),
                producer: Some("urn:oid:1.2.3.4.5".to_owned()),
            },
            message: Message::Objects(request),
        }],
    }
}

/// ITI TF-2 3.54.4.1.3: what others publish is told like what is registered here; what is no
/// publication is refused.
pub(crate) async fn what_others_publish_is_told(site: Site) {
    let site = site.with_patients().await;
    let pull_point = site.pull_point().await;
    site.subscribe(&pull_point, Topic::ExtendedFullDocumentEntry, of_p1())
        .await;
    let entry = |of: &str| -> RegistryObject {
        let uuid = new_uuid();
        let entry: DocumentEntry = document(&patient(of), uuid.as_str());
        entry.to_ebrim()
    };
    let (here, other) = (entry("P1"), entry("P2"));
    let good = published(None, vec![here.clone()]);
    site.publish(&site.url, &good).await.unwrap();
    let topic = "ihe:ExtendedMinimalDocumentEntry/Delete";
    let deleted = published(Some(topic), vec![here.clone()]);
    site.publish(&site.url, &deleted).await.unwrap();
    let elsewhere = published(None, vec![other.clone()]);
    site.publish(&site.url, &elsewhere).await.unwrap();
    let messages = site.pull(&pull_point).await;
    let expected = ["", "/Delete"].map(|it| format!("ihe:ExtendedFullDocumentEntry{it}"));
    assert_eq!(topics(&messages), expected);
    assert_eq!(messages[0].objects(), std::slice::from_ref(&here));
    let mut twice = good.clone();
    twice.messages.push(good.messages[0].clone());
    let mut anonymous = good.clone();
    anonymous.messages[0].about.producer = None;
    for wrong in [
        twice,
        anonymous,
        published(Some("ihe:Weather"), vec![here.clone()]),
        published(None, Vec::new()),
        published(None, vec![here, other]),
    ] {
        let fault = site.publish(&site.url, &wrong).await.unwrap_err();
        assert!(fault.is("Sender"), "{fault}");
    }
    assert_eq!(site.pull(&pull_point).await, []);
}

/// DSUB Extensions, 3.69.4.1: a pull point is also the recipient of other brokers.
pub(crate) async fn other_brokers_deliver_into_a_pull_point(site: Site) {
    let pull_point = site.pull_point().await;
    let mut reference = RegistryObject::new("urn:uuid:1", Body::ObjectRef);
    reference.home = Some("urn:oid:1.9".to_owned());
    let notify = published(Some("ihe:MinimalDocumentEntry"), vec![reference]);
    site.publish(&pull_point, &notify).await.unwrap();
    assert_eq!(site.pull(&pull_point).await, notify.messages);
    let nowhere = format!("{}/pull-points/{}", site.url, "0".repeat(32));
    let fault = site.publish(&nowhere, &notify).await.unwrap_err();
    assert!(fault.is("ResourceUnknownFault"), "{fault}");
}

/// Numbers that look random and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    /// A list of codes as a parameter.
    fn codes(&mut self) -> String {
        let codes =
            (0..=self.below(2)).map(|_| format!("'{}^^1.2.3.8'", self.one(&["a", "b", "c"])));
        format!("({})", codes.collect::<Vec<_>>().join(","))
    }

    fn document(&mut self, of: &str) -> DocumentEntry {
        let mut entry = document(&patient(of), new_uuid().as_str());
        entry.class_code = Some(code(self.one(&["a", "b", "c"])));
        entry.type_code = Some(code(self.one(&["a", "b"])));
        entry.format_code = Some(code(self.one(&["a", "b"])));
        entry.event_codes = (0..self.below(3))
            .map(|_| code(self.one(&["a", "b", "c"])))
            .collect();
        entry.confidentiality_codes = vec![code(self.one(&["a", "b"]))];
        entry.authors[0].person = Some(self.one(&["^Welby^Marcus", "^Kildare^James"]).to_owned());
        let time = self.one(&["2023", "20240102030405", "202406"]);
        entry.creation_time = Some(crate::words::time(time));
        entry
    }

    fn filter(&mut self, of: &str) -> AdhocQuery {
        let patient = format!("'{}'", patient(of));
        let mut slots = vec![Slot::single(DE_PATIENT, patient)];
        for name in [
            "ClassCode",
            "TypeCode",
            "FormatCode",
            "EventCodeList",
            "EventCodeList",
            "ConfidentialityCode",
        ] {
            if self.below(3) == 0 {
                let name = format!("$XDSDocumentEntry{name}");
                slots.push(Slot::single(name, self.codes()));
            }
        }
        if self.below(3) == 0 {
            let pattern = self.one(&["('%Welby%')", "('^K_ldare%')", "('%')", "('x')"]);
            slots.push(Slot::single("$XDSDocumentEntryAuthorPerson", pattern));
        }
        for (name, times) in [
            ("From", ["2023", "202401", "20240601"]),
            ("To", ["2023", "20240102030405", "2025"]),
        ] {
            if self.below(3) == 0 {
                let name = format!("$XDSDocumentEntryCreationTime{name}");
                slots.push(Slot::single(name, self.one(&times)));
            }
        }
        AdhocQuery {
            id: FilterKind::DocumentEntry.id().to_owned(),
            slots,
        }
    }
}

/// ITI TF-2 3.52.5.2: a match means that a stored query with the same parameters would find the
/// object. Whatever is asked for, whatever is registered.
pub(crate) async fn a_subscription_matches_what_a_query_finds(site: Site) {
    let site = site.with_patients().await;
    let mut chance = Chance(0x2545_f491_4f6c_dd1d);
    let mut subscriptions = Vec::new();
    for _ in 0..24 {
        let of = chance.one(&["P1", "P2"]).to_owned();
        let filter = chance.filter(&of);
        let pull_point = site.pull_point().await;
        let topic = Topic::MinimalDocumentEntry;
        site.subscribe(&pull_point, topic, filter.clone()).await;
        let query = SubscriptionFilter::read(topic, &filter).unwrap().query;
        subscriptions.push((pull_point, query));
    }
    for _ in 0..12 {
        let of = chance.one(&["P1", "P2"]).to_owned();
        let mut submission = empty(&patient(&of));
        for _ in 0..=chance.below(3) {
            submission.add_document(chance.document(&of));
        }
        site.accept(&submission).await;
    }
    let mut told = 0;
    for (pull_point, query) in subscriptions {
        let messages = site.pull(&pull_point).await;
        let mut matched: Vec<String> = messages
            .iter()
            .flat_map(|message| message.objects().iter().map(|it| it.id.clone()))
            .collect();
        let mut found: Vec<String> = site
            .find(&query)
            .await
            .into_iter()
            .map(|it| it.id)
            .collect();
        matched.sort_unstable();
        found.sort_unstable();
        assert_eq!(matched, found, "{query:#?}");
        assert!(matches!(query, StoredQuery::FindDocuments(_)));
        told += found.len();
    }
    assert!(told > 10, "hardly anything matched: {told}");
}

/// DSUB Extensions, tables 3.53.4.3.2-1 and 3.53.4.3.2-2: what updates (ITI-57) and removals (ITI-62)
/// do to document entries and folders.
pub(crate) async fn updates_and_removals_are_told(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (approved, deprecated) = (AvailabilityStatus::Approved, AvailabilityStatus::Deprecated);
    let stay = Stay::register(&site, &p1).await;
    let folders = query(FilterKind::Folder, &[(FD_PATIENT, P1)]);
    let mut pull_points = Vec::new();
    for (topic, query) in [
        (Topic::FullDocumentEntry, of_p1()),
        (Topic::ExtendedFullDocumentEntry, of_p1()),
        (Topic::UpdateFolder, folders.clone()),
        (Topic::ExtendedFolder, folders),
    ] {
        let pull_point = site.pull_point().await;
        site.subscribe(&pull_point, topic, query).await;
        pull_points.push(pull_point);
    }
    succeeded(&site.update(&new_version(&stay.entry, "Next", "1")).await);
    succeeded(
        &site
            .update(&change_status(&p1, &stay.addendum, approved, deprecated))
            .await,
    );
    let folder = &stay.folder.entry_uuid;
    let links = site.find(&get_associations([folder])).await;
    let membership = links.iter().find(
        |it| matches!(&it.body, Body::Association { source, .. } if source == folder.as_str()),
    );
    let membership = EntryUuid(membership.unwrap().id.clone());
    succeeded(
        &site
            .update(&change_status(&p1, &membership, approved, deprecated))
            .await,
    );
    succeeded(
        &site
            .update(&change_status(&p1, folder, approved, deprecated))
            .await,
    );
    let all = site.find_all(&everything(&p1)).await;
    let all: Vec<EntryUuid> = all.into_iter().map(|it| EntryUuid(it.id)).collect();
    succeeded(&site.remove(&all).await);
    assert_eq!(site.pull(&pull_points[0]).await, []);
    let documents = site.pull(&pull_points[1]).await;
    let expected = ["UpdateMetadata", "Deprecate", "Delete"]
        .map(|change| format!("ihe:ExtendedFullDocumentEntry/{change}"));
    assert_eq!(topics(&documents), expected);
    let updated = &documents[0].objects()[0];
    assert_eq!(updated.lid.as_deref(), Some(stay.entry.entry_uuid.as_str()));
    assert_eq!(updated.version.as_deref(), Some("2"));
    assert_eq!(documents[1].objects()[0].id, stay.addendum.as_str());
    assert_eq!(
        documents[2].objects().len(),
        3,
        "both versions and the addendum"
    );
    let changes = ["UpdateContent", "RemoveDocument", "Deprecate", "Delete"];
    let told = site.pull(&pull_points[2]).await;
    let expected: Vec<String> = changes[..3]
        .iter()
        .map(|it| format!("ihe:UpdateFolder/{it}"))
        .collect();
    assert_eq!(topics(&told), expected);
    let told = site.pull(&pull_points[3]).await;
    let expected = changes.map(|it| format!("ihe:ExtendedFolder/{it}"));
    assert_eq!(topics(&told), expected);
    assert!(told.iter().all(|it| ids(it.objects()) == [folder.as_str()]));
}

/// ITI TF-2 3.8.4.2.4: what is told of a patient who was merged shows who that is now, and the old
/// identifier stands for nobody, as in queries.
pub(crate) async fn merged_patients_are_told_as_who_they_are_now(site: Site) {
    let site = site.with_patients().await;
    let (submission, uuid) = one(&patient("P2"));
    site.accept(&submission).await;
    let mut pull_points = Vec::new();
    for id in ["P1", "P2"] {
        let pull_point = site.pull_point().await;
        let patient = format!("'{id}^^^&1.2.3.9&ISO'");
        let query = query(FilterKind::DocumentEntry, &[(DE_PATIENT, &*patient)]);
        let topic = Topic::ExtendedFullDocumentEntry;
        site.subscribe(&pull_point, topic, query).await;
        pull_points.push(pull_point);
    }
    site.taken(&merge("P2", "P1")).await;
    let all = site.find_all(&everything(&patient("P1"))).await;
    let all: Vec<EntryUuid> = all.into_iter().map(|it| EntryUuid(it.id)).collect();
    succeeded(&site.remove(&all).await);
    let told = site.pull(&pull_points[0]).await;
    assert_eq!(topics(&told), ["ihe:ExtendedFullDocumentEntry/Delete"]);
    assert_eq!(ids(told[0].objects()), [uuid.as_str()]);
    let entry = DocumentEntry::from_ebrim(&told[0].objects()[0]).unwrap();
    assert_eq!(entry.patient_id, Some(patient("P1")));
    assert_eq!(site.pull(&pull_points[1]).await, []);
}

/// ITI TF-2 3.52.4.1.3, 3.52.4.3.3; DSUB Extensions 3.69.4, 3.70.4: when it is our fault, the fault
/// says so, and what went wrong is not told to peers.
pub(crate) async fn a_broken_database_is_said_in_the_words_of_the_standard(site: Site) {
    let site = site.with_patients().await;
    let pull_point = site.pull_point().await;
    let request = Subscribe::new(&*pull_point, Topic::MinimalDocumentEntry, of_p1());
    let address = site.try_subscribe(&request).await.unwrap().subscription;
    for table in ["subscriptions", "pull_points", "notifications"] {
        site.sabotage(&format!("ALTER TABLE {table} RENAME TO broken_{table}"));
    }
    let create =
        site.client
            .send::<CreatePullPoint>(&site.url, &CreatePullPointRequest, Vec::new());
    let create = faulty(create.await.map(drop)).unwrap_err();
    let faults = [
        (create, "UnableToCreatePullPointFault"),
        (
            site.try_subscribe(&request).await.unwrap_err(),
            "SubscribeCreationFailedFault",
        ),
        (
            site.unsubscribe(&address).await.unwrap_err(),
            "UnableToDestroySubscriptionFault",
        ),
        (
            site.get_messages(&pull_point, 1).await.unwrap_err(),
            "UnableToGetMessagesFault",
        ),
        (
            site.destroy(&pull_point).await.unwrap_err(),
            "UnableToDestroyPullPointFault",
        ),
    ];
    for (fault, expected) in faults {
        assert!(fault.is(expected), "{expected}: {fault}");
        assert_eq!(fault.code, FaultCode::Receiver);
        assert!(fault.reason.contains("internal error"), "{fault}");
        assert!(!fault.reason.contains("table"), "{fault}");
    }
}
