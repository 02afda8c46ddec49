//! A study of which something is here and something in an archive.

use std::collections::BTreeSet;

use diesel::SqliteConnection;
use hilum_dicom::Uid;
use hilum_dicom::scan::{Place, Series, Study};
use hilum_security::at_rest::fields::Fields;

use super::super::rows;
use super::Reading;

/// What was known of a study together with what its archive has now.
pub(super) fn joined(
    (connection, fields): (&mut SqliteConnection, &Fields),
    before: Option<&Study>,
    reading: Reading<'_>,
) -> anyhow::Result<Result<Study, &'static str>> {
    let mut study = reading.study;
    drop_strangers(connection, fields, &mut study)?;
    let Some(before) = before else {
        study.drop_rejected();
        study.sort();
        return Ok(Ok(study));
    };
    let kept_here: Option<Study> = {
        let mut rest = before.clone();
        let still = match reading.incomplete {
            Some(_) => places(before, reading.archive),
            None => BTreeSet::new(),
        };
        let now: BTreeSet<Uid> = uids(&study);
        let still = still.difference(&now).cloned().collect();
        take_out(&mut rest, reading.archive, &still);
        (!rest.series.is_empty()).then_some(rest)
    };
    let mut together = match kept_here {
        Some(rest) if rest.patient.id != study.patient.id => {
            return Ok(Err(
                "its Patient ID in the archive differs from that of its instances which are here",
            ));
        }
        Some(mut rest) => {
            let here = uids(&rest);
            take_back(&mut rest, &study);
            for series in study.series {
                merge(&mut rest, series, &here);
            }
            for accession in study.accessions {
                if !rest.accessions.contains(&accession) {
                    rest.accessions.push(accession);
                }
            }
            for order in study.orders {
                if !rest.orders.contains(&order) {
                    rest.orders.push(order);
                }
            }
            rest
        }
        None => {
            take_back(&mut study, before);
            study
        }
    };
    together.drop_rejected();
    together.sort();
    Ok(Ok(together))
}

/// What was taken back once stays so, unless it may return.
fn take_back(study: &mut Study, other: &Study) {
    for instance in &other.rejected {
        match other.rejected_as.get(instance) {
            Some(title) if title.effect().may_return => {}
            Some(title) => study.reject(instance.clone(), *title),
            None => {
                study.rejected.insert(instance.clone());
            }
        }
    }
}

fn merge(study: &mut Study, mut series: Series, here: &BTreeSet<Uid>) {
    series
        .instances
        .retain(|it| !here.contains(&it.sop_instance_uid));
    match study.series.iter_mut().find(|it| it.uid == series.uid) {
        Some(known) => {
            known.acquired.add(&series.acquired);
            known.instances.append(&mut series.instances);
        }
        None if series.instances.is_empty() => {}
        None => study.series.push(series),
    }
}

/// Leaves out instances whose names are those of instances of other studies.
fn drop_strangers(
    connection: &mut SqliteConnection,
    fields: &Fields,
    study: &mut Study,
) -> anyhow::Result<()> {
    let names = uids(study);
    let names: Vec<&str> = names.iter().map(Uid::as_str).collect();
    let known = rows::find_instances(connection, fields, &names)?;
    let uid = study.uid.clone();
    for series in &mut study.series {
        series.instances.retain(|instance| {
            let of_study = known.get(instance.sop_instance_uid.as_str());
            let fits = of_study.is_none_or(|(of_study, _)| of_study == uid.as_str());
            if !fits {
                let instance = &instance.sop_instance_uid;
                tracing::warn!(study = %uid, %instance, "an archived instance is in another study too");
            }
            fits
        });
    }
    study.series.retain(|series| !series.instances.is_empty());
    Ok(())
}

/// Takes an archive's instances out of a study, but for those that are to stay.
pub(super) fn take_out(study: &mut Study, archive: &str, stay: &BTreeSet<Uid>) {
    for series in &mut study.series {
        series.instances.retain(|instance| {
            let there = matches!(&instance.place, Place::Archive(name) if name == archive);
            !there || stay.contains(&instance.sop_instance_uid)
        });
    }
    study.series.retain(|series| !series.instances.is_empty());
}

/// The instances of a study that are in this archive.
fn places(study: &Study, archive: &str) -> BTreeSet<Uid> {
    let there = study
        .instances()
        .filter(|it| matches!(&it.place, Place::Archive(name) if name == archive));
    there.map(|it| it.sop_instance_uid.clone()).collect()
}

fn uids(study: &Study) -> BTreeSet<Uid> {
    let instances = study.instances();
    instances.map(|it| it.sop_instance_uid.clone()).collect()
}
