//! The generator's answer key against what was done.

use std::collections::BTreeMap;

use super::*;
use crate::moment::days_from_civil;
use crate::phantoms::identities::{self, Action, Planted, Required};
use crate::walk::{DataSet, Value};

/// What has been seen of UIDs, patients and shifts in all objects.
#[derive(Default)]
struct Seen {
    uids: BTreeMap<String, String>,
    patients: BTreeMap<String, String>,
    shifts: BTreeMap<usize, i64>,
}

fn found<'a>(data: &'a DataSet, path: &[(Tag, usize)]) -> Option<&'a Value> {
    match path {
        [] => None,
        [(tag, _)] => data.get(*tag).map(|(_, value)| value),
        [(tag, item), rest @ ..] => found(data.items(*tag).get(*item)?, rest),
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes)
            .trim_matches([' ', '\0'])
            .to_owned(),
        _ => String::new(),
    }
}

fn days(date: &str) -> Option<i64> {
    let part = |from: usize, to: usize| date.get(from..to)?.parse().ok();
    Some(days_from_civil(part(0, 4)?, part(4, 6)?, part(6, 8)?))
}

/// The same old text always stands for the same new one, and no other does.
fn consistent(seen: &mut BTreeMap<String, String>, old: &str, new: &str) -> bool {
    let known = seen
        .entry(old.to_owned())
        .or_insert_with(|| new.to_owned())
        .clone();
    known == new && !new.is_empty() && seen.values().filter(|value| *value == new).count() == 1
}

fn pixels<'a>(bytes: &'a [u8], value: Option<&Value>) -> &'a [u8] {
    match value {
        Some(Value::Apart(apart)) => {
            &bytes[apart.offset as usize..(apart.offset + apart.length) as usize]
        }
        _ => &[],
    }
}

fn inside(region: &Region, at: usize, columns: usize) -> bool {
    let (x, y) = ((at % columns) as u32, (at / columns) as u32);
    (region.x..region.x + region.width).contains(&x)
        && (region.y..region.y + region.height).contains(&y)
}

struct New<'a> {
    planted: &'a Planted,
    old: &'a DataSet,
    bytes: &'a [u8],
    data: &'a DataSet,
}

impl New<'_> {
    fn is_right(&self, required: &Required, seen: &mut Seen) -> bool {
        let value = found(self.data, &required.path);
        let text = text(value);
        match &required.action {
            Action::TagRetained => value.is_some(),
            Action::TextNotnull => !text.is_empty(),
            Action::TextRetained(kept) => text.contains(kept),
            Action::TextRemoved(gone) => !text.contains(gone.as_str()),
            Action::UidChanged(old) => text != *old,
            Action::UidConsistent(old) => consistent(&mut seen.uids, old, &text),
            Action::PatidConsistent(old) => consistent(&mut seen.patients, old, &text),
            Action::DateShifted(old) => match (days(old), days(&text)) {
                (Some(before), Some(after)) => {
                    let shift = *seen
                        .shifts
                        .entry(self.planted.patient)
                        .or_insert(after - before);
                    after - before == shift && shift != 0 && text[8..] == old[8..]
                }
                _ => false,
            },
            Action::PixelsHidden(region) => {
                let columns = self.data.number(tags::COLUMNS).unwrap_or(1.0) as usize;
                let new = pixels(self.bytes, value);
                let mut hidden = new
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| inside(region, *at, columns));
                !new.is_empty() && hidden.all(|(_, byte)| *byte == 0)
            }
            Action::PixelsRetained(hidden) => {
                let columns = self.data.number(tags::COLUMNS).unwrap_or(1.0) as usize;
                let old = pixels(&self.planted.bytes, found(self.old, &required.path));
                let new = pixels(self.bytes, value);
                let mut pairs = old.iter().zip(new).enumerate();
                old.len() == new.len()
                    && pairs.all(|(at, (old, new))| {
                        old == new || hidden.iter().any(|region| inside(region, at, columns))
                    })
            }
        }
    }
}

/// Spellings in which a text might be left.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c as u32).ok()).collect();
    let mut spellings = vec![
        text.as_bytes().to_vec(),
        text.to_uppercase().into_bytes(),
        text.to_lowercase().into_bytes(),
    ];
    spellings.extend(latin);
    spellings.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    spellings.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    spellings
}

fn leaks(bytes: &[u8], identities: &[String]) -> Vec<String> {
    let leaked = |text: &&String| {
        spellings(text).iter().any(|spelling| {
            bytes
                .windows(spelling.len())
                .any(|window| window == spelling)
        })
    };
    identities.iter().filter(leaked).cloned().collect()
}

#[test]
fn planted_identities_are_gone_and_everything_else_is_there() {
    let profile = identities::profile();
    let objects = identities::objects(20, 30).unwrap();
    let mut seen = Seen::default();
    let (mut right, mut all, mut refused) = (0, 0, 0);
    let mut wrong = Vec::new();
    for planted in &objects {
        let old = walk::whole(&planted.bytes).unwrap();
        let outcome = bytes(&planted.bytes, &profile, &key());
        let Some(required) = &planted.required else {
            assert!(
                matches!(outcome, Err(Refused::Closed(_))),
                "{}",
                planted.path
            );
            refused += 1;
            continue;
        };
        let (new, report) = outcome.unwrap_or_else(|refused| panic!("{}: {refused}", planted.path));
        assert_eq!(
            leaks(&new, &planted.identities),
            Vec::<String>::new(),
            "{}",
            planted.path
        );
        assert_eq!(report.codes.len(), 8);
        let data = walk::whole(&new).unwrap().data;
        let file = New {
            planted,
            old: &old.data,
            bytes: &new,
            data: &data,
        };
        for required in required {
            all += 1;
            if file.is_right(required, &mut seen) {
                right += 1;
            } else {
                wrong.push(format!("{}: {required:?}", planted.path));
            }
        }
    }
    let share = 100.0 * f64::from(right) / f64::from(all);
    println!(
        "{} objects, {refused} refused as they must be; {right} of {all} required actions right: {share:.3} %",
        objects.len()
    );
    wrong.iter().take(40).for_each(|wrong| println!("{wrong}"));
    assert!(objects.len() > 300 && all > 20_000);
    assert!(share >= 99.95, "{share:.3} %");
}

#[test]
fn the_basic_profile_leaves_nothing_either() {
    let profile = Profile {
        regions: identities::profile().regions,
        options: Options {
            clean_pixel_data: true,
            ..Options::default()
        },
        ..Profile::default()
    };
    for planted in identities::objects(21, 6).unwrap() {
        let Ok((new, _)) = bytes(&planted.bytes, &profile, &key()) else {
            assert!(planted.required.is_none(), "{}", planted.path);
            continue;
        };
        assert_eq!(
            leaks(&new, &planted.identities),
            Vec::<String>::new(),
            "{}",
            planted.path
        );
        let data = walk::whole(&new).unwrap().data;
        assert!(data.elements().all(|(tag, ..)| tag.group() % 2 == 0));
        assert_eq!(data.ascii(tags::STUDY_DATE).as_deref(), Some(""));
        assert_eq!(data.ascii(tags::SERIES_DESCRIPTION), None);
    }
}

#[test]
fn the_same_file_and_key_give_the_same_bytes() {
    let profile = identities::profile();
    let other = Key::new(&[8; 32]).unwrap();
    for planted in identities::objects(22, 1).unwrap() {
        if planted.required.is_none() {
            continue;
        }
        let once = bytes(&planted.bytes, &profile, &key()).unwrap();
        assert_eq!(once, bytes(&planted.bytes, &profile, &key()).unwrap());
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), &planted.bytes).unwrap();
        let mut from_disk = Vec::new();
        let report = file(path.path(), &mut from_disk, &profile, &key()).unwrap();
        assert_eq!((from_disk, report), once);
        assert_ne!(once.0, bytes(&planted.bytes, &profile, &other).unwrap().0);
    }
}

#[test]
fn volumes_keep_their_voxels_alone() {
    let profile = identities::profile();
    let key = key();
    let pseudonyms = Pseudonyms::new(&key, &profile);
    for volume in identities::volumes(23, 20) {
        let mut new = Vec::new();
        let emptied = nifti::header(volume.bytes.as_slice(), &mut new).unwrap();
        assert!(emptied.fields.contains(&"descrip"), "{emptied:?}");
        assert_eq!(leaks(&new, &volume.identities), Vec::<String>::new());
        assert_eq!(new.len(), volume.bytes.len());
        assert_eq!(new[volume.image..], volume.bytes[volume.image..]);
        assert_eq!(new[40..56], volume.bytes[40..56]);
        let name = pseudonyms.file_name(&volume.name);
        assert_eq!(
            leaks(name.as_bytes(), &volume.identities),
            Vec::<String>::new()
        );
    }
}

#[test]
fn the_answer_key_is_as_large_as_it_says_and_the_same_every_time() {
    let once = identities::objects(5, 2).unwrap();
    let again = identities::objects(5, 2).unwrap();
    assert_eq!(once.len(), 24);
    for (one, other) in once.iter().zip(&again) {
        assert_eq!(one.bytes, other.bytes);
        let Some(required) = &one.required else {
            continue;
        };
        let data = walk::whole(&one.bytes).unwrap().data;
        assert!(
            required.iter().all(|it| found(&data, &it.path).is_some()),
            "{}",
            one.path
        );
        assert!(
            leaks(&one.bytes, &one.identities).len() >= 15,
            "{}",
            one.path
        );
    }
}
