//! What instances say, without their pixels: DICOM JSON (PS3.18 annex F).

use std::io;

use hilum_dicom::{json, walk};

use super::super::asked::Asked;
use super::super::refused::Refused;
use super::{Found, Given, Instance, written_json};

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
