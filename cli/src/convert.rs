//! `hilum convert`: makes volumes (NIfTI-1) of the series of a study that the imaging source has.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use hilum_dicom::Uid;
use hilum_repository::imaging::convert::{self, Conversion, ConvertedSeries};
use hilum_repository::imaging::{Importing, VolumeFate};
use serde_json::{Value, json};
use thiserror::Error;

use crate::client::Node;
use crate::import::{Unanswered, volumes};
use crate::rooms;
use crate::status::Usage;
use crate::terminal::{Table, printable, say, say_json, tell, waiting};

#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is resampled, and nothing is made up: series that are no volume are told with the reason. With
--register, a volume is a document of the patient that is linked to the study's manifest (XFRM). The
same series gives the same bytes, and is registered once.

Examples:
  hilum convert --study 1.2.840.99.5 --out volumes
  hilum convert --study 1.2.840.99.5 --series 1.2.840.99.5.2 --register")]
pub(crate) struct Arguments {
    /// Study Instance UID
    #[arg(long, value_name = "UID")]
    study: String,
    /// Only this series, by Series Instance UID
    #[arg(long, value_name = "UID")]
    series: Option<String>,
    #[command(flatten)]
    to: To,
    /// The node whose imaging source has the study
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    /// What became of each series as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct To {
    /// The folder for volumes, sidecars and gradients
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Hand the volumes in as documents (ITI-41)
    #[arg(long)]
    register: bool,
}

/// Some series were to be volumes and are none, or not registered; the lines before say why.
#[derive(Debug, Error)]
#[error("{0}")]
struct Incomplete(String);

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let uid = |text: &str| {
        Uid::parse(text).map_err(|problem| Usage(format!("{}: {problem}", printable(text))))
    };
    let study = uid(&arguments.study)?;
    let series = arguments.series.as_deref().map(uid).transpose()?;
    let node = Node::open(&arguments.config)?;
    let codes = rooms::affinity_codes(&node.config)?;
    let config = rooms::imaging_config(&node.config, &codes)?;
    let registry = node.config.registry_url();
    let bar = waiting("converting");
    let converted = match &arguments.to.out {
        Some(folder) => convert::to_folder(&config, &study, series.as_ref(), folder).await,
        None => {
            let importing = Importing {
                config: &config,
                codes: &codes,
                repository: &node.repository()?,
                registry: registry.as_deref(),
                client: &node.client,
                audit: &node.ledger()?,
                now: SystemTime::now(),
            };
            convert::to_documents(&importing, &study, series.as_ref()).await
        }
    };
    bar.finish_and_clear();
    let converted = converted?;
    match arguments.json {
        true => {
            let all: Vec<Value> = converted.iter().map(one).collect();
            say_json(&json!({ "study": study.as_str(), "series": all }))?;
        }
        false => show(&converted)?,
    }
    judge(&converted, series.is_some())
}

fn word(conversion: &Conversion) -> &'static str {
    match conversion {
        Conversion::Written(_) => "Written",
        Conversion::Document { fate, .. } => volumes::word(fate),
        Conversion::Unsuitable(_) => "No volume",
    }
}

/// One line for each series on standard output, what is worth saying on standard error.
fn show(converted: &[ConvertedSeries]) -> std::io::Result<()> {
    let mut table = Table::new(&[
        "SERIES IS",
        "NUMBER",
        "MODALITY",
        "VOXELS",
        "VOLUME",
        "SERIES",
    ]);
    for series in converted {
        let volume = match &series.conversion {
            Conversion::Written(files) => files.first().map(|it| it.display().to_string()),
            Conversion::Document { document, .. } => Some(document.to_string()),
            Conversion::Unsuitable(_) => None,
        };
        table.row(vec![
            word(&series.conversion).to_owned(),
            series.number.map(|it| it.to_string()).unwrap_or_default(),
            series.modality.clone().unwrap_or_default(),
            series.size.map(voxels).unwrap_or_default(),
            volume.as_deref().map(printable).unwrap_or_default(),
            series.series_instance_uid.to_string(),
        ]);
    }
    say(&table.text())?;
    for series in converted {
        let reason = match &series.conversion {
            Conversion::Written(_) => None,
            Conversion::Document { fate, .. } => volumes::reason(fate),
            Conversion::Unsuitable(why) => Some(printable(why)),
        };
        let remarks = series.remarks.iter().map(|remark| printable(remark));
        for line in remarks.chain(reason) {
            tell(&format!("series {}: {line}", series.series_instance_uid));
        }
    }
    Ok(())
}

/// 512x512x40, and how many of it if there are several.
fn voxels([columns, rows, slices, volumes]: [u16; 4]) -> String {
    match volumes {
        0 | 1 => format!("{columns}x{rows}x{slices}"),
        _ => format!("{columns}x{rows}x{slices}x{volumes}"),
    }
}

fn one(series: &ConvertedSeries) -> Value {
    let mut json = json!({
        "seriesInstanceUID": series.series_instance_uid.as_str(),
        "number": series.number,
        "modality": series.modality,
        "size": series.size,
        "fate": word(&series.conversion),
        "remarks": series.remarks,
    });
    match &series.conversion {
        Conversion::Written(files) => json["files"] = json!(files),
        Conversion::Document { document, fate } => {
            json["document"] = json!(document.as_str());
            volumes::add(fate, &mut json);
        }
        Conversion::Unsuitable(why) => json["reason"] = json!(why),
    }
    json
}

/// Studies have series that are no volumes: that is a failure only of the one that was named, or if
/// nothing was made at all. That a volume is not registered always is.
fn judge(converted: &[ConvertedSeries], named: bool) -> anyhow::Result<()> {
    let fates = converted.iter().filter_map(|it| match &it.conversion {
        Conversion::Document { fate, .. } => Some(fate),
        _ => None,
    });
    let bad: Vec<&VolumeFate> = fates.filter(|it| !volumes::is_registered(it)).collect();
    for fate in &bad {
        if let VolumeFate::Unanswered(why) = fate {
            return Err(Unanswered(why.clone()).into());
        }
    }
    if !bad.is_empty() {
        let of = converted.len();
        return Err(Incomplete(format!("{} of {of} series are not registered", bad.len())).into());
    }
    let unsuitable = |it: &ConvertedSeries| matches!(it.conversion, Conversion::Unsuitable(_));
    match converted.iter().all(unsuitable) {
        true if named => Err(Incomplete("the series is no volume".to_owned()).into()),
        true => Err(Incomplete("no series of the study is a volume".to_owned()).into()),
        false => Ok(()),
    }
}
