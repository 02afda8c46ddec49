use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A ring that this process reads with, and a vault that writes with it.
struct Site {
    folder: TempDir,
    ring: KeyRing,
    vault: Vault,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        KeyRing::generate(&keys, None).unwrap();
        let ring = KeyRing::open(&keys, None).unwrap();
        ring.install();
        Self {
            vault: Vault::with(ring.clone()),
            folder,
            ring,
        }
    }

    fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        let file = fs::File::create(&path).unwrap();
        let mut output = self.vault.output(file).unwrap();
        output.write_all(content).unwrap();
        output.finish(&[&path]).unwrap();
        path
    }

    /// Another key becomes the current one.
    fn rotate(&self) -> KeyId {
        let id = KeyRing::generate(&self.keys(), None).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(600));
        assert_eq!(self.ring.current_id(), id);
        id
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Bytes that repeat nowhere.
fn content(length: usize) -> Vec<u8> {
    let numbers = (0_u64..).map(|it| it.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    numbers.flatten().take(length).collect()
}

#[test]
fn contents_of_every_length_come_back_and_are_not_on_disk() {
    let site = Site::new();
    for length in [
        0,
        1,
        15,
        FRAME - 1,
        FRAME,
        FRAME + 1,
        3 * FRAME,
        3 * FRAME + 7,
    ] {
        let plain = content(length);
        let path = site.write("object", &plain);
        assert_eq!(read(&path).unwrap(), plain, "{length}");
        assert_eq!(open(&path).unwrap().length().unwrap(), length as u64);
        let stored = fs::read(&path).unwrap();
        let geometry = Geometry::of(length as u64);
        assert_eq!(stored.len() as u64, HEADER + geometry.sealed_length());
        if let Some(piece) = plain.get(..16) {
            let shown = stored.windows(16).any(|window| window == piece);
            assert!(!shown, "{length}");
        }
        let short = site.vault.bytes(&path, &plain).unwrap();
        assert_eq!(content_of(&path, short).unwrap(), plain, "{length}");
    }
}

#[test]
fn plain_files_are_read_as_they_are() {
    let site = Site::new();
    for content in [b"".to_vec(), b"short".to_vec(), content(5000)] {
        let path = site.path("plain");
        fs::write(&path, &content).unwrap();
        assert_eq!(read(&path).unwrap(), content);
        assert_eq!(rewrap(&site.ring, &path).unwrap(), Rewrapped::Plain);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_range_is_what_it_was(
        length in 0_usize..4 * FRAME,
        ranges in prop::collection::vec((0_usize..5 * FRAME, 0_usize..2 * FRAME), 1..20),
    ) {
        let site = Site::new();
        let plain = content(length);
        let path = site.write("object", &plain);
        let mut opened = open(&path).unwrap();
        for (from, wanted) in ranges {
            opened.seek(SeekFrom::Start(from as u64)).unwrap();
            let mut range = Vec::new();
            (&mut opened).take(wanted as u64).read_to_end(&mut range).unwrap();
            let expected = plain.get(from..).unwrap_or_default();
            prop_assert_eq!(&range[..], &expected[..expected.len().min(wanted)]);
        }
    }

    #[test]
    fn frames_cover_their_ranges(length in 0_u64..10 * FRAME as u64, from in 0_u64..10 * FRAME as u64, wanted in 1_u64..3 * FRAME as u64) {
        let geometry = Geometry::of(length);
        let range = from.min(length)..(from + wanted).min(length);
        let frames = geometry.covering(&range);
        if !range.is_empty() {
            prop_assert!(frames.start * FRAME as u64 <= range.start);
            prop_assert!(frames.end * FRAME as u64 >= range.end);
            prop_assert!(frames.end <= geometry.frames());
            prop_assert_eq!(geometry.place(geometry.frames() - 1).end, geometry.sealed_length());
        }
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed(at in 0_usize..1024 + FRAME + 16 + 1000 + 16, bit in 0_u8..8) {
        let site = Site::new();
        let plain = content(FRAME + 1000);
        let path = site.write("object", &plain);
        let mut stored = fs::read(&path).unwrap();
        stored[at] ^= 1 << bit;
        fs::write(&path, &stored).unwrap();
        // The second slot is empty: what stands there is looked at only if it looks like a slot.
        match (512..1024).contains(&at) {
            true => prop_assert_eq!(read(&path).unwrap(), plain),
            false if at < 8 => prop_assert_ne!(read(&path).unwrap_or_default(), plain),
            false => prop_assert!(read(&path).is_err()),
        }
    }
}

#[test]
fn what_was_tampered_with_is_refused_before_its_bytes_are_given() {
    let site = Site::new();
    let plain = content(3 * FRAME + 100);
    let path = site.write("object", &plain);
    let stored = fs::read(&path).unwrap();
    let header = HEADER as usize;
    let frame = |number: usize| header + number * (FRAME + 16);
    let refused = |bytes: &[u8], what: &str| {
        fs::write(&path, bytes).unwrap();
        let mut got = Vec::new();
        let failed = open(&path).and_then(|mut opened| opened.read_to_end(&mut got));
        assert!(failed.is_err(), "{what}");
        // What was verified before may have been given, and nothing else.
        assert_eq!(got, plain[..got.len()], "{what}");
        got.len()
    };
    let mut swapped = stored.clone();
    swapped[frame(0)..frame(2)].rotate_left(FRAME + 16);
    assert_eq!(refused(&swapped, "two frames swapped"), 0);
    let mut swapped = stored.clone();
    swapped[frame(1)..frame(3)].rotate_left(FRAME + 16);
    assert_eq!(refused(&swapped, "later frames swapped"), FRAME);
    for cut in [frame(3), frame(2), frame(1), header, stored.len() - 1] {
        assert_eq!(refused(&stored[..cut], "cut off"), 0, "{cut}");
    }
    let longer = [&stored[..], &stored[frame(2)..frame(3)]].concat();
    assert_eq!(refused(&longer, "frame added"), 0);
    // The attacker makes the header say what the length is now.
    let mut cut = stored[..frame(2)].to_vec();
    cut[32..40].copy_from_slice(&(2 * FRAME as u64).to_le_bytes());
    assert_eq!(refused(&cut, "cut off with a header that fits"), 0);
    let mut other = stored;
    other[10] = 18;
    assert_eq!(refused(&other, "another frame size"), 0);
}

#[test]
fn objects_cannot_change_places() {
    let site = Site::new();
    let (one, other) = (content(2000), vec![7; 2000]);
    let (first, second) = (site.write("one", &one), site.write("two", &other));
    let (a, b) = (fs::read(&first).unwrap(), fs::read(&second).unwrap());
    // Whole objects.
    fs::write(&first, &b).unwrap();
    assert_eq!(
        read(&first).unwrap_err().kind(),
        std::io::ErrorKind::InvalidData
    );
    // The header of one on the frames of the other.
    let header = HEADER as usize;
    fs::write(&first, [&a[..header], &b[header..]].concat()).unwrap();
    let refused = read(&first).unwrap_err().to_string();
    assert!(refused.contains("one: frame 1 is damaged"), "{refused}");
    fs::write(&first, &a).unwrap();
    assert_eq!(read(&first).unwrap(), one);
}

#[test]
fn a_file_is_bound_to_the_name_it_gets() {
    let site = Site::new();
    let path = site.write("arriving", b"content");
    let place = site.path("place");
    bind(Some(&site.ring), &path, &place).unwrap();
    assert_eq!(read(&path).unwrap(), b"content");
    fs::rename(&path, &place).unwrap();
    assert_eq!(read(&place).unwrap(), b"content");
    // Again, as for a place that is taken.
    bind(Some(&site.ring), &place, &site.path("other")).unwrap();
    fs::rename(&place, site.path("other")).unwrap();
    assert_eq!(read(&site.path("other")).unwrap(), b"content");
    fs::copy(site.path("other"), site.path("elsewhere")).unwrap();
    assert!(read(&site.path("elsewhere")).is_err());
}

#[test]
fn keys_are_rotated_and_taken_away() {
    let site = Site::new();
    let old = site.ring.current_id();
    let path = site.write("object", b"content");
    let short = site.vault.bytes(&site.path("label"), b"label").unwrap();
    let before = fs::read(&path).unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let new = site.rotate();
    assert_ne!(old, new);
    assert_eq!(rewrap(&site.ring, &path).unwrap(), Rewrapped::Done);
    assert_eq!(rewrap(&site.ring, &path).unwrap(), Rewrapped::Already);
    assert_eq!(keys_of(&path).unwrap().unwrap(), [new].into());
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), modified);
    let after = fs::read(&path).unwrap();
    assert_eq!(before[HEADER as usize..], after[HEADER as usize..]);
    let again = rewrap_bytes(&site.ring, &site.path("label"), &short)
        .unwrap()
        .unwrap();
    assert_eq!(content_of(&site.path("label"), again).unwrap(), b"label");
    assert!(matches!(site.ring.remove(new), Err(KeyError::Current(_))));
    site.ring.remove(old).unwrap();
    assert_eq!(read(&path).unwrap(), b"content");
    // The header from before the rotation is of no use any more.
    fs::write(&path, &before).unwrap();
    let refused = read(&path).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    assert!(refused.to_string().contains(&old.to_string()), "{refused}");
    let refused = content_of(&site.path("label"), short).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
}

#[test]
fn rotation_may_stop_anywhere() {
    let site = Site::new();
    let path = site.write("object", &content(70_000));
    let before = fs::read(&path).unwrap();
    site.rotate();
    rewrap(&site.ring, &path).unwrap();
    let after = fs::read(&path).unwrap();
    // The new slot is written, the old one not yet taken away; or a part of either.
    for written in [0, 1, 8, 100, 511, 512] {
        let mut torn = before.clone();
        torn[512..512 + written].copy_from_slice(&after[512..512 + written]);
        fs::write(&path, &torn).unwrap();
        assert_eq!(read(&path).unwrap(), content(70_000), "{written}");
        rewrap(&site.ring, &path).unwrap();
        assert_eq!(read(&path).unwrap(), content(70_000), "{written}");
    }
    for wiped in [1, 8, 100, 511] {
        let mut torn = after.clone();
        torn[wiped..512].copy_from_slice(&before[wiped..512]);
        fs::write(&path, &torn).unwrap();
        assert_eq!(read(&path).unwrap(), content(70_000), "{wiped}");
    }
}

#[test]
fn keys_that_others_can_read_are_refused() {
    let site = Site::new();
    let key = site.keys().join(format!("{}.key", site.ring.current_id()));
    let facts = fs::metadata(&key).unwrap();
    assert_eq!(facts.permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let refused = KeyRing::open(&site.keys(), None).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    KeyRing::open(&site.keys(), None).unwrap();
    fs::set_permissions(site.keys(), fs::Permissions::from_mode(0o770)).unwrap();
    assert!(KeyRing::open(&site.keys(), None).is_err());
    fs::set_permissions(site.keys(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_file(&key).unwrap();
    assert!(matches!(
        KeyRing::open(&site.keys(), None),
        Err(KeyError::Missing(_))
    ));
    let nowhere = site.path("nowhere");
    assert!(matches!(
        KeyRing::open(&nowhere, None),
        Err(KeyError::NoCurrent(_))
    ));
}

#[test]
fn nothing_shows_a_key() {
    let site = Site::new();
    let key = site.keys().join(format!("{}.key", site.ring.current_id()));
    let secret = fs::read_to_string(key).unwrap();
    let secret = secret.lines().nth(1).unwrap();
    let path = site.write("object", b"content");
    let data = DataKey::from_text(secret).unwrap();
    assert_eq!(data.to_text(), secret);
    let shown = format!(
        "{:?} {:?} {:?} {:?} {data:?}",
        site.ring,
        site.vault,
        open(&path).unwrap(),
        site.vault
            .output(fs::File::create(site.path("x")).unwrap())
            .unwrap(),
    );
    assert!(!shown.contains(secret) && !shown.contains(&format!("{:?}", secret.as_bytes())));
    assert!(!shown.contains('['), "{shown}");
}

/// A program like a key management system: it turns the bits of keys around, and says so.
fn command(folder: &Path, body: &str) -> KeyCommand {
    let program = folder.join("kms");
    fs::write(&program, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    KeyCommand {
        command: vec![program.display().to_string(), "secret-argument".to_owned()],
        limit: std::time::Duration::from_secs(5),
    }
}

#[test]
fn a_command_wraps_keys() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let calls = folder.path().join("calls");
    let body = format!(
        "echo \"$1 $2 $3\" >> {}\ncase $2 in wrap) printf W; cat;; unwrap) tail -c +2;; esac",
        calls.display()
    );
    let kms = command(folder.path(), &body);
    let id = KeyRing::generate(&keys, Some(&kms)).unwrap();
    let stored = fs::read_to_string(keys.join(format!("{id}.key"))).unwrap();
    assert!(stored.starts_with("hilum wrapped key 1\n57"), "{stored}");
    assert!(KeyRing::open(&keys, None).is_err());
    let ring = KeyRing::open(&keys, Some(kms.clone())).unwrap();
    ring.install();
    let path = folder.path().join("object");
    for _ in 0..20 {
        let file = fs::File::create(&path).unwrap();
        let mut output = Vault::with(ring.clone()).output(file).unwrap();
        output.write_all(b"content").unwrap();
        output.finish(&[&path]).unwrap();
        assert_eq!(read(&path).unwrap(), b"content");
    }
    // Once for the new key, once to see that it comes back, once to open the ring.
    let calls = fs::read_to_string(calls).unwrap();
    let expected =
        ["wrap", "unwrap", "unwrap"].map(|verb| format!("secret-argument {verb} {id}\n"));
    assert_eq!(calls, expected.concat());
    assert!(!format!("{kms:?} {ring:?}").contains("secret-argument"));
}

#[test]
fn a_command_that_fails_is_named() {
    for (body, why) in [
        ("exit 3", "exit status: 3"),
        ("cat > /dev/null", "empty"),
        ("cat > /dev/null; sleep 60", "longer"),
        ("cat > /dev/null; head -c 65537 /dev/zero", "too long"),
        (
            "case $2 in wrap) cat;; unwrap) echo other;; esac",
            "something else",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let mut kms = command(folder.path(), body);
        kms.limit = std::time::Duration::from_millis(1500);
        let begun = std::time::Instant::now();
        let refused = KeyRing::generate(&keys, Some(&kms))
            .unwrap_err()
            .to_string();
        assert!(refused.contains(why), "{refused}");
        assert!(begun.elapsed().as_secs() < 10);
        assert!(!keys.join("current").exists());
    }
    let kms = KeyCommand {
        command: vec!["/no/such/program".to_owned()],
        limit: std::time::Duration::from_secs(1),
    };
    let folder = tempfile::tempdir().unwrap();
    assert!(KeyRing::generate(&folder.path().join("keys"), Some(&kms)).is_err());
}

#[test]
fn scratch_is_read_in_any_pieces_and_not_on_disk() {
    use std::os::unix::fs::FileExt;
    let file = tempfile::tempfile().unwrap();
    let scratch = Scratch::new(file.try_clone().unwrap()).unwrap();
    let plain = content(10_000);
    let mut at = 0;
    for length in [1, 15, 16, 17, 1000, 8951] {
        scratch
            .write_all_at(&plain[at..at + length], at as u64)
            .unwrap();
        at += length;
    }
    for (from, length) in [(0, 10_000), (3, 40), (16, 16), (9_999, 1), (31, 0)] {
        let read = scratch.read_exact_at(length, from as u64).unwrap();
        assert_eq!(read, plain[from..from + length]);
    }
    let mut stored = vec![0; 10_000];
    file.read_exact_at(&mut stored, 0).unwrap();
    assert!(!stored.windows(16).any(|window| window == &plain[160..176]));
}

/// A file as another implementation writes it (docs/at-rest.md has its values): read here, and its frames
/// are those that are written here.
#[test]
fn the_format_is_what_it_is_documented_to_be() {
    const SLOT: &str = "48696c756d456e6301011100070000000001020304050607\
        08090a0b0c0d0e0f0a000200000000006465666768696a6b6c6d6e6f085a9c253dac10d9762b15a3962824b2\
        12935459df39a525ff88f613a7fefb17b77b888c8ec9524c3eb517f7ab86a0fc";
    const SHA256: &str = "aa9d4926442d21bbdae3dabefa6654bea78ff17488f31636c14368a68a5393b6";
    let text = |bytes: std::ops::Range<u8>| -> String {
        bytes.map(|byte| format!("{byte:02x}")).collect()
    };
    let site = Site::new();
    let key = site.keys().join(format!("{}.key", text(0..16)));
    fs::write(&key, format!("hilum key 1\n{}\n", text(0..32))).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let plain = b"What is at rest, rests. ".repeat(6000);
    let plain = &plain[..131_082];
    let mut file = vec![0; 512];
    file.extend(key::from_hex(SLOT).unwrap());
    file.resize(1024, 0);
    let mut sealing = Sealing::new(&DataKey::from_text(&text(64..96)).unwrap()).unwrap();
    sealing.seal(&plain[..FRAME], false, &mut file).unwrap();
    sealing.seal(&plain[FRAME..], true, &mut file).unwrap();
    let digest = openssl::sha::sha256(&file);
    assert_eq!(key::to_hex(&digest), SHA256);
    let path = site.path("folder").join("object");
    fs::create_dir(site.path("folder")).unwrap();
    fs::write(&path, &file).unwrap();
    assert_eq!(read(&path).unwrap(), plain);
}
