//! The resources of DICOMweb (PS3.18 10.1): what a path means.

use hilum_dicom::Uid;
use hilum_dicom::bulk::TagPath;

use super::refused::Refused;
use crate::imaging::index::search::Level;

/// Frames of one request.
const FRAMES: usize = 10_000;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// QIDO-RS.
    Search(Scope),
    /// WADO-RS.
    Retrieve(Target, What),
}

/// What is searched for, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) level: Level,
    /// Only in this study.
    pub(super) study: Option<Uid>,
    /// Only in this series of it.
    pub(super) series: Option<Uid>,
}

impl Scope {
    /// Whether this is the resource to which studies are added.
    pub(super) fn is_all_studies(&self) -> bool {
        self.level == Level::Study
    }
}

/// A study, a series or an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) study: Uid,
    pub(super) series: Option<Uid>,
    pub(super) instance: Option<Uid>,
}

/// What of it is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The instances themselves.
    Dicom,
    /// What they say.
    Metadata,
    /// A value that the metadata gives the address of.
    Bulkdata(TagPath),
    /// Pixels of these frames.
    Frames(Vec<u32>),
    /// Images for people; of these frames, or of all.
    Rendered(Vec<u32>),
    /// One small image for people.
    Thumbnail(Vec<u32>),
}

/// Reads what stands behind the base.
pub(super) fn read(path: &[&str]) -> Result<Ask, Refused> {
    let search = |level, study: Option<Uid>, series| {
        Ok(Ask::Search(Scope {
            level,
            study,
            series,
        }))
    };
    match path {
        ["studies"] => search(Level::Study, None, None),
        ["series"] => search(Level::Series, None, None),
        ["instances"] => search(Level::Instance, None, None),
        ["studies", study, rest @ ..] => {
            let study = uid(study, "Study")?;
            match rest {
                ["series"] => search(Level::Series, Some(study), None),
                ["instances"] => search(Level::Instance, Some(study), None),
                ["series", series, rest @ ..] => in_series(study, uid(series, "Series")?, rest),
                rest => {
                    let target = Target {
                        study,
                        series: None,
                        instance: None,
                    };
                    retrieve(target, rest)
                }
            }
        }
        _ => Err(nothing()),
    }
}

fn in_series(study: Uid, series: Uid, path: &[&str]) -> Result<Ask, Refused> {
    match path {
        ["instances"] => Ok(Ask::Search(Scope {
            level: Level::Instance,
            study: Some(study),
            series: Some(series),
        })),
        ["instances", instance, rest @ ..] => {
            let target = Target {
                study,
                series: Some(series),
                instance: Some(uid(instance, "SOP")?),
            };
            of_instance(target, rest)
        }
        rest => {
            let target = Target {
                study,
                series: Some(series),
                instance: None,
            };
            retrieve(target, rest)
        }
    }
}

fn of_instance(target: Target, path: &[&str]) -> Result<Ask, Refused> {
    let what = match path {
        ["frames", list] => What::Frames(frames(list)?),
        ["frames", list, "rendered"] => What::Rendered(frames(list)?),
        ["frames", list, "thumbnail"] => What::Thumbnail(frames(list)?),
        ["bulkdata", place @ ..] => {
            let place = place.join("/");
            let parsed = place.parse();
            What::Bulkdata(parsed.map_err(|error| Refused::new(400, format!("{error}")))?)
        }
        rest => return retrieve(target, rest),
    };
    Ok(Ask::Retrieve(target, what))
}

fn retrieve(target: Target, path: &[&str]) -> Result<Ask, Refused> {
    let what = match path {
        [] => What::Dicom,
        ["metadata"] => What::Metadata,
        ["rendered"] => What::Rendered(Vec::new()),
        ["thumbnail"] => What::Thumbnail(Vec::new()),
        _ => return Err(nothing()),
    };
    Ok(Ask::Retrieve(target, what))
}

fn uid(text: &str, of: &str) -> Result<Uid, Refused> {
    let parsed = Uid::parse(text);
    parsed.map_err(|error| Refused::new(400, format!("the {of} Instance UID is {error}")))
}

/// `1,2,5`, counted from 1.
pub(super) fn frames(list: &str) -> Result<Vec<u32>, Refused> {
    let wrong = || Refused::new(400, "frames are numbers from 1 on, divided by commas");
    let numbers = list.split(',').map(|number| {
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok();
        number
            .filter(|number| digits && *number > 0)
            .ok_or_else(wrong)
    });
    let numbers: Vec<u32> = numbers.collect::<Result<_, _>>()?;
    match numbers.len() <= FRAMES {
        true => Ok(numbers),
        false => Err(Refused::new(
            400,
            format!("more than {FRAMES} frames are asked for"),
        )),
    }
}

fn nothing() -> Refused {
    Refused::new(404, "nothing is served at this path")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(path: &str) -> u16 {
        let path: Vec<&str> = path.split('/').collect();
        read(&path).unwrap_err().status
    }

    fn target(series: Option<&str>, instance: Option<&str>) -> Target {
        let uid = |text: &str| Uid::parse(text).unwrap();
        Target {
            study: uid("1.2"),
            series: series.map(uid),
            instance: instance.map(uid),
        }
    }

    #[test]
    fn paths_are_resources() {
        let found = |path: &str| {
            let path: Vec<&str> = path.split('/').collect();
            read(&path).unwrap()
        };
        let search = |level, study: Option<&str>, series: Option<&str>| {
            Ask::Search(Scope {
                level,
                study: study.map(|it| Uid::parse(it).unwrap()),
                series: series.map(|it| Uid::parse(it).unwrap()),
            })
        };
        let (one, two, three) = (Some("1.2"), Some("1.3"), Some("1.4"));
        for (path, ask) in [
            ("studies", search(Level::Study, None, None)),
            ("series", search(Level::Series, None, None)),
            ("instances", search(Level::Instance, None, None)),
            ("studies/1.2/series", search(Level::Series, one, None)),
            ("studies/1.2/instances", search(Level::Instance, one, None)),
            (
                "studies/1.2/series/1.3/instances",
                search(Level::Instance, one, two),
            ),
            (
                "studies/1.2",
                Ask::Retrieve(target(None, None), What::Dicom),
            ),
            (
                "studies/1.2/series/1.3",
                Ask::Retrieve(target(two, None), What::Dicom),
            ),
            (
                "studies/1.2/series/1.3/instances/1.4",
                Ask::Retrieve(target(two, three), What::Dicom),
            ),
            (
                "studies/1.2/metadata",
                Ask::Retrieve(target(None, None), What::Metadata),
            ),
            (
                "studies/1.2/series/1.3/thumbnail",
                Ask::Retrieve(target(two, None), What::Thumbnail(Vec::new())),
            ),
            (
                "studies/1.2/series/1.3/instances/1.4/frames/1,3/rendered",
                Ask::Retrieve(target(two, three), What::Rendered(vec![1, 3])),
            ),
            (
                "studies/1.2/series/1.3/instances/1.4/bulkdata/54000100/0/54001010",
                Ask::Retrieve(
                    target(two, three),
                    What::Bulkdata("54000100/0/54001010".parse().unwrap()),
                ),
            ),
        ] {
            assert_eq!(found(path), ask, "{path}");
        }
    }

    #[test]
    fn other_paths_are_nothing() {
        for path in [
            "",
            "study",
            "studies/1.2/frames/1",
            "studies/1.2/instances/1.3",
            "studies//x",
        ] {
            assert!([400, 404].contains(&status(path)), "{path}");
        }
        let instance = "studies/1.2/series/1.3/instances/1.4";
        for wrong in [
            "frames/0",
            "frames/",
            "frames/1,,2",
            "frames/+1",
            "frames/4294967296",
        ] {
            assert_eq!(status(&format!("{instance}/{wrong}")), 400, "{wrong}");
        }
        for wrong in ["bulkdata", "bulkdata/x", "bulkdata/7FE00010/0"] {
            assert_eq!(status(&format!("{instance}/{wrong}")), 400, "{wrong}");
        }
        assert_eq!(status("studies/..%2F"), 400);
        let many = vec!["1"; FRAMES + 1].join(",");
        assert_eq!(status(&format!("{instance}/frames/{many}")), 400);
    }
}
