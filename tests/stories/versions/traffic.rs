//! Everything that one country asks of the other.

use std::time::SystemTime;

use bytes::Bytes;
use hilum_dicom::phantoms::{self, Detail};
use hilum_dicom::scan::scan;
use hilum_tests::calls::{
    CrossProvide, CrossQuery, CrossRetrieve, Provide, QuerySeveral, Raw, Retrieve, RetrieveImages,
    parts,
};
use hilum_tests::feed::Source;
use hilum_tests::region::{authority, home, patient_of, repository};
use hilum_tests::versions;
use hilum_tests::words::{self, Document, Instance, PATIENT_AUTHORITY, Submission};
use hilum_transport::{ClientError, Correlation, HttpRequest};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::AdhocQueryRequest;
use xds_schemas::iti38_cross_gateway_query::patients_of;
use xds_schemas::iti63_cross_gateway_fetch::CrossGatewayFetch;
use xds_schemas::xml::{FromXml, Reader};

use super::countries::{Country, skipped};

const APPROVED: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";
const SEVERAL: &str = "3d1bdb10-39a2-11de-89c2-2f44d94eaa9f";
const FETCH: &str = "f2072993-9478-41df-a603-8f016706efe8";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// One who asks, one who is asked, and what the latter has.
pub(super) struct Traffic<'a> {
    from: &'a Country,
    to: &'a Country,
    documents: Vec<(String, Vec<u8>)>,
    images: Vec<(Instance, Vec<u8>)>,
}

/// What a country calls its only patient, whom the other one knows too.
fn patient(country: &Country) -> String {
    format!("P-{}", country.number)
}

/// A question in words of a country.
fn of(country: &Country, question: &str) -> String {
    let authority = format!("&amp;{}&amp;", authority(country.number));
    question.replace(&format!("&amp;{PATIENT_AUTHORITY}&amp;"), &authority)
}

fn urn(country: &Country) -> String {
    format!("urn:oid:{}", home(country.number))
}

/// A document that is meant for a country.
fn meant_for(country: &Country, submission: &Submission) -> Raw {
    let list = "<rim:RegistryObjectList>";
    let slot = format!(
        "<rs:RequestSlotList xmlns:rs=\"urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0\">\
         <rim:Slot name=\"homeCommunityId\"><rim:ValueList><rim:Value>{}</rim:Value></rim:ValueList>\
         </rim:Slot></rs:RequestSlotList>{list}",
        urn(country)
    );
    Raw(submission.provide_request().replacen(list, &slot, 1))
}

fn submission(country: &Country, texts: &[&str]) -> Submission {
    let documents = texts.iter().map(|text| Document::text(text)).collect();
    let mut submission = Submission::new(&patient(country), documents);
    submission.patient_id = patient_of(country.number, &patient(country)).to_string();
    submission
}

/// What a country has: a patient, documents of them, and images.
async fn settle(country: &Country) -> (Vec<(String, Vec<u8>)>, Vec<(Instance, Vec<u8>)>) {
    let town = &country.town;
    let (id, authority) = (patient(country), authority(country.number));
    let message = format!(
        "MSH|^~\\&|ADT|HOSPITAL|REGISTRY|XDS|20260101120000||ADT^A01^ADT_A01|M-{id}|P|2.3.1\r\
         EVN|A01|20260101120000\r\
         PID|1||{id}^^^&{authority}&ISO^PI||Doe^Jane||19700101|F|||1 Long Street^^Springfield\r\
         PV1||O\r"
    );
    let answer = Source::of(town).await.tell(&message).await;
    assert_eq!(answer.code, "AA", "{answer:?}");
    let submission = submission(country, &["the first", "the second", "the third"]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let documents = submission.documents.into_iter();
    let documents = documents.map(|it| (it.unique_id, it.content)).collect();
    let folder = town.folder().join("dicom");
    let name = format!("country-{}", country.number);
    phantoms::write(&folder, &name, SystemTime::now(), Detail::Small).unwrap();
    let imported = town.run(&["import", folder.to_str().unwrap()]);
    assert!(imported.status.success(), "{imported:?}");
    let scanned = scan(&[folder], &|_, _| {}).unwrap();
    let mut images = Vec::new();
    for study in &scanned.studies {
        let series = &study.series[0];
        let instance = &series.instances[0];
        let names = [&study.uid, &series.uid, &instance.sop_instance_uid];
        let [study, series, sop] = names.map(ToString::to_string);
        let file = std::fs::read(instance.place.path().unwrap()).unwrap();
        images.push(((study, series, sop), file));
    }
    assert!(!images.is_empty());
    (documents, images)
}

/// What each of two has for the other.
pub(super) async fn between<'a>(one: &'a Country, other: &'a Country) -> [Traffic<'a>; 2] {
    let (of_one, of_other) = tokio::join!(settle(one), settle(other));
    let traffic = |from, to, (documents, images)| Traffic {
        from,
        to,
        documents,
        images,
    };
    [traffic(one, other, of_other), traffic(other, one, of_one)]
}

impl Traffic<'_> {
    /// All of it. What is asked for by one side of the other is not tried if either does not know it.
    pub(super) async fn passes(&self) {
        self.find().await;
        self.find_for_several().await;
        self.retrieve().await;
        self.look().await;
        self.fetch().await;
        self.look_over_the_web().await;
        self.hand_over().await;
        for (country, transaction) in [
            (self.from, "ITI-55"),
            (self.to, "ITI-55"),
            (self.to, "ITI-38"),
            (self.to, "ITI-39"),
            (self.to, "RAD-75"),
        ] {
            let records = country.town.records();
            let recorded = records.iter().any(|it| it["transaction"] == transaction);
            assert!(recorded, "{transaction}");
        }
    }

    fn skipped(&self, what: &str) {
        let (from, to) = (self.from.number, self.to.number);
        skipped(&format!("country {from} asks country {to}: {what}"));
    }

    /// ITI-18 here, ITI-55 and ITI-38 between: the patient's documents of both, by our name of them.
    pub(super) async fn find(&self) {
        let find = words::find_documents(&patient(self.from), "LeafClass");
        let found = self.from.town.query_everywhere(of(self.from, &find)).await;
        let mut found = found.unwrap();
        assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
        for country in [self.from, self.to] {
            let objects = found.objects.iter();
            let all = objects.filter(|it| it.home == Some(urn(country))).count();
            assert!(all >= self.documents.len(), "{all}");
        }
        let own = patient_of(self.from.number, &patient(self.from)).to_string();
        let mut patients = found.objects.iter_mut().flat_map(patients_of);
        assert!(patients.all(|it| *it == own));
    }

    /// ITI-51.
    async fn find_for_several(&self) {
        let named = words::patient(&patient(self.from));
        let slots = [
            (
                "$XDSDocumentEntryPatientId",
                &*format!("('{named}','{named}')"),
            ),
            ("$XDSDocumentEntryStatus", APPROVED),
        ];
        let request = Raw(of(self.from, &words::query(SEVERAL, "ObjectRef", &slots)));
        let (client, url) = (&self.from.town.client, self.from.town.initiating());
        if !self.from.town.takes::<QuerySeveral>(&url, &request).await {
            return self.skipped("ITI-51");
        }
        let found = client
            .send::<QuerySeveral>(&url, &request, Vec::new())
            .await;
        let found = found.unwrap().response;
        assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
        let mut homes = found.objects.iter().map(|it| it.home.as_deref());
        assert!(homes.any(|it| it == Some(&urn(self.to))), "{found:?}");
    }

    /// A request for documents or images of the other.
    fn there(&self, request: &str) -> String {
        let home = format!(
            "<xds:HomeCommunityId>{}</xds:HomeCommunityId>",
            urn(self.to)
        );
        let first = "<xds:RepositoryUniqueId>";
        request.replace(first, &format!("{home}{first}"))
    }

    /// ITI-43 here, ITI-39 between.
    async fn retrieve(&self) {
        let ids: Vec<&str> = self.documents.iter().map(|(id, _)| &**id).collect();
        let request = self.there(&words::retrieve(&repository(self.to.number), &ids));
        let url = self.from.town.initiating();
        let got = self.from.town.retrieve_at::<Retrieve>(&url, request).await;
        let got = got.unwrap();
        assert_eq!(got.documents.len(), ids.len(), "{:?}", got.response.errors);
        for (id, content) in &self.documents {
            let document = got.documents.iter().find(|it| it.unique_id == *id);
            assert!(document.unwrap().content == *content);
        }
    }

    /// RAD-69 here, RAD-75 between.
    async fn look(&self) {
        let instances: Vec<Instance> = self.images.iter().map(|(it, _)| it.clone()).collect();
        let repository = repository(self.to.number);
        let request = self.there(&words::retrieve_images(
            &repository,
            &instances,
            &[EXPLICIT],
        ));
        let url = self.from.town.initiating();
        let got = self.from.town.retrieve_at::<RetrieveImages>(&url, request);
        let got = got.await.unwrap();
        let errors = &got.response.errors;
        assert_eq!(got.documents.len(), instances.len(), "{errors:?}");
        for ((_, _, sop), content) in &self.images {
            let image = got.documents.iter().find(|it| it.unique_id == *sop);
            assert!(image.unwrap().content == *content, "{sop}");
        }
    }

    /// ITI-63.
    async fn fetch(&self) {
        let patient = format!("'{}'", words::patient(&patient(self.from)));
        let class = "('REPORTS^^1.3.6.1.4.1.19376.1.2.6.1')";
        let slots = [
            ("$XDSDocumentEntryPatientId", &*patient),
            ("$XDSDocumentEntryClassCode", class),
        ];
        let xml = of(
            self.from,
            &words::query(FETCH, "LeafClassWithRepositoryItem", &slots),
        );
        let mut reader = Reader::new(xml.as_bytes()).unwrap();
        let root = reader.root().unwrap();
        let mut request = AdhocQueryRequest::from_xml(&mut reader, &root).unwrap();
        request.home = Some(urn(self.to));
        let (client, url) = (&self.from.town.client, self.from.town.initiating());
        for country in [self.from, self.to] {
            let (town, url) = (&country.town, country.town.responding());
            if !town.takes::<CrossGatewayFetch>(&url, &request).await {
                return self.skipped("ITI-63");
            }
        }
        let fetched = client.send::<CrossGatewayFetch>(&url, &request, Vec::new());
        let mut fetched = fetched.await.unwrap();
        let errors = &fetched.response.errors;
        let is_unknown = errors
            .iter()
            .any(|it| it.code == ErrorCode::UnknownPatientId);
        if is_unknown && self.from.number == 1 && versions::other().is_some() {
            // Early versions fetch by their own name for the patient.
            return self.skipped("ITI-63 by another name for the patient");
        }
        assert_eq!(
            fetched.response.status,
            ResponseStatus::Success,
            "{errors:?}"
        );
        let mut contents = Vec::new();
        while let Some(attachment) = fetched.attachments.next().await.unwrap() {
            contents.push(attachment.collect(1 << 26).await.unwrap().to_vec());
        }
        for (_, content) in &self.documents {
            assert!(contents.contains(content));
        }
    }

    /// RAD-160.
    async fn look_over_the_web(&self) {
        if !self.from.asks_over_the_web || !self.to.asks_over_the_web {
            return self.skipped("RAD-160");
        }
        let ((study, series, sop), file) = &self.images[0];
        let url = format!(
            "{}/homeCommunityId/{}/RetrieveLocationUID/{}/study/{study}/series/{series}/instances/{sop}",
            self.from.town.initiating_wado(),
            home(self.to.number),
            repository(self.to.number),
        );
        let accept = "application/dicom; transfer-syntax=*".to_owned();
        let request = HttpRequest {
            method: "GET",
            url: &url,
            headers: &[("accept", accept)],
            body: Bytes::new(),
        };
        let got = self.from.town.client.exchange_http(request, 1 << 28).await;
        let got = got.unwrap();
        assert_eq!(got.status, 200);
        assert!(got.body == *file);
    }

    /// ITI-41 here, ITI-80 between. What is handed over is there.
    async fn hand_over(&self) {
        let submission = submission(self.to, &["from abroad"]);
        let request = meant_for(self.to, &submission);
        for country in [self.from, self.to] {
            let (town, url) = (&country.town, country.town.responding());
            // Of nothing that is known anywhere.
            let nothing = Raw("<nothing xmlns=\"urn:hilum:tests\"/>".to_owned());
            if !town.takes::<CrossProvide>(&url, &nothing).await {
                return self.skipped("ITI-80");
            }
        }
        let (client, url) = (&self.from.town.client, self.from.town.initiating());
        let handed = client.send::<Provide>(&url, &request, parts(&submission));
        let response = handed.await.unwrap().response;
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        let id = &*submission.documents[0].unique_id;
        let found = self.to.town.query(words::get_documents(&[id])).await;
        assert_eq!(found.unwrap().objects.len(), 1);
    }

    /// What a Responding Gateway answers to an address of its own (ITI TF-2 V.5).
    pub(super) async fn answers_elsewhere(&self, answers: &Correlation) {
        let (client, url) = (&self.to.town.client, self.to.town.responding());
        let find = words::find_documents(&patient(self.to), "LeafClass");
        let request = Raw(of(self.to, &find));
        let asked = client.send_asynchronously::<CrossQuery>(&url, &request, Vec::new(), answers);
        let found = match asked.await {
            Err(ClientError::Fault { fault, .. }) if fault.is("OnlyAnonymousAddressSupported") => {
                return self.skipped("answers on connections of their own");
            }
            answer => answer.unwrap().response,
        };
        assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
        let id = &*self.documents[0].0;
        let request = words::retrieve(&repository(self.to.number), &[id]);
        let request = Raw(self.there(&request));
        let asked =
            client.send_asynchronously::<CrossRetrieve>(&url, &request, Vec::new(), answers);
        let mut got = asked.await.unwrap();
        let attachment = got.attachments.next().await.unwrap().unwrap();
        let content = attachment.collect(1 << 20).await.unwrap();
        assert!(content[..] == self.documents[0].1);
    }
}
