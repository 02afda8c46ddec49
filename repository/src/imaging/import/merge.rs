//! A study that lies in several folders, which are imported one after the other.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use super::below;
use hilum_dicom::Uid;
use hilum_dicom::scan::{Place, Series, Stamp, StoredInstance, Study};

/// What was found, with those of the known instances that are elsewhere and still as they were.
/// What the study says of itself is what was found last. What was rejected once stays so.
pub(super) fn merged(known: &Study, found: Study, roots: &[PathBuf]) -> Study {
    let mut study = found;
    study.rejected.extend(known.rejected.iter().cloned());
    for (instance, title) in &known.rejected_as {
        study.reject(instance.clone(), *title);
    }
    let here: HashSet<Uid> = study
        .instances()
        .map(|it| it.sop_instance_uid.clone())
        .collect();
    let stays = |it: &&StoredInstance| {
        let stays = match &it.place {
            Place::Archive(_) => true,
            Place::File { path, stamp } => {
                let now = fs::metadata(path).and_then(|metadata| Stamp::of(&metadata));
                !below(roots, path) && now.is_ok_and(|now| now == *stamp)
            }
        };
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
