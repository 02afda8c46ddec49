//! What instances say, without their pixels: DICOM JSON (PS3.18 annex F).

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use dicom_dictionary_std::tags;
use hilum_dicom::walk::{DataSet, Part10};
use hilum_dicom::{Uid, json, walk};

use super::super::asked::Asked;
use super::super::refused::Refused;
use super::{EXPLICIT, Found, Given, Instance, elsewhere, written_json};
use crate::imaging::Room;
use crate::imaging::place::{self, ToGive};

/// Gives a list of data sets. They are read while the list is sent.
pub(super) fn give(asked: &Asked, found: Found) -> Result<Given, Refused> {
    asked.takes_json()?;
    let (base, instances) = (asked.base.clone(), found.instances.clone());
    let gzip = asked.gzip;
    let count = instances.len();
    let reply = found.partly(asked, count, move |status| {
        written_json(status, gzip, move |out| {
            for (at, instance) in instances.iter().enumerate() {
                out.write_all(if at == 0 { b"[" } else { b"," })?;
                out.write_all(of_instance(instance, &base)?.as_bytes())?;
            }
            out.write_all(b"]")
        })
    });
    Ok(Given::of(&found, &found.instances, reply))
}

/// The same of a study of which something is in archives: what those say passes through us, as far as
/// it is about instances that are wanted. Only addresses of values are ours.
pub(super) async fn give_with_archives(
    room: &Arc<Room>,
    asked: Asked,
    found: Found,
) -> Result<Given, Refused> {
    asked.takes_json()?;
    let told = place::tell(room, &found.elsewhere).await?;
    let told = told.map_err(elsewhere::refused)?;
    let (base, instances, gzip) = (asked.base.clone(), found.instances.clone(), asked.gzip);
    let wanted: HashMap<Uid, ToGive> = found
        .elsewhere
        .iter()
        .map(|it| (it.stored.sop_instance_uid.clone(), it.clone()))
        .collect();
    let count = found.wanted - instances.len() - wanted.len();
    let classes = found
        .elsewhere
        .iter()
        .map(|it| it.stored.sop_class_uid.clone());
    let classes: Vec<Uid> = classes.collect();
    let runtime = tokio::runtime::Handle::current();
    let reply = found.partly(&asked, found.wanted - count, move |status| {
        written_json(status, gzip, move |out| {
            let mut begun = false;
            let mut write = |json: &str| {
                out.write_all(if begun { b"," } else { b"[" })?;
                begun = true;
                out.write_all(json.as_bytes())
            };
            for instance in &instances {
                write(&of_instance(instance, &base)?)?;
            }
            for telling in told {
                let each = |data: DataSet| match of_archived(data, &wanted, &base) {
                    Some(json) => write(&json).map_err(|error| error.to_string()),
                    None => Ok(()),
                };
                let done = runtime.block_on(telling.tell(each));
                done.map_err(io::Error::other)?;
            }
            out.write_all(if begun { b"]" } else { b"[]" })
        })
    });
    let mut given = Given::of(&found, &found.instances, reply);
    for class in classes {
        *given.classes.entry(class.to_string()).or_default() += 1;
    }
    given.missing = count;
    Ok(given)
}

fn of_archived(data: DataSet, wanted: &HashMap<Uid, ToGive>, base: &str) -> Option<String> {
    let uid = Uid::parse(&data.ascii(tags::SOP_INSTANCE_UID)?).ok()?;
    let instance = wanted.get(&uid)?;
    let series = data.ascii(tags::SERIES_INSTANCE_UID)?;
    let study = data.ascii(tags::STUDY_INSTANCE_UID)?;
    if series != instance.series.as_str() || study != instance.study.as_str() {
        return None;
    }
    let url = format!("{base}/studies/{study}/series/{series}/instances/{uid}");
    let file = Part10 {
        meta: DataSet::default(),
        data,
        transfer_syntax_uid: EXPLICIT.to_owned(),
        data_offset: 0,
    };
    Some(json::metadata(&file, &|place| {
        format!("{url}/bulkdata/{place}")
    }))
}

fn of_instance(instance: &Instance, base: &str) -> io::Result<String> {
    let file = walk::whole_file(&instance.path).map_err(|error| {
        // What was begun cannot be taken back, so the connection breaks off.
        tracing::error!(path = %instance.path.display(), %error, "an instance cannot be read");
        io::Error::other(error)
    })?;
    let url = instance.url(base);
    Ok(json::metadata(&file, &|place| {
        format!("{url}/bulkdata/{place}")
    }))
}
