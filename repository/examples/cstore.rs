//! How fast an application entity takes CT slices of 525 kB: sends made-up ones by C-STORE.
//!
//! `cargo run --release --example cstore -- AE@HOST:PORT OBJECTS ASSOCIATIONS`

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use hilum_dicom::part10;
use hilum_repository::imaging::dimse::requestor::to_send;
use hilum_repository::imaging::dimse::{Peer, Requestor};
use hilum_transport::Limits;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [peer, objects, associations] = &arguments[..] else {
        anyhow::bail!("AE@HOST:PORT OBJECTS ASSOCIATIONS");
    };
    let (ae_title, address) = peer.split_once('@').context("no AE title")?;
    let (host, port) = address.rsplit_once(':').context("no port")?;
    let peer = Peer {
        ae_title: ae_title.to_owned(),
        host: host.to_owned(),
        port: port.parse()?,
        tls: false,
    };
    let (objects, associations): (usize, usize) = (objects.parse()?, associations.parse()?);
    let folder = tempfile::tempdir()?;
    let files = made(folder.path(), objects)?;
    let begun = Instant::now();
    let mut sending = Vec::new();
    for files in files.chunks(objects.div_ceil(associations)) {
        let (peer, files) = (peer.clone(), files.to_vec());
        sending.push(tokio::spawn(send(peer, files)));
    }
    for sent in sending {
        sent.await??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let rate = objects as f64 / seconds;
    println!(
        "{ae_title}: {objects} objects on {associations} associations in {seconds:.2} s: \
         {rate:.0} objects/s, {:.0} MB/s",
        rate * 0.525
    );
    Ok(())
}

async fn send(peer: Peer, files: Vec<PathBuf>) -> anyhow::Result<()> {
    let requestor = Requestor::new("CT1", None, Limits::default());
    let wanted = to_send(&files[0])?.wanted();
    let mut requested = requestor.associate(&peer, &[wanted]).await?;
    for file in &files {
        requested.store(&to_send(file)?).await?;
    }
    Ok(requested.release().await?)
}

/// Slices of one study for each association or so.
fn made(folder: &Path, count: usize) -> anyhow::Result<Vec<PathBuf>> {
    let root = format!("2.25.{}", std::process::id());
    let mut files = Vec::with_capacity(count);
    for number in 0..count {
        let study = format!("{root}.{}", number / 250);
        let series = format!("{study}.1");
        let instance = format!("{series}.{number}");
        let mut bytes = part10::beginning(CT, &instance, EXPLICIT);
        let texts = [
            (0x0008, 0x0016, "UI", CT),
            (0x0008, 0x0018, "UI", &instance),
            (0x0008, 0x0020, "DA", "20260102"),
            (0x0008, 0x0030, "TM", "101112"),
            (0x0008, 0x0060, "CS", "CT"),
            (0x0010, 0x0010, "PN", "Load^Test"),
            (0x0010, 0x0020, "LO", "LOAD"),
            (0x0020, 0x000D, "UI", &study),
            (0x0020, 0x000E, "UI", &series),
            (0x0020, 0x0013, "IS", &number.to_string()),
        ];
        for (group, element, vr, text) in texts {
            put(&mut bytes, group, element, vr, text.as_bytes())?;
        }
        let numbers: [(u16, u16); 7] = [
            (0x0002, 1),
            (0x0010, 512),
            (0x0011, 512),
            (0x0100, 16),
            (0x0101, 12),
            (0x0102, 11),
            (0x0103, 0),
        ];
        for (element, value) in numbers {
            put(&mut bytes, 0x0028, element, "US", &value.to_le_bytes())?;
        }
        let pixels = 512 * 512 * 2_u32;
        bytes.extend([0xE0, 0x7F, 0x10, 0x00]);
        bytes.extend(b"OW\0\0");
        bytes.extend(pixels.to_le_bytes());
        let mut noise = number as u32 | 1;
        bytes.extend((0..pixels).map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        }));
        let file = folder.join(format!("{number}.dcm"));
        std::fs::write(&file, bytes)?;
        files.push(file);
    }
    Ok(files)
}

fn put(
    bytes: &mut Vec<u8>,
    group: u16,
    element: u16,
    vr: &str,
    value: &[u8],
) -> anyhow::Result<()> {
    bytes.extend(group.to_le_bytes());
    bytes.extend(element.to_le_bytes());
    bytes.extend(vr.as_bytes());
    let padded = value.len().next_multiple_of(2);
    bytes.extend(u16::try_from(padded)?.to_le_bytes());
    bytes.extend(value);
    if padded > value.len() {
        bytes.push(if vr == "UI" { 0 } else { b' ' });
    }
    Ok(())
}
