//! DCMTK's programs as senders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hilum_repository::imaging::dimse::DimseConfig;

use crate::node::{
    EXPLICIT, IMPLICIT, Node, assert_same, eventually, files, folder, objects, phantoms, program,
    run, succeed, transfer_syntax,
};

fn sender(program: &Path, node: &Node) -> Command {
    let mut command = Command::new(program);
    command.args(["-aet", "CT1", "-aec", "HILUM"]);
    command.args(["127.0.0.1", &node.port.to_string()]);
    command
}

/// Files of a study, written anew by one of DCMTK's programs with these options.
async fn converted(files: &[PathBuf], into: &Path, program: &Path, options: &[&str]) {
    fs::create_dir_all(into).unwrap();
    for file in files {
        let mut command = Command::new(program);
        command.args(options).arg(file);
        command.arg(into.join(file.file_name().unwrap()));
        succeed(command).await;
    }
}

#[tokio::test]
async fn echoscu() {
    let Some(echoscu) = program("/usr/bin/echoscu") else {
        return;
    };
    let here = folder();
    let config = DimseConfig {
        callers: vec!["CT1".to_owned()],
        ..DimseConfig::new("HILUM")
    };
    let node = Node::with(here.path(), config).await;
    succeed(sender(echoscu, &node)).await;
    let mut other = Command::new(echoscu);
    other.args([
        "-aet",
        "CT2",
        "-aec",
        "HILUM",
        "127.0.0.1",
        &node.port.to_string(),
    ]);
    let refused = run(other).await;
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("Calling AE Title Not Recognized"), "{said}");
}

#[tokio::test]
async fn storescu_and_dcmsend_send_folders() {
    let (Some(storescu), Some(dcmsend)) =
        (program("/usr/bin/storescu"), program("/usr/bin/dcmsend"))
    else {
        return;
    };
    let here = folder();
    let dicom = here.path().join("dicom");
    phantoms(&dicom);
    for (name, program, options) in [
        ("one", storescu, ["+sd", "+r"]),
        // All syntaxes in one presentation context.
        ("two", storescu, ["+C", "+rsd"]),
        ("three", dcmsend, ["+sd", "+r"]),
    ] {
        let node = Node::open(&here.path().join(name)).await;
        let mut command = sender(program, &node);
        match options {
            ["+C", _] => command.args(["+C", "+sd", "+r"]),
            options => command.args(options),
        };
        succeed({
            command.arg(&dicom);
            command
        })
        .await;
        assert_same(&node.objects(), &objects(&dicom));
        assert!(node.stop().await);
    }
}

#[tokio::test]
async fn every_encoding_comes_as_it_is() {
    let programs = [
        program("/usr/bin/dcmsend"),
        program("/usr/bin/storescu"),
        program("/usr/bin/dcmconv"),
        program("/usr/bin/dcmcjpeg"),
        program("/usr/bin/dcmcrle"),
    ];
    let [
        Some(dcmsend),
        Some(storescu),
        Some(dcmconv),
        Some(dcmcjpeg),
        Some(dcmcrle),
    ] = programs
    else {
        return;
    };
    let here = folder();
    let study = phantoms(&here.path().join("dicom")).remove(0);
    let slices: Vec<PathBuf> = files(&study).into_iter().take(2).collect();
    let encodings: [(&str, &Path, &[&str], &str); 7] = [
        ("explicit", dcmconv, &["+te"], EXPLICIT),
        ("implicit", dcmconv, &["+ti"], IMPLICIT),
        ("big", dcmconv, &["+tb"], "1.2.840.10008.1.2.2"),
        ("deflated", dcmconv, &["+td"], "1.2.840.10008.1.2.1.99"),
        ("lossless", dcmcjpeg, &["+e1"], "1.2.840.10008.1.2.4.70"),
        ("extended", dcmcjpeg, &["+ee"], "1.2.840.10008.1.2.4.51"),
        ("rle", dcmcrle, &[], "1.2.840.10008.1.2.5"),
    ];
    for (name, program, options, syntax) in encodings {
        let encoded = here.path().join(name);
        converted(&slices, &encoded, program, options).await;
        let node = Node::open(&here.path().join(format!("{name} node"))).await;
        // dcmsend never decompresses so, but proposes what is uncompressed in every way.
        let (program, options): (_, &[&str]) = match name {
            "implicit" => (storescu, &["-xi", "-R"]),
            "big" => (storescu, &["-xb", "-R"]),
            _ => (dcmsend, &["-dn"]),
        };
        let mut command = sender(program, &node);
        command.args(options).arg("+sd").arg(&encoded);
        let said = succeed(command).await;
        let sent = objects(&encoded);
        assert_eq!(transfer_syntax(sent.values().next().unwrap()), syntax);
        let there = node.objects();
        assert_eq!(there.len(), 2, "{name}: {said}");
        assert_same(&there, &sent);
        assert!(node.stop().await);
    }
}

#[tokio::test]
async fn several_associations_at_one_time() {
    let Some(storescu) = program("/usr/bin/storescu") else {
        return;
    };
    let here = folder();
    let studies = phantoms(&here.path().join("dicom"));
    let node = Node::open(&here.path().join("node")).await;
    // Each study twice, so that the same object comes on two of them.
    let sending = studies.iter().chain(&studies).map(|study| {
        let mut command = sender(storescu, &node);
        command.arg("+sd").arg(study);
        tokio::spawn(succeed(command))
    });
    for sent in Vec::from_iter(sending) {
        sent.await.unwrap();
    }
    assert_same(&node.objects(), &objects(&here.path().join("dicom")));
    let began = "RAD-8 Begin Transferring DICOM Instances 0";
    let ended = "RAD-8 DICOM Instances Transferred 0";
    eventually("all of it is recorded", async || {
        let records = node.records();
        let count = |what| records.iter().filter(|it| it.starts_with(what)).count();
        (count(began), count(ended)) == (8, 8)
    })
    .await;
    assert!(node.stop().await);
}

#[tokio::test]
async fn a_sender_that_is_killed() {
    let Some(storescu) = program("/usr/bin/storescu") else {
        return;
    };
    let here = folder();
    let dicom = here.path().join("dicom");
    phantoms(&dicom);
    let sent = objects(&dicom);
    let node = Node::open(&here.path().join("node")).await;
    let mut command = sender(storescu, &node);
    // Again and again, until it is killed.
    command
        .args(["--repeat", "1000", "+II", "+sd", "+r"])
        .arg(&dicom);
    let mut process = command.spawn().unwrap();
    eventually("something has come", async || node.objects().len() > 3).await;
    process.kill().unwrap();
    process.wait().unwrap();
    eventually("nothing is left of what was cut off", async || {
        node.incoming() == 0
    })
    .await;
    // Every object that is there is whole.
    let there = node.objects();
    let lengths: Vec<u64> = sent
        .values()
        .map(|it| it.metadata().unwrap().len())
        .collect();
    let longest = *lengths.iter().max().unwrap();
    for file in there.values() {
        hilum_dicom::walk::whole_file(file).unwrap();
        let length = hilum_dicom::opened::open(file).unwrap().length().unwrap();
        assert!(length <= longest + 1024);
    }
    assert!(node.stop().await);
}
