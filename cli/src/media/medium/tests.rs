//! Media of others, and media that wish us ill.

use std::fs;
use std::io::{Cursor, Seek, SeekFrom};
use std::os::unix::fs::symlink;

use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

fn zipped(files: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
    let mut archive = ZipWriter::new(tempfile::NamedTempFile::new().unwrap());
    for (name, content) in files {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        archive.start_file(*name, options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap()
}

fn open(path: &Path) -> Medium {
    Medium::open(path).unwrap()
}

fn refused(path: &Path) -> String {
    match Medium::open(path) {
        Ok(_) => panic!("it was opened"),
        Err(error) => format!("{error:#}"),
    }
}

fn at(place: &str) -> MediaPath {
    MediaPath::of(place.split('/')).unwrap()
}

fn content(medium: &mut Medium, place: &str) -> Result<Vec<u8>, String> {
    let entry = medium.find(&at(place))?.clone();
    medium
        .read(&entry, 1000)
        .map_err(|error| format!("{error:#}"))
}

#[test]
fn folders_and_archives_are_read_alike() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("ihe_xdm/subset01")).unwrap();
    fs::write(folder.path().join("ihe_xdm/subset01/metadata.xml"), "<x/>").unwrap();
    fs::write(folder.path().join("ihe_xdm/subset01/a.txt"), "hello").unwrap();
    let zip = zipped(&[
        ("ihe_xdm\\subset01\\metadata.xml", b"<x/>"),
        ("./ihe_xdm/subset01/a.txt", b"hello"),
    ]);
    for path in [folder.path(), zip.path()] {
        let mut medium = open(path);
        assert_eq!(
            medium.metadata().unwrap(),
            [at("ihe_xdm/subset01/metadata.xml")]
        );
        let read = content(&mut medium, "IHE_XDM/SUBSET01/A.TXT");
        assert_eq!(read.as_deref(), Ok(&b"hello"[..]));
        let entry = medium.find(&at("ihe_xdm/subset01/a.txt")).unwrap().clone();
        let content = medium.content(&entry).unwrap();
        assert_eq!(content.hash, "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d");
        assert_eq!(fs::read(&content.path).unwrap(), b"hello");
        assert!(medium.find(&at("ihe_xdm/subset01/b.txt")).is_err());
    }
}

#[test]
fn submission_sets_are_found_where_others_put_them() {
    let sets = |names: &[&str]| -> Vec<String> {
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, &b""[..])).collect();
        let zip = zipped(&files);
        let found = open(zip.path()).metadata();
        let found = found.into_iter().flatten();
        found.map(|path| path.to_string()).collect()
    };
    let in_root = [
        "IHE_XDM/A/METADATA.XML",
        "IHE_XDM/B/metadata.xml",
        "METADATA.XML",
    ];
    assert_eq!(sets(&in_root), in_root[..2]);
    let deeper = ["mail/export/IHE_XDM/A/METADATA.XML"];
    assert_eq!(sets(&deeper), deeper);
    assert_eq!(sets(&["METADATA.XML", "DOC00001"]), ["METADATA.XML"]);
    assert_eq!(sets(&["A/METADATA.XML"]), ["A/METADATA.XML"]);
    assert!(sets(&["A/B/C/METADATA.XML", "INDEX.HTM"]).is_empty());
}

#[test]
fn links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "secret").unwrap();
    symlink(secret.path(), folder.path().join("A.TXT")).unwrap();
    symlink("/", folder.path().join("ROOT")).unwrap();
    let medium = open(folder.path());
    for name in ["A.TXT", "ROOT"] {
        assert!(
            medium.find(&at(name)).unwrap_err().contains("link"),
            "{name}"
        );
    }
    assert!(medium.find(&at("ROOT/etc/passwd")).is_err());
    let mut archive = ZipWriter::new(tempfile::NamedTempFile::new().unwrap());
    let options = SimpleFileOptions::default();
    archive
        .add_symlink("A.TXT", "/etc/passwd", options)
        .unwrap();
    let zip = archive.finish().unwrap();
    assert!(
        open(zip.path())
            .find(&at("A.TXT"))
            .unwrap_err()
            .contains("link")
    );
}

#[test]
fn names_that_lead_elsewhere_are_left_out() {
    let zip = zipped(&[
        ("../../etc/cron.d/x", b"x"),
        ("/etc/passwd", b"x"),
        ("C:\\x", b"x"),
        ("IHE_XDM/../../x", b"x"),
        ("IHE_XDM/A/METADATA.XML", b"x"),
    ]);
    let medium = open(zip.path());
    assert_eq!(medium.left_out.len(), 4, "{:?}", medium.left_out);
    assert_eq!(medium.entries().count(), 1);
}

#[test]
fn the_same_name_twice_is_nobodys() {
    let zip = zipped(&[("A.TXT", b"one"), ("a.txt", b"two")]);
    let mut medium = open(zip.path());
    assert_eq!(content(&mut medium, "a.txt").as_deref(), Ok(&b"two"[..]));
    assert!(
        content(&mut medium, "A.txt")
            .unwrap_err()
            .contains("several times")
    );
}

/// What would unfold to more than it could be is not unfolded.
#[test]
fn bombs_do_not_go_off() {
    let mut zip = zipped(&[("A.TXT", &[0; 100_000])]);
    // The directory at the end says how long the file is: 24 bytes into its entry.
    let mut bytes = fs::read(zip.path()).unwrap();
    let entry = bytes
        .windows(4)
        .rposition(|four| four == b"PK\x01\x02")
        .unwrap();
    bytes[entry + 24..entry + 28].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
    zip.as_file_mut().set_len(0).unwrap();
    zip.seek(SeekFrom::Start(0)).unwrap();
    zip.write_all(&bytes).unwrap();
    assert!(
        refused(zip.path()).contains("not plausible"),
        "{}",
        refused(zip.path())
    );
    // One that says less than it has is noticed when it is read.
    bytes[entry + 24..entry + 28].copy_from_slice(&10_u32.to_le_bytes());
    fs::write(zip.path(), &bytes).unwrap();
    let mut medium = open(zip.path());
    let entry = medium.find(&at("A.TXT")).unwrap().clone();
    let read = medium.content(&entry);
    assert!(read.is_err() || read.unwrap().length <= 10);
    let long = zipped(&[("IHE_XDM/A/METADATA.XML", &[b' '; 100_000])]);
    let mut medium = open(long.path());
    let read = content(&mut medium, "IHE_XDM/A/METADATA.XML");
    assert!(read.unwrap_err().contains("more than 1000 bytes"));
}

#[test]
fn absurd_counts_are_refused_before_they_are_read() {
    let zip = zipped(&[("A", b"")]);
    let mut bytes = fs::read(zip.path()).unwrap();
    let end = bytes.len() - 22;
    bytes[end + 8..end + 12].copy_from_slice(&[0xff; 4]);
    fs::write(zip.path(), &bytes).unwrap();
    assert!(
        refused(zip.path()).contains("more than"),
        "{}",
        refused(zip.path())
    );
    let folder = tempfile::tempdir().unwrap();
    let mut deep = folder.path().to_owned();
    for _ in 0..40 {
        deep.push("D");
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("A"), "x").unwrap();
    let medium = open(folder.path());
    assert_eq!(medium.entries().count(), 0);
    assert_eq!(medium.left_out.len(), 1);
}

#[test]
fn what_is_no_medium_is_said_to_be_none() {
    let file = tempfile::NamedTempFile::with_suffix(".zip").unwrap();
    fs::write(file.path(), "hello").unwrap();
    assert!(refused(file.path()).contains("no ZIP file"));
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(refused(file.path()).contains("neither a folder nor a ZIP file"));
    assert!(refused(Path::new("/nowhere/at/all")).contains("cannot be read"));
    let empty = tempfile::tempdir().unwrap();
    let error = open(empty.path()).metadata().unwrap_err();
    assert!(error.to_string().contains("no medium"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever bytes an archive consists of, it is read or refused, and no name of it leads out.
    #[test]
    fn any_archive_is_read_or_refused(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        names in prop::collection::vec("(\\.\\./|[a-z/\\\\:.]){1,12}", 1..4),
    ) {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for name in &names {
            // Two files of one name are refused when they are written.
            if archive.start_file(name.as_str(), SimpleFileOptions::default()).is_ok() {
                archive.write_all(b"some content").unwrap();
            }
        }
        let mut bytes = archive.finish().unwrap().into_inner();
        for (place, byte) in places {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        let file = tempfile::NamedTempFile::with_suffix(".zip").unwrap();
        fs::write(file.path(), &bytes).unwrap();
        if let Ok(mut medium) = Medium::open(file.path()) {
            let entries: Vec<Entry> = medium.entries().cloned().collect();
            for entry in entries {
                for name in entry.path.names() {
                    prop_assert!(!matches!(name.as_str(), "" | "." | ".."));
                    prop_assert!(!name.contains(['/', '\\', '\0']));
                }
                if let Ok(content) = medium.content(&entry) {
                    prop_assert!(content.length <= entry.length);
                }
            }
        }
    }
}
