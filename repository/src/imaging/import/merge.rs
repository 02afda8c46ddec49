//! A study that lies in several folders, which are imported one after the other.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::below;
use crate::imaging::place;
use hilum_dicom::Uid;
use hilum_dicom::scan::{Place, Series, StoredInstance, Study};

/// What was found, with those of the known instances that are elsewhere and still as they were. Of what
/// was sent here and was found, too, the one stays that was sent: it is acknowledged. What the study says
/// of itself is what was found last. What was rejected once stays so.
pub(super) fn merged(known: &Study, found: Study, roots: &[PathBuf], objects: &Path) -> Study {
    let mut study = match found.series.is_empty() {
        false => found,
        // Rejection notes say little of the study.
        true => Study {
            series: Vec::new(),
            rejected: found.rejected,
            rejected_as: found.rejected_as,
            ..known.clone()
        },
    };
    let sent: HashSet<&Uid> = known
        .instances()
        .filter(|it| {
            it.place
                .path()
                .is_some_and(|path| path.starts_with(objects))
        })
        .filter(|it| is_as_it_was(&it.place))
        .map(|it| &it.sop_instance_uid)
        .collect();
    for series in &mut study.series {
        let instances = &mut series.instances;
        instances.retain(|it| !sent.contains(&it.sop_instance_uid));
    }
    study.series.retain(|series| !series.instances.is_empty());
    study.rejected.extend(known.rejected.iter().cloned());
    for (instance, title) in &known.rejected_as {
        study.reject(instance.clone(), *title);
    }
    let here: HashSet<Uid> = study
        .instances()
        .map(|it| it.sop_instance_uid.clone())
        .collect();
    let stays = |it: &&StoredInstance| {
        let is_elsewhere = it.place.path().is_none_or(|path| !below(roots, path));
        let stays = is_elsewhere && is_as_it_was(&it.place);
        stays && !here.contains(&it.sop_instance_uid)
    };
    let mut some_stay = false;
    for series in &known.series {
        let staying: Vec<StoredInstance> = series.instances.iter().filter(stays).cloned().collect();
        if staying.is_empty() {
            continue;
        }
        some_stay = true;
        match study.series.iter_mut().find(|it| it.uid == series.uid) {
            Some(found) => {
                found.acquired.add(&series.acquired);
                found.instances.extend(staying);
            }
            None => study.series.push(Series {
                instances: staying,
                ..series.clone()
            }),
        }
    }
    if some_stay {
        for accession in &known.accessions {
            if !study.accessions.contains(accession) {
                study.accessions.push(accession.clone());
            }
        }
        for order in &known.orders {
            if !study.orders.contains(order) {
                study.orders.push(order.clone());
            }
        }
        study.sort();
    }
    study.drop_rejected();
    study
}

fn is_as_it_was(place: &Place) -> bool {
    let Place::File { path, stamp } = place else {
        return true;
    };
    place::is_as_it_was(path, stamp).unwrap_or(false)
}
