//! Volumes of NIfTI and Analyze become documents, exactly as they are and once.

mod made;

use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hilum_dicom::Uid;
use hilum_dicom::deidentify::{Key, Profile};
use hilum_dicom::nifti::SLOT;
use hilum_dicom::quality::RuleCard;
use hilum_dicom::scan::files_below;
use hilum_dicom::transcode;
use hilum_repository::imaging::convert::{self, Conversion, ConvertedSeries};
use hilum_repository::imaging::gate::{Collection, Deidentification, Gate};
use hilum_repository::imaging::quarantine::Quarantine;
use hilum_repository::imaging::{
    ImagingConfig, ImagingSource, Importing, Report, VolumeFate, Whose, import_with_volumes,
};
use hilum_transport::{Client, Limits};
use xds_schemas::codes::status::AvailabilityStatus::{Approved, Deprecated};
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery};
use xds_schemas::metadata::{Association, AssociationType, DocumentEntry, PatientId, UniqueId};

use crate::files::phantoms;
use crate::site::{AUTHORITY, Site};
use made::{FORMATS, Format};

const PATIENT: &str = "P-VOL";

fn whose(patient: &str) -> Whose {
    Whose::Patient(PatientId::new(patient, AUTHORITY))
}

/// A folder for volumes.
fn folder(site: &Site) -> PathBuf {
    let folder = site.folder.path().canonicalize().unwrap().join("volumes");
    fs::create_dir_all(&folder).unwrap();
    folder
}

async fn with_importing<T>(
    site: &Site,
    registry: Option<&str>,
    work: impl AsyncFnOnce(&Importing<'_>) -> T,
) -> T {
    // A connection that was cut is not used again.
    let client = Client::new(None, Limits::default());
    let importing = Importing {
        config: &site.config,
        codes: &site.codes,
        repository: &site.repository,
        registry,
        client: &client,
        audit: &site.audit,
        now: SystemTime::now(),
    };
    work(&importing).await
}

async fn import(site: &Site, folder: &Path, whose: &Whose) -> Report {
    import_beside(site, Some(&site.registry), folder, whose).await
}

/// The same beside this registry or none.
async fn import_beside(
    site: &Site,
    registry: Option<&str>,
    folder: &Path,
    whose: &Whose,
) -> Report {
    let paths = [folder.to_owned()];
    with_importing(site, registry, async |importing| {
        let import = import_with_volumes(importing, &paths, whose, Arc::new(|_| {}));
        import.await.unwrap()
    })
    .await
}

fn words(report: &Report) -> Vec<&'static str> {
    let word = |fate: &VolumeFate| match fate {
        VolumeFate::Registered => "registered",
        VolumeFate::Unchanged => "unchanged",
        VolumeFate::Unsuitable(_) => "unsuitable",
        VolumeFate::Refused(_) => "refused",
        VolumeFate::Unanswered(_) => "unanswered",
    };
    report.volumes.iter().map(|it| word(&it.fate)).collect()
}

fn title(entry: &DocumentEntry) -> String {
    let title = entry.title.as_ref().unwrap();
    title.first().unwrap_or_default().to_owned()
}

/// What the slot of the header says.
fn said(entry: &DocumentEntry) -> Vec<String> {
    let slot = entry.extra.slots.iter().find(|slot| slot.name == SLOT);
    slot.unwrap().values.clone()
}

/// Submissions that were sent by ITI-41.
fn sent(site: &Site) -> usize {
    let records = site.import_records();
    records
        .iter()
        .filter(|it| it.starts_with("ITI-41 "))
        .count()
}

/// Six volumes: each format, in each byte order.
fn six(folder: &Path) {
    for format in FORMATS {
        for (word, big_endian) in [("little", false), ("big", true)] {
            made::write(folder, &format!("{format:?}-{word}"), format, big_endian);
        }
    }
}

#[tokio::test]
async fn a_mixed_folder_becomes_studies_and_documents() {
    let site = Site::open().await;
    let studies = phantoms(&site.dicom());
    let volumes = site.dicom().join("volumes");
    fs::create_dir(&volumes).unwrap();
    six(&volumes);
    let packed = made::write_packed(&volumes, "packed", Format::Nifti1);
    fs::write(
        volumes.join("packed.json"),
        br#"{"Modality":"MR","RepetitionTime":2.2}"#,
    )
    .unwrap();
    fs::write(volumes.join("packed.bval"), "0 1000").unwrap();
    fs::write(
        volumes.join("broken.nii.gz"),
        b"\x1f\x8bnothing of this kind",
    )
    .unwrap();
    let report = import(&site, &site.dicom(), &whose(PATIENT)).await;
    assert_eq!(report.studies.len(), studies.len());
    assert_eq!(words(&report), ["registered"; 7], "{report:?}");
    let left_out: Vec<_> = report
        .left_out
        .iter()
        .map(|it| it.reason.as_str())
        .collect();
    assert_eq!(left_out.len(), 2, "{report:?}");
    assert!(left_out[0].contains("not a file of NIfTI"), "{left_out:?}");
    assert!(left_out[1].contains("gradients"), "{left_out:?}");
    assert!(report.notes.iter().any(|it| it.contains("sidecar")));

    let entries = site.manifests(PATIENT, Approved).await;
    assert_eq!(entries.len(), 7);
    for entry in &entries {
        let document = site.document(entry.unique_id.as_str()).await;
        assert_document(entry, &document, &volumes);
    }
    let packed = packed.file_name().unwrap().to_str().unwrap();
    let of_sidecar = entries.iter().find(|entry| title(entry) == packed).unwrap();
    assert_eq!(of_sidecar.event_codes[0].code, "MR");
    let slots = &of_sidecar.extra.slots;
    let values = slots.iter().flat_map(|slot| &slot.values);
    assert!(
        values.clone().any(|it| it == "RepetitionTime=2200 ms"),
        "{slots:?}"
    );
    assert!(
        values.clone().any(|it| it == "sliceSpacing=3 mm"),
        "{slots:?}"
    );

    let before = sent(&site);
    let again = import(&site, &site.dicom(), &whose(PATIENT)).await;
    assert_eq!(words(&again), ["unchanged"; 7], "{again:?}");
    assert_eq!(sent(&site), before);
    assert_eq!(site.manifests(PATIENT, Approved).await.len(), 7);
}

/// The document is the file in the folder, or both of a pair, and its entry says what it is.
fn assert_document(entry: &DocumentEntry, document: &[u8], volumes: &Path) {
    assert_eq!(entry.size, Some(document.len() as u64));
    let title = title(entry);
    let (format, of_format) = match title.as_str() {
        "packed.nii.gz" => ("application/x-nifti+gzip", "urn:hilum:nifti-1:2026"),
        it if it.starts_with("Nifti1") => ("application/x-nifti", "urn:hilum:nifti-1:2026"),
        it if it.starts_with("Nifti2") => ("application/x-nifti", "urn:hilum:nifti-2:2026"),
        _ => ("application/zip", "urn:hilum:analyze-7.5:2026"),
    };
    assert_eq!(entry.mime_type, format);
    assert_eq!(entry.format_code.as_ref().unwrap().code, of_format);
    let said = said(entry);
    let says = |value: &str| said.iter().any(|it| it == value);
    assert!(
        says("dimensions=5x4x3") && says("voxelSize=2x2.5x3 mm"),
        "{said:?}"
    );
    let order = if title.contains("big") {
        "big"
    } else {
        "little"
    };
    assert!(says(&format!("byteOrder={order}")), "{said:?}");
    if format == "application/zip" {
        assert!(
            says("orientation=unknown") && says("flag=left_right_unknown"),
            "{said:?}"
        );
        let comments = entry.comments.as_ref().unwrap().first().unwrap().to_owned();
        assert!(
            comments.contains("Which side is left is not stated."),
            "{comments}"
        );
        assert_both_files(document, volumes, title.strip_suffix(".hdr").unwrap());
    } else {
        assert!(says("orientation=RAS"), "{said:?}");
        assert_eq!(document, fs::read(volumes.join(&title)).unwrap());
    }
}

/// A ZIP holds both files of a pair, neither compressed.
fn assert_both_files(archive: &[u8], folder: &Path, name: &str) {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let names: Vec<String> = archive
        .file_names()
        .map(|it| it.unwrap().into_owned())
        .collect();
    assert_eq!(names, [format!("{name}.hdr"), format!("{name}.img")]);
    for name in names {
        let mut file = archive.by_name(&name).unwrap();
        assert_eq!(file.compression(), zip::CompressionMethod::Stored);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, fs::read(folder.join(&name)).unwrap());
    }
}

#[tokio::test]
async fn a_copy_is_the_same_document_and_another_patients_is_not() {
    let site = Site::open().await;
    let folder = folder(&site);
    six(&folder);
    import(&site, &folder, &whose(PATIENT)).await;
    let copies = folder.join("copies");
    fs::create_dir(&copies).unwrap();
    six(&copies);
    assert_eq!(
        words(&import(&site, &copies, &whose(PATIENT)).await),
        ["unchanged"; 6]
    );
    assert_eq!(
        words(&import(&site, &copies, &whose("P-2")).await),
        ["registered"; 6]
    );
    assert_eq!(site.manifests(PATIENT, Approved).await.len(), 6);
    assert_eq!(site.manifests("P-2", Approved).await.len(), 6);
    // One whose bytes have changed is another document.
    made::write(&copies, "Nifti1-little", Format::Nifti1, true);
    let changed = import(&site, &copies, &whose(PATIENT)).await;
    assert_eq!(
        words(&changed)
            .iter()
            .filter(|it| **it == "registered")
            .count(),
        1
    );
}

#[tokio::test]
async fn whose_it_is_must_be_said() {
    let site = Site::open().await;
    let folder = folder(&site);
    six(&folder);
    let report = import(&site, &folder, &Whose::Unknown).await;
    assert_eq!(report.left_out.len(), 6, "{report:?}");
    assert!(
        report
            .left_out
            .iter()
            .all(|it| it.reason.contains("--patient"))
    );
    assert!(report.volumes.is_empty());
    for (subject, name) in [("sub-01", "a"), ("sub-02", "b"), ("sub-03", "c")] {
        let folder = folder.join(subject).join("anat");
        fs::create_dir_all(&folder).unwrap();
        made::write(&folder, name, Format::Nifti1, false);
    }
    let patient = |id: &str| PatientId::new(id, AUTHORITY);
    let subjects = [("01", "P-1"), ("02", "P-2")];
    let subjects = subjects.map(|(subject, id)| (subject.to_owned(), patient(id)));
    let report = import(&site, &folder, &Whose::Subjects(subjects.into())).await;
    assert_eq!(words(&report), ["registered"; 2], "{report:?}");
    assert_eq!(report.left_out.len(), 7);
    for (id, name) in [("P-1", "a.nii"), ("P-2", "b.nii")] {
        let entries = site.manifests(id, Approved).await;
        assert_eq!(entries.iter().map(title).collect::<Vec<_>>(), [name]);
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_a_lost_question_is_asked_again() {
    let site = Site::open().await;
    let folder = folder(&site);
    made::write(&folder, "one", Format::Analyze, false);
    site.link.cut_questions();
    assert_eq!(
        words(&import(&site, &folder, &whose(PATIENT)).await),
        ["unanswered"]
    );
    site.link.pass();
    assert!(site.manifests(PATIENT, Approved).await.is_empty());
    site.link.cut_answers();
    assert_eq!(
        words(&import(&site, &folder, &whose(PATIENT)).await),
        ["unanswered"]
    );
    site.link.pass();
    assert_eq!(site.manifests(PATIENT, Approved).await.len(), 1);
    assert_eq!(
        words(&import(&site, &folder, &whose(PATIENT)).await),
        ["unchanged"]
    );
    assert_eq!(site.manifests(PATIENT, Approved).await.len(), 1);
}

fn collection(card: Option<&str>, deidentify: Option<Deidentification>) -> Gate {
    Gate::new(vec![Collection {
        name: "volumes".to_owned(),
        from: Vec::new(),
        card: card.map(|card| RuleCard::parse(card).unwrap()),
        deidentify,
    }])
}

#[tokio::test]
async fn what_does_not_pass_is_kept_back_until_it_is_released() {
    let mut site = Site::open().await;
    let folder = folder(&site);
    six(&folder);
    let whole = made::gzipped(&[made::header(Format::Nifti1, false, ""), made::voxels(1)].concat());
    fs::write(folder.join("cut.nii.gz"), &whole[..whole.len() - 9]).unwrap();
    site.config.gate = collection(
        Some(
            "name = \"certain\"\nversion = \"1\"\n\
             [[volume]]\norientation_certain = true\nseverity = \"quarantine\"\n",
        ),
        None,
    );
    let report = import(&site, &folder, &whose(PATIENT)).await;
    assert_eq!(words(&report), ["registered"; 4], "{report:?}");
    let reasons: Vec<String> = report
        .kept_back
        .iter()
        .map(|it| it.reasons.join(" "))
        .collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(
        reasons[..2].iter().all(|it| it.contains("certain 1: ")),
        "{reasons:?}"
    );
    assert!(reasons[2].contains("truncated or damaged"), "{reasons:?}");

    let quarantine = Quarantine::open(&site.config).unwrap();
    let kept = quarantine.objects(None).unwrap();
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|it| it.volume && it.patient_id == PATIENT));
    quarantine.release_object(kept[2].number).await.unwrap();
    quarantine.discard_object(kept[0].number).unwrap();
    assert!(kept.iter().all(|it| it.path.exists()));
    let report = import(&site, &folder, &whose(PATIENT)).await;
    let registered = report
        .volumes
        .iter()
        .filter(|it| matches!(it.fate, VolumeFate::Registered));
    let registered: Vec<&Path> = registered.map(|it| it.path.as_path()).collect();
    assert_eq!(registered, [kept[2].path.as_path()]);
    assert_eq!(report.kept_back.len(), 2);
    // It was released as it is: as it came back, and with what is wrong with it.
    let entries = site.manifests(PATIENT, Approved).await;
    let cut = entries.iter().find(|it| title(it) == "cut.nii.gz").unwrap();
    assert!(
        said(cut).iter().any(|it| it.starts_with("problem=")),
        "{cut:?}"
    );
    assert_eq!(
        site.document(cut.unique_id.as_str()).await,
        &whole[..whole.len() - 9]
    );
}

fn deidentification() -> Deidentification {
    Deidentification {
        profile: Profile::parse("key = \"test\"\nprefix = \"ANON-\"\n").unwrap(),
        key: Key::new(&[7; 32]).unwrap(),
    }
}

/// Neither a document nor its entry has the name, and the voxels are there.
fn assert_names_nobody(entry: &DocumentEntry, mut document: Vec<u8>) {
    assert!(!format!("{entry:?}").contains("Doe"), "{entry:?}");
    if entry.mime_type == "application/x-nifti+gzip" {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&document[..])
            .read_to_end(&mut plain)
            .unwrap();
        document = plain;
    }
    let names = |bytes: &[u8]| bytes.windows(3).any(|it| it == b"Doe");
    assert!(!names(&document), "{}", entry.mime_type);
    let voxels = if entry.mime_type == "application/zip" {
        4
    } else {
        3
    };
    let voxels = made::voxels(voxels);
    assert!(document.windows(voxels.len()).any(|it| it == voxels));
}

#[tokio::test]
async fn what_is_de_identified_names_nobody() {
    let mut site = Site::open().await;
    let folder = folder(&site);
    let plain = [
        made::header(Format::Nifti1, false, "Doe^Jane"),
        made::voxels(3),
    ]
    .concat();
    fs::write(folder.join("Doe Jane.nii"), &plain).unwrap();
    fs::write(folder.join("Jane Doe.nii.gz"), made::gzipped(&plain[..])).unwrap();
    fs::write(
        folder.join("Doe.hdr"),
        made::header(Format::Analyze, true, "Doe^Jane"),
    )
    .unwrap();
    let behind = [made::voxels(4), b"Doe^Jane".to_vec()].concat();
    fs::write(folder.join("Doe.img"), behind).unwrap();
    site.config.gate = collection(None, Some(deidentification()));
    let cut = made::gzipped(&plain);
    fs::write(folder.join("cut.nii.gz"), &cut[..cut.len() - 40]).unwrap();
    let report = import(&site, &folder, &whose("Doe")).await;
    assert_eq!(words(&report), ["registered"; 2], "{report:?}");
    assert_eq!(report.kept_back.len(), 2);
    // Something follows the voxels of the pair, and of the other there is nothing to be made.
    let quarantine = Quarantine::open(&site.config).unwrap();
    for kept in quarantine.objects(None).unwrap() {
        assert!(kept.patient_id.starts_with("ANON-"));
        quarantine.release_object(kept.number).await.unwrap();
    }
    let report = import(&site, &folder, &whose("Doe")).await;
    assert_eq!(
        words(&report),
        ["unchanged", "registered", "unchanged"],
        "{report:?}"
    );
    assert_eq!(report.left_out.len(), 1);
    assert!(
        report.left_out[0].reason.contains("not whole"),
        "{report:?}"
    );
    assert!(site.manifests("Doe", Approved).await.is_empty());
    let pseudonym = PatientId::parse(&report.volumes[0].patient_id).unwrap();
    let entries = site.manifests(&pseudonym.id, Approved).await;
    assert_eq!(entries.len(), 3);
    for entry in &entries {
        let document = site.document(entry.unique_id.as_str()).await;
        assert_names_nobody(entry, document);
    }
    assert_eq!(
        words(&import(&site, &folder, &whose("Doe")).await),
        ["unchanged"; 3]
    );
}

/// A collection that is about DICOM objects alone does not say what becomes of volumes.
#[tokio::test]
async fn what_nobody_de_identifies_is_not_taken() {
    let mut site = Site::open().await;
    let folder = folder(&site);
    six(&folder);
    let gate = vec![Collection {
        name: "mr".to_owned(),
        from: Vec::new(),
        card: Some(
            RuleCard::parse(
                "name = \"mr\"\nversion = \"1\"\n[applies_to]\nmodality = [\"MR\"]\n\
                 [[attribute]]\nname = \"Rows\"\npresence = \"present\"\nseverity = \"warn\"\n",
            )
            .unwrap(),
        ),
        deidentify: Some(deidentification()),
    }];
    site.config.gate = Gate::new(gate);
    let report = import(&site, &folder, &whose("Doe")).await;
    assert!(report.volumes.is_empty());
    assert!(
        report
            .left_out
            .iter()
            .all(|it| it.reason.contains("de-identified")),
        "{report:?}"
    );
}

async fn converted(site: &Site, study: &Uid) -> Vec<ConvertedSeries> {
    with_importing(site, Some(&site.registry), async |importing| {
        convert::to_documents(importing, study, None).await.unwrap()
    })
    .await
}

fn document_of(series: &ConvertedSeries) -> Option<(String, bool)> {
    match &series.conversion {
        Conversion::Document { document, fate } => {
            Some((document.to_string(), matches!(fate, VolumeFate::Registered)))
        }
        _ => None,
    }
}

#[tokio::test]
async fn a_series_is_registered_as_a_volume_once_for_each_manifest() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    let head = phantoms
        .iter()
        .find(|it| it.patient_id != phantoms[0].patient_id)
        .unwrap();
    let manifest = crate::site::sent(&site.import_one(&head.folder).await);
    let first = converted(&site, &head.study_instance_uid).await;
    let documents: Vec<_> = first.iter().filter_map(document_of).collect();
    assert!(
        !documents.is_empty() && documents.iter().all(|(_, new)| *new),
        "{first:?}"
    );
    let again = converted(&site, &head.study_instance_uid).await;
    let same: Vec<_> = again.iter().filter_map(document_of).collect();
    assert!(same.iter().all(|(_, new)| !new), "{again:?}");
    assert_eq!(same[0].0, documents[0].0);

    let (volume, _) = &documents[0];
    let names = Names::UniqueIds(vec![UniqueId::from(volume.as_str())]);
    let found = site
        .query(&StoredQuery::GetDocumentsAndAssociations(names))
        .await;
    let entry = found
        .iter()
        .find_map(|it| DocumentEntry::from_ebrim(it).ok())
        .unwrap();
    assert_eq!(entry.mime_type, "application/x-nifti+gzip");
    let study = head.study_instance_uid.to_string();
    assert!(
        entry.reference_ids.iter().any(|it| it.id == study),
        "{entry:?}"
    );
    assert!(
        said(&entry)
            .iter()
            .any(|it| it.starts_with("orientation=L")),
        "{entry:?}"
    );
    let links = found
        .iter()
        .filter_map(|it| Association::from_ebrim(it).ok());
    let transforms = links.filter(|it| it.association_type == AssociationType::Transform);
    let targets: Vec<_> = transforms.map(|it| it.target).collect();
    let of_manifest = site.manifests(head.patient_id, Approved).await;
    let of_manifest = of_manifest
        .iter()
        .find(|it| it.unique_id.as_str() == manifest)
        .unwrap();
    assert_eq!(targets, std::slice::from_ref(&of_manifest.entry_uuid));

    // The study gets another manifest, and the volume goes with the old one.
    let mut files: Vec<PathBuf> = fs::read_dir(&head.folder)
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    files.sort();
    fs::remove_file(files.last().unwrap()).unwrap();
    site.import_one(&head.folder).await;
    let gone = site.manifests(head.patient_id, Deprecated).await;
    assert!(gone.iter().any(|it| it.unique_id.as_str() == volume));
    let third = converted(&site, &head.study_instance_uid).await;
    assert!(
        third.iter().filter_map(document_of).all(|(_, new)| new),
        "{third:?}"
    );
}

#[tokio::test]
async fn a_study_becomes_files() {
    let site = Site::open().await;
    let phantoms = phantoms(&site.dicom());
    site.import(&site.dicom()).await;
    let out = site.folder.path().join("out");
    let mut volumes = 0;
    for phantom in &phantoms {
        let study = &phantom.study_instance_uid;
        let done = convert::to_folder(&site.config, study, None, &out)
            .await
            .unwrap();
        for series in &done {
            match &series.conversion {
                Conversion::Written(files) => {
                    volumes += 1;
                    let facts = hilum_dicom::nifti::verify(&files[0]).unwrap();
                    assert_eq!(facts.problems, [""; 0]);
                    assert!(files.iter().all(|file| file.exists()));
                }
                Conversion::Unsuitable(why) => assert!(!why.is_empty()),
                Conversion::Document { .. } => panic!("{series:?}"),
            }
        }
    }
    assert!(volumes >= 3, "two of CT, one of MR");
    assert!(fs::read_dir(&out).unwrap().all(|it| {
        let path = it.unwrap().path();
        path.extension().is_none_or(|it| it != "part")
    }));
    let nowhere = Uid::parse("1.2.3").unwrap();
    let error = convert::to_folder(&site.config, &nowhere, None, &out)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is not here"), "{error}");
}

/// Every file below a folder, written anew in this transfer syntax.
fn transcode_all(folder: &Path, syntax: &str) {
    let mut count = 0;
    for path in files_below(folder).unwrap() {
        let mut compressed = Vec::new();
        if transcode::transcode(&path, syntax, &mut compressed).is_ok() {
            fs::write(&path, compressed).unwrap();
            count += 1;
        }
    }
    assert!(count > 2, "there are images");
}

#[tokio::test]
async fn compressed_series_become_the_same_volumes() {
    let site = Site::open().await;
    let phantom = phantoms(&site.dicom()).remove(0);
    let mut volumes = Vec::new();
    for (name, syntax) in [
        ("native", None),
        ("rle", Some("1.2.840.10008.1.2.5")),
        ("jpeg", Some("1.2.840.10008.1.2.4.70")),
    ] {
        if let Some(syntax) = syntax {
            transcode_all(&phantom.folder, syntax);
        }
        site.import_one(&phantom.folder).await;
        let out = site.folder.path().join(name);
        let study = &phantom.study_instance_uid;
        let done = convert::to_folder(&site.config, study, None, &out);
        let written = done
            .await
            .unwrap()
            .into_iter()
            .find_map(|it| match it.conversion {
                Conversion::Written(files) => Some(files),
                _ => None,
            });
        volumes.push(fs::read(&written.expect(name)[0]).unwrap());
    }
    assert!(volumes.iter().all(|volume| *volume == volumes[0]));
}

#[tokio::test]
async fn a_watched_folder_takes_no_volumes() {
    let site = Site::open().await;
    let watched = site.folder.path().join("watched");
    fs::create_dir_all(&watched).unwrap();
    let volume = made::write(&watched, "one", Format::Nifti2, true);
    let config = ImagingConfig {
        watch: vec![watched.clone()],
        ..site.config.clone()
    };
    let source = ImagingSource::open(config, site.audit.clone()).unwrap();
    source.watch();
    let why = watched.join("refused").join("one.nii.why.txt");
    let began = Instant::now();
    while !why.exists() && began.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        fs::read_to_string(why)
            .unwrap()
            .contains("hilum import --patient")
    );
    assert!(watched.join("refused").join("one.nii").exists() && !volume.exists());
}

#[tokio::test]
async fn where_nobody_can_be_asked_nothing_is_twice_either() {
    let site = Site::open().await;
    let folder = folder(&site);
    six(&folder);
    let report = import_beside(&site, None, &folder, &whose(PATIENT)).await;
    assert_eq!(words(&report), ["registered"; 6]);
    let report = import_beside(&site, None, &folder, &whose(PATIENT)).await;
    assert_eq!(words(&report), ["unchanged"; 6]);
    let handed_in = sent(&site);
    // Where nothing is known of these files, they are sent again, and the repository knows them.
    let elsewhere = folder.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    six(&elsewhere);
    let report = import_beside(&site, None, &elsewhere, &whose(PATIENT)).await;
    assert_eq!(words(&report), ["unchanged"; 6], "{report:?}");
    assert_eq!(sent(&site), handed_in + 6);
    assert_eq!(site.manifests(PATIENT, Approved).await.len(), 6);
}
