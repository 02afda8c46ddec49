//! The same, encrypted.

use hilum_security::at_rest::{HEADER, KeyRing};

use super::*;

pub(crate) fn ring(folder: &Path) -> KeyRing {
    let keys = folder.join("keys");
    KeyRing::generate(&keys, None).unwrap();
    let ring = KeyRing::open(&keys, None).unwrap();
    ring.install();
    ring
}

fn opened(folder: &Path, ring: &KeyRing, bytes: u64) -> Spool {
    Spool::open_with(folder, bytes, Some(ring)).unwrap()
}

/// Whether anything of a record can be read in a file.
fn is_told(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    let mut windows = bytes.windows(8);
    windows.any(|window| window == b"xxxxxxxx" || window == b"AuditMes")
}

#[tokio::test]
async fn nothing_can_be_read_but_with_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let (ring, spool) = (ring(folder.path()), folder.path().join("spool"));
    for start in [0, 10] {
        let spool = opened(&spool, &ring, 8000);
        for number in start..start + 10 {
            spool.append(frame(number)).await.unwrap();
        }
    }
    assert_eq!(numbers(&spool), (0..20).collect::<Vec<_>>());
    let segments = segment::numbers(&spool).unwrap();
    assert!(segments.len() >= 4, "{segments:?}");
    for number in segments {
        assert!(!is_told(&segment::path(&spool, number)));
    }
    // Without its key it is not opened, and the reason is told.
    let last = *segment::numbers(&spool).unwrap().last().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = self::ring(elsewhere.path());
    let path = segment::path(&spool, last);
    let mut bytes = std::fs::read(&path).unwrap();
    // The name of the key in its header.
    bytes[16] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let refused = Spool::open_with(&spool, 8000, Some(&other)).unwrap_err();
    assert!(matches!(refused, SpoolError::Locked { .. }));
    let said = refused.to_string();
    assert!(said.contains("is not in the key ring"), "{said}");
    let refused = Spool::open(&spool, 8000).unwrap_err().to_string();
    assert!(refused.contains("[at_rest] names no keys"), "{refused}");
}

#[tokio::test]
async fn a_torn_end_is_cut_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (ring, spool) = (ring(folder.path()), folder.path().join("spool"));
    let opened = || opened(&spool, &ring, SEGMENT_BYTES);
    let path = segment::path(&spool, 1);
    let one = opened();
    one.append(frame(1)).await.unwrap();
    drop(one);
    let begin = std::fs::read(&path).unwrap();
    let two = opened();
    two.append(frame(2)).await.unwrap();
    drop(two);
    let whole = std::fs::read(&path).unwrap();
    let cuts = (begin.len() + 1..whole.len()).step_by(97);
    for cut in cuts.chain([begin.len() + 1, whole.len() - 1]) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let spool_again = opened();
        spool_again.append(frame(3)).await.unwrap();
        drop(spool_again);
        assert_eq!(numbers(&spool), [1, 3], "{cut}");
        let torn = spool.join("0000000001.syslog.torn");
        assert_eq!(std::fs::read(torn).unwrap(), &whole[begin.len()..cut]);
    }
    // As a power failure leaves it: as long as it should be, with zeros in it.
    let mut holed = whole.clone();
    holed[begin.len() + 700..].fill(0);
    std::fs::write(&path, &holed).unwrap();
    let spool_again = opened();
    spool_again.append(frame(3)).await.unwrap();
    drop(spool_again);
    assert_eq!(numbers(&spool), [1, 3]);
    // Nothing was acknowledged of a segment without a whole header.
    for rest in [
        &whole[..HEADER as usize - 1],
        &whole[..9],
        &[0; 3000][..],
        b"",
    ] {
        std::fs::write(&path, rest).unwrap();
        let spool_again = opened();
        spool_again.append(frame(4)).await.unwrap();
        drop(spool_again);
        assert_eq!(numbers(&spool), [4]);
        assert!(!is_told(&path));
    }
}

/// What was acknowledged stays, whatever has become of a record among it.
#[tokio::test]
async fn a_changed_record_is_passed_over_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (ring, spool) = (ring(folder.path()), folder.path().join("spool"));
    let one = opened(&spool, &ring, SEGMENT_BYTES);
    for number in 0..5 {
        one.append(frame(number)).await.unwrap();
    }
    drop(one);
    let path = segment::path(&spool, 1);
    let whole = std::fs::read(&path).unwrap();
    let length = (whole.len() - HEADER as usize) / 5;
    let begins = HEADER as usize + 2 * length;
    let mut changed = whole.clone();
    changed[begins + 100] ^= 1;
    std::fs::write(&path, &changed).unwrap();
    let one = opened(&spool, &ring, SEGMENT_BYTES);
    one.append(frame(5)).await.unwrap();
    drop(one);
    assert_eq!(numbers(&spool), [0, 1, 3, 4, 5]);
    // Nor are two of them exchanged.
    let mut exchanged = whole.clone();
    exchanged[begins..begins + length]
        .copy_from_slice(&whole[begins + length..begins + 2 * length]);
    exchanged[begins + length..begins + 2 * length]
        .copy_from_slice(&whole[begins..begins + length]);
    std::fs::write(&path, &exchanged).unwrap();
    assert_eq!(numbers(&spool), [0, 1, 4]);
    // Nor is a segment put in the place of another one.
    std::fs::write(segment::path(&spool, 2), &whole).unwrap();
    assert_eq!(numbers(&spool), [0, 1, 4]);
}

/// What a torn sector leaves of a header, and what a wrap becomes of which a bit is lost.
fn damaged_headers(whole: &[u8]) -> Vec<Vec<u8>> {
    let mut torn = whole.to_vec();
    torn[..512].fill(0);
    let mut garbage = whole.to_vec();
    for (place, byte) in garbage[..512].iter_mut().enumerate() {
        *byte = (place % 251) as u8;
    }
    let mut half = whole.to_vec();
    half[8..512].fill(7);
    let mut bit = whole.to_vec();
    bit[60] ^= 1;
    vec![torn, garbage, half, bit]
}

/// One damaged segment costs its own records: the others are read, what comes is kept, and the file stays.
#[tokio::test]
async fn a_segment_without_its_header_is_set_aside() {
    for (which, number) in (0..4).zip([2, 4, 4, 2]) {
        let folder = tempfile::tempdir().unwrap();
        let (ring, spool) = (ring(folder.path()), folder.path().join("spool"));
        // Each segment has one record, which is as its number.
        for number in 1..=4 {
            let one = opened(&spool, &ring, HEADER + 1);
            one.append(frame(number)).await.unwrap();
        }
        assert_eq!(segment::numbers(&spool).unwrap(), [1, 2, 3, 4]);
        let path = segment::path(&spool, number);
        let whole = std::fs::read(&path).unwrap();
        let damaged = damaged_headers(&whole).swap_remove(which);
        std::fs::write(&path, &damaged).unwrap();
        let left = |more: &[usize]| -> Vec<usize> {
            let left = (1..=4).filter(|it| *it as u64 != number);
            left.chain(more.iter().copied()).collect()
        };
        // Whoever only reads goes on, too.
        assert_eq!(numbers(&spool), left(&[]), "{which}");
        for more in 5..=6 {
            let again = opened(&spool, &ring, HEADER + 1);
            again.append(frame(more)).await.unwrap();
        }
        assert_eq!(numbers(&spool), left(&[5, 6]), "{which}");
        let kept = spool.join(format!("000000000{number}.syslog.damaged"));
        assert_eq!(std::fs::read(kept).unwrap(), damaged);
        assert!(!path.exists(), "nothing takes its place");
    }
}

/// A key that is missing, or that may be another one of its name, is no damage.
#[tokio::test]
async fn a_segment_whose_key_is_not_there_is_not_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (ring, spool) = (ring(folder.path()), folder.path().join("spool"));
    let one = opened(&spool, &ring, SEGMENT_BYTES);
    one.append(frame(1)).await.unwrap();
    drop(one);
    let key = ring.folder().join(format!("{}.key", ring.current_id()));
    let text = std::fs::read_to_string(&key).unwrap();
    let digit = match text.ends_with("0\n") {
        true => "1\n",
        false => "0\n",
    };
    std::fs::write(&key, format!("{}{digit}", &text[..text.len() - 2])).unwrap();
    let other = KeyRing::open(&ring.folder(), None).unwrap();
    other.install();
    let refused = Spool::open_with(&spool, SEGMENT_BYTES, Some(&other)).unwrap_err();
    assert!(matches!(refused, SpoolError::Locked { .. }));
    assert!(refused.to_string().contains("another key"), "{refused}");
    std::fs::write(&key, text).unwrap();
    KeyRing::open(&ring.folder(), None).unwrap().install();
    assert_eq!(numbers(&spool), [1]);
}

#[tokio::test]
async fn a_plain_one_goes_on_encrypted_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let (ring, spool) = (ring(folder.path()), folder.path().join("spool"));
    let plain = Spool::open(&spool, SEGMENT_BYTES).unwrap();
    plain.append(frame(0)).await.unwrap();
    drop(plain);
    let before = std::fs::read(segment::path(&spool, 1)).unwrap();
    assert_eq!(before, frame(0));
    let sealed = opened(&spool, &ring, SEGMENT_BYTES);
    assert_eq!(sealed.durable().borrow().segment, 2);
    sealed.append([frame(1), frame(2)].concat()).await.unwrap();
    drop(sealed);
    assert_eq!(std::fs::read(segment::path(&spool, 1)).unwrap(), before);
    assert!(!is_told(&segment::path(&spool, 2)));
    assert_eq!(numbers(&spool), [0, 1, 2]);
}
