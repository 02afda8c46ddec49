//! Instances that are in archives beside us. Those that are given as they are stored pass through;
//! of others a file is needed, which is fetched first.

use std::sync::{Arc, Mutex};

use hilum_dicom::scan::StoredInstance;

use super::super::asked::Asked;
use super::super::path::What;
use super::super::refused::Refused;
use super::representation::Forms;
use super::{Found, Instance, conversion};
use crate::imaging::Room;
use crate::imaging::archives::NotGiven;
use crate::imaging::place::{self, Here, ToGive};

/// Instances of which files are fetched for one answer.
const MOST_FILES: usize = 64;

/// What is needed of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::imaging::dicomweb) enum Need {
    /// To pass it through.
    Stream,
    /// To read it.
    File,
    Nothing,
}

/// What is needed of each instance that is elsewhere.
pub(super) fn needs(asked: &Asked, found: &Found, what: &What) -> Result<Vec<Need>, Refused> {
    let all = found.elsewhere.iter().map(|it| &it.stored);
    let file_of = |is_needed: bool| if is_needed { Need::File } else { Need::Nothing };
    Ok(match what {
        What::Dicom => {
            let forms = Forms::of_instances(&asked.accept, found.wanted == 1)?;
            let need = |instance: &StoredInstance| {
                let stored = instance.transfer_syntax_uid.as_str();
                let convertible = |wanted: &str| conversion::can_convert(stored, wanted);
                match forms.instance(stored, convertible) {
                    Some(syntax) if syntax == stored => Need::Stream,
                    given => file_of(given.is_some()),
                }
            };
            all.map(need).collect()
        }
        // Of those whose archives tell nothing.
        What::Metadata | What::Bulkdata(_) | What::Frames(_) => all.map(|_| Need::File).collect(),
        What::Rendered(_) => all.map(|it| file_of(it.size.is_some())).collect(),
        What::Thumbnail(_) => {
            let here = found.instances.iter().any(|it| it.stored.size.is_some());
            let images = || all.clone().filter(|it| it.size.is_some());
            // As of those that are here.
            let middle = images().nth(images().count() / 2).filter(|_| !here);
            let is_middle = |it: &StoredInstance| {
                middle.is_some_and(|middle| middle.sop_instance_uid == it.sop_instance_uid)
            };
            all.clone().map(|it| file_of(is_middle(it))).collect()
        }
    })
}

/// Adds to what is found what its archives give of the rest.
pub(in crate::imaging::dicomweb) async fn fetch(
    room: &Arc<Room>,
    found: &mut Found,
    needs: &[Need],
) -> Result<(), Refused> {
    let files = needs.iter().filter(|need| **need == Need::File).count();
    if files > MOST_FILES {
        return Err(Refused::new(
            406,
            format!(
                "they are in another archive, and at most {MOST_FILES} of them can be converted for \
                 one answer: ask for them as they are stored, or for a part of them"
            ),
        ));
    }
    let elsewhere = std::mem::take(&mut found.elsewhere);
    let mut passing = Vec::new();
    let mut failed = None;
    for (mut instance, need) in elsewhere.into_iter().zip(needs) {
        match need {
            Need::Nothing => {}
            Need::Stream => {
                // It is announced so.
                instance.syntaxes = [instance.stored.transfer_syntax_uid.to_string()].into();
                passing.push(instance);
            }
            Need::File => match place::bring(room, &instance).await? {
                Ok(file) => found.instances.push(Instance::of(instance, file, None)),
                Err(not_given) => failed = Some(not_given),
            },
        }
    }
    let sources = place::open(room, passing.clone()).await?;
    for (instance, source) in passing.into_iter().zip(sources) {
        match source {
            Ok(giving) => {
                let once = Arc::new(Mutex::new(Some(giving.into_source())));
                let instance = Instance::of(instance, Here::Nowhere, Some(once));
                found.instances.push(instance);
            }
            Err(not_given) => failed = Some(not_given),
        }
    }
    match failed {
        Some(not_given) if found.instances.is_empty() => Err(refused(not_given)),
        _ => Ok(()),
    }
}

/// What an archive does not have is not there; for the rest of its trouble HTTP has a word.
pub(super) fn refused(not_given: NotGiven) -> Refused {
    let status = if not_given.gone { 404 } else { 502 };
    Refused::new(status, not_given.reason)
}

impl Instance {
    fn of(instance: ToGive, path: Here, passing: Option<super::Passing>) -> Self {
        Self {
            stored: instance.stored,
            series: instance.series,
            study: instance.study,
            path,
            passing,
        }
    }
}
