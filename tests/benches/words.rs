//! Reading and writing messages, without a node.

use std::time::Instant;

use hilum_tests::words::{self, Document, Submission};
use xds_schemas::ebrs::SubmitObjectsRequest;
use xds_schemas::metadata::submission::{self as judged, Rules};
use xds_schemas::soap;
use xds_schemas::xml::{ToXml, Writer};

use crate::{Bench, row};

pub(crate) fn run(bench: &Bench) {
    let documents = vec![Document::text("one"), Document::text("two")];
    let mut submission = Submission::new("P-1", documents);
    submission.repository = true;
    let request = submission.submit_objects_request();
    let envelope = words::envelope("urn:ihe:iti:2007:RegisterDocumentSet-b", &request);
    let read = || soap::read_body::<SubmitObjectsRequest>(envelope.as_bytes()).unwrap();
    let message = read();
    if bench.wants("read a submission") {
        measure(bench, "read a submission", envelope.len(), || {
            read().objects.objects.len()
        });
    }
    if bench.wants("read and judge a submission") {
        measure(bench, "read and judge a submission", envelope.len(), || {
            let objects = read().objects;
            let judged = judged::Submission::read(&objects, Rules::Register).unwrap();
            judged.document_entries.len()
        });
    }
    if bench.wants("write a submission") {
        let length = written(&message).len();
        measure(bench, "write a submission", length, || {
            written(&message).len()
        });
    }
}

fn written(message: &SubmitObjectsRequest) -> String {
    let mut writer = Writer::with_capacity(32 * 1024);
    message.to_xml(&mut writer);
    writer.finish()
}

fn measure(bench: &Bench, what: &str, bytes: usize, work: impl Fn() -> usize) {
    let began = Instant::now();
    let (mut times, mut sum) = (0, 0);
    while began.elapsed() < bench.time {
        for _ in 0..100 {
            sum += std::hint::black_box(work());
        }
        times += 100;
    }
    assert!(sum > 0);
    let each = began.elapsed().as_secs_f64() / f64::from(times);
    let figure = format!(
        "{:>7.1} µs  {:>6.0} MB/s",
        each * 1e6,
        bytes as f64 / each / 1e6
    );
    let beside = "limit: 190 MB/s read, 3 GB/s formatted";
    row(&format!("{what} ({bytes} bytes)"), &figure, beside);
}
