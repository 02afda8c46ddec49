//! Publishing: the registry is brought to what the index says of a study.
//!
//! What is to be sent is in the index before it is sent, and what was answered afterwards. So an
//! interruption anywhere leaves something to go on from, without a second manifest.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::PatientId;

use super::document_entry::patient_id;
use super::import::{Fate, Importing};
use super::index::{Damaged, Index, Indexed};
use super::iti18_registry_stored_query::{self as iti18, Known};
use super::iti57_update_document_set as iti57;
use super::manifest::Manifest;
use super::rad68_provide_and_register_imaging_document_set::{self as rad68, Handover};
use hilum_dicom::Uid;
use hilum_dicom::scan::{Place, Study};

/// How often a study that changes while it is worked on is begun anew.
const ATTEMPTS: usize = 5;

/// What came of one attempt.
#[derive(Debug)]
pub(super) enum Attempt {
    /// This, and the generation of the study that it is about.
    Came(Fate, i64),
    /// The study changed meanwhile, so all is to be looked at again.
    Changed,
}

/// Publishes a study as it is in the index.
pub(super) async fn publish(
    importing: &Importing<'_>,
    index: &Index,
    study: &Uid,
    remarks: &mut Vec<String>,
) -> anyhow::Result<Option<(Fate, i64)>> {
    for _ in 0..ATTEMPTS {
        let Some(known) = known(index, study, remarks)? else {
            return Ok(None);
        };
        let known = match settled(importing, index, known, remarks).await? {
            Settled::Known(Some(known)) => *known,
            Settled::Known(None) => return Ok(None),
            Settled::Unanswered(why) => return Ok(Some((Fate::Unanswered(why), 0))),
        };
        let now = known.clone();
        match bring(importing, index, Some(known), now, remarks).await? {
            Attempt::Came(fate, generation) => return Ok(Some((fate, generation))),
            Attempt::Changed => {}
        }
    }
    Ok(Some((changes(), 0)))
}

/// It changes faster than it can be published.
pub(super) fn changes() -> Fate {
    Fate::Unanswered("it changes while it is being published".to_owned())
}

/// A study as it is in the index. What cannot be read there is as good as lost: its manifest will be
/// recognised by its names.
pub(super) fn known(
    index: &Index,
    study: &Uid,
    remarks: &mut Vec<String>,
) -> anyhow::Result<Option<Indexed>> {
    match index.read(study) {
        Err(damaged) if damaged.is::<Damaged>() => {
            index.remove(study)?;
            remarks.push("its place in the index was damaged and is written again".to_owned());
            Ok(None)
        }
        read => read,
    }
}

/// Brings index and registry from what was known of a study to what it is `now`.
pub(super) async fn bring(
    importing: &Importing<'_>,
    index: &Index,
    known: Option<Indexed>,
    mut now: Indexed,
    remarks: &mut Vec<String>,
) -> anyhow::Result<Attempt> {
    let unsuitable = |problem: &str| {
        let generation = now.generation;
        Attempt::Came(Fate::Unsuitable(problem.to_owned()), generation)
    };
    let Some(patient) = patient_id(importing.config, &now.study) else {
        return Ok(unsuitable("it has no Patient ID (0010,0020)"));
    };
    let was = known.as_ref().and_then(|it| it.patient_id.as_deref());
    if was.is_some_and(|was| was != patient.to_string()) {
        let problem = "its Patient ID is not that under which it was imported before";
        return Ok(unsuitable(problem));
    }
    now.patient_id = Some(patient.to_string());
    let judged = importing.config.gate.judge(&now.study);
    remarks.extend(judged.remarks);
    let kept_back = (!judged.kept_back.is_empty() && !now.released).then_some(judged.kept_back);
    if now.held != kept_back {
        now.held.clone_from(&kept_back);
    }
    if let Some(reasons) = kept_back {
        return held(importing, index, known.as_ref(), now, reasons).await;
    }
    if now.study.series.is_empty() {
        return emptied(importing, index, known.as_ref(), now).await;
    }
    let registered = known.as_ref().and_then(|it| it.registered.as_ref());
    let (config, codes) = (importing.config, importing.codes);
    let plan = Manifest::plan(
        config,
        codes,
        &patient,
        &now.study,
        registered,
        importing.now,
    );
    let plan = match plan {
        Ok(plan) => plan,
        // Something that the study says has no place in a manifest: that is no reason to stop.
        Err(error) => return Ok(unsuitable(&format!("it has no manifest: {error:#}"))),
    };
    if let Some(current) = registered.filter(|it| it.says == plan.says && !it.withdrawn) {
        let manifest = current.sop_instance_uid.clone();
        now.registered = Some(current.clone());
        now.planned = None;
        // Files may lie elsewhere now, or have been written again.
        if known.as_ref() != Some(&now) {
            match index.write(&now)? {
                Some(generation) => now.generation = generation,
                None => return Ok(Attempt::Changed),
            }
        }
        return Ok(Attempt::Came(Fate::Unchanged { manifest }, now.generation));
    }
    now.planned = Some(plan);
    hand_in(importing, index, known, now, remarks).await
}

/// It does not pass as a whole: it stays in the index, and is neither published nor served. If it was
/// published before, its manifest is withdrawn, since nothing is given for it.
async fn held(
    importing: &Importing<'_>,
    index: &Index,
    known: Option<&Indexed>,
    mut now: Indexed,
    reasons: Vec<String>,
) -> anyhow::Result<Attempt> {
    if known != Some(&now) {
        match index.write(&now)? {
            Some(written) => now.generation = written,
            None => return Ok(Attempt::Changed),
        }
    }
    if let Err(why) = withdraw(importing, index, &now).await? {
        return Ok(Attempt::Came(Fate::Unanswered(why), now.generation));
    }
    Ok(Attempt::Came(Fate::KeptBack(reasons), now.generation))
}

/// All of a study was taken back: nothing of it is served any more, and its manifest is withdrawn.
async fn emptied(
    importing: &Importing<'_>,
    index: &Index,
    known: Option<&Indexed>,
    mut now: Indexed,
) -> anyhow::Result<Attempt> {
    let nothing = "all of its instances were rejected, or are gone from their archive";
    let Some(known) = known else {
        let fate = Fate::Unsuitable(nothing.to_owned());
        return Ok(Attempt::Came(fate, now.generation));
    };
    if *known != now {
        match index.write(&now)? {
            Some(written) => now.generation = written,
            None => return Ok(Attempt::Changed),
        }
    }
    let fate = match withdraw(importing, index, &now).await? {
        Err(why) => Fate::Unanswered(why),
        Ok(Some(manifest)) => Fate::Withdrawn { manifest },
        Ok(None) => match now.registered {
            Some(manifest) => Fate::Unchanged {
                manifest: manifest.sop_instance_uid,
            },
            None => Fate::Unsuitable(nothing.to_owned()),
        },
    };
    Ok(Attempt::Came(fate, now.generation))
}

/// Withdraws the manifest of a study of which nothing is given any more, and says which one that was,
/// if there is one in force. The inner error says why it is not withdrawn.
async fn withdraw(
    importing: &Importing<'_>,
    index: &Index,
    now: &Indexed,
) -> anyhow::Result<Result<Option<Uid>, String>> {
    let Some(mut manifest) = now.registered.clone().filter(|it| !it.withdrawn) else {
        return Ok(Ok(None));
    };
    if let Err(why) = withdrawn(importing, &manifest, &now.patient_id).await? {
        return Ok(Err(why));
    }
    manifest.withdrawn = true;
    index.set_manifests(&now.study.uid, Some(&manifest), None)?;
    Ok(Ok(Some(manifest.sop_instance_uid)))
}

/// Has the registry deprecate a manifest. The inner error says why it did not.
async fn withdrawn(
    importing: &Importing<'_>,
    manifest: &Manifest,
    patient: &Option<String>,
) -> anyhow::Result<Result<(), String>> {
    let (Some(registry), Some(patient)) = (importing.registry, patient) else {
        let why = "its manifest cannot be withdrawn, because there is no registry to ask";
        return Ok(Err(why.to_owned()));
    };
    let current = match iti18::current(importing, registry, manifest).await? {
        Ok(Some(current)) => current,
        // It is not in force any more.
        Ok(None) => return Ok(Ok(())),
        Err(why) => return Ok(Err(why)),
    };
    let patient = PatientId::parse(patient).map_err(anyhow::Error::msg)?;
    iti57::withdraw(importing, registry, &patient, manifest, &current).await
}

/// What became of a manifest that was planned earlier.
pub(super) enum Settled {
    /// The study as it is in the index now; one that was never registered is not.
    Known(Option<Box<Indexed>>),
    /// Nobody answered.
    Unanswered(String),
}

/// Finds out what became of a manifest that was planned in an earlier attempt.
pub(super) async fn settled(
    importing: &Importing<'_>,
    index: &Index,
    mut known: Indexed,
    remarks: &mut Vec<String>,
) -> anyhow::Result<Settled> {
    let Some(plan) = known.planned.take() else {
        return Ok(Settled::Known(Some(Box::new(known))));
    };
    let arrived = match importing.registry {
        Some(registry) => match iti18::send(importing, registry, &plan).await? {
            Ok(answer) => answer != Known::No,
            Err(no_answer) => return Ok(Settled::Unanswered(no_answer)),
        },
        None => {
            let patient = known.patient_id.as_deref().unwrap_or_default();
            let patient = PatientId::parse(patient).map_err(anyhow::Error::msg)?;
            match rad68::send(importing, &patient, &known.study, &plan).await? {
                Handover::Registered(_) => true,
                Handover::Refused(errors) => errors.iter().any(says_it_was_there),
                Handover::NotSent(no_answer) | Handover::Unknown(no_answer) => {
                    return Ok(Settled::Unanswered(no_answer));
                }
            }
        }
    };
    if arrived {
        remarks.push("an earlier import was cut short; its manifest is registered".to_owned());
        known.registered = Some(plan);
    }
    if known.registered.is_none() && !was_received(index, &known.study) {
        index.remove(&known.study.uid)?;
        return Ok(Settled::Known(None));
    }
    index.set_manifests(&known.study.uid, known.registered.as_ref(), None)?;
    Ok(Settled::Known(Some(Box::new(known))))
}

/// Hands the planned manifest in, with the plan in the index before and the answer after.
async fn hand_in(
    importing: &Importing<'_>,
    index: &Index,
    known: Option<Indexed>,
    mut now: Indexed,
    remarks: &mut Vec<String>,
) -> anyhow::Result<Attempt> {
    let Some(generation) = index.write(&now)? else {
        return Ok(Attempt::Changed);
    };
    now.generation = generation;
    let (Some(mut plan), Some(patient)) = (now.planned.clone(), now.patient_id.clone()) else {
        anyhow::bail!("a manifest is handed in that was not planned");
    };
    let uid = now.study.uid.clone();
    let registered = now.registered.as_ref();
    let patient = PatientId::parse(&patient).map_err(anyhow::Error::msg)?;
    let mut sent = rad68::send(importing, &patient, &now.study, &plan).await?;
    if let Some(current) = corrected(importing, registered, &sent).await? {
        plan.replaces = Some(current);
        index.set_manifests(&uid, registered, Some(&plan))?;
        sent = rad68::send(importing, &patient, &now.study, &plan).await?;
    }
    let sent = match sent {
        Handover::Refused(errors) => recognised(importing, &plan, errors).await?,
        sent => sent,
    };
    let (fate, warnings) = match sent {
        Handover::Registered(warnings) => {
            let manifest = plan.sop_instance_uid.clone();
            let fate = match plan.replaces.clone() {
                Some(replaced) => Fate::Replaced { manifest, replaced },
                None => Fate::Registered { manifest },
            };
            (fate, warnings)
        }
        Handover::Unknown(no_answer) => {
            return Ok(Attempt::Came(Fate::Unanswered(no_answer), generation));
        }
        Handover::Refused(errors) => {
            give_up(index, known, &now)?;
            return Ok(Attempt::Came(Fate::Refused(errors), generation));
        }
        Handover::NotSent(no_answer) => {
            give_up(index, known, &now)?;
            return Ok(Attempt::Came(Fate::Unanswered(no_answer), generation));
        }
    };
    let said = warnings.iter();
    remarks.extend(said.map(|it| format!("{}: {}", it.code, it.context)));
    index.set_manifests(&uid, Some(&plan), None)?;
    Ok(Attempt::Came(fate, generation))
}

/// A refusal may only mean that somebody has corrected the metadata of the manifest that is to be
/// replaced, so that there is another version of it now: this one is to be replaced.
async fn corrected(
    importing: &Importing<'_>,
    previous: Option<&Manifest>,
    sent: &Handover,
) -> anyhow::Result<Option<String>> {
    let Handover::Refused(errors) = sent else {
        return Ok(None);
    };
    let is_deprecated =
        |error: &RegistryError| error.code == ErrorCode::RegistryDeprecatedDocumentError;
    let (Some(registry), Some(previous)) = (importing.registry, previous) else {
        return Ok(None);
    };
    if !errors.iter().any(is_deprecated) {
        return Ok(None);
    }
    let current = iti18::current(importing, registry, previous).await?;
    // Without an answer the refusal stands.
    Ok(current.unwrap_or_default())
}

/// A refusal may only mean that this very manifest is registered: if the index was lost, its names
/// come out the same. The registry knows.
async fn recognised(
    importing: &Importing<'_>,
    plan: &Manifest,
    errors: Vec<RegistryError>,
) -> anyhow::Result<Handover> {
    let Some(registry) = importing
        .registry
        .filter(|_| errors.iter().any(says_it_was_there))
    else {
        return Ok(Handover::Refused(errors));
    };
    Ok(match iti18::send(importing, registry, plan).await? {
        Ok(Known::Approved) => Handover::Registered(Vec::new()),
        _ => Handover::Refused(errors),
    })
}

/// Whether the reason of a refusal is that something of these names is there already.
pub(super) fn says_it_was_there(error: &RegistryError) -> bool {
    use ErrorCode::{DuplicateUniqueIdInRegistry, NonIdenticalHash, NonIdenticalSize};
    matches!(
        error.code,
        DuplicateUniqueIdInRegistry | NonIdenticalHash | NonIdenticalSize
    )
}

/// Whether something of a study was sent here and acknowledged, or is in an archive beside us: then it
/// stays, whatever the registry says. What only lies in folders that were imported is served when it
/// can be found.
fn was_received(index: &Index, study: &Study) -> bool {
    let objects = index.objects();
    let is_ours = |place: &Place| match place {
        Place::File { path, .. } => path.starts_with(&objects),
        Place::Archive(_) => true,
    };
    study.instances().any(|instance| is_ours(&instance.place))
}

/// The manifest was not taken.
fn give_up(index: &Index, known: Option<Indexed>, now: &Indexed) -> anyhow::Result<()> {
    let uid = &now.study.uid;
    let changed = index.generation(uid)? != Some(now.generation);
    match known {
        // Nor must what arrived meanwhile go with the rest.
        _ if was_received(index, &now.study) || changed => {
            index.set_manifests(uid, now.registered.as_ref(), None)
        }
        Some(known) => {
            let before = Indexed {
                generation: now.generation,
                ..known
            };
            index.write(&before).map(drop)
        }
        None => index.remove(uid),
    }
}
