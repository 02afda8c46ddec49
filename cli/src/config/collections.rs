//! `[[imaging.collection]]`: what the imaging source asks of objects at its door.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hilum_dicom::deidentify::{Key, Profile};
use hilum_dicom::quality::RuleCard;
use hilum_repository::imaging::gate::{Collection, Deidentification, Gate};
use serde::Deserialize;

use super::{Config, ConfigError, real};

/// How a watched folder is named in `from`.
const FOLDER: &str = "folder ";

/// One collection.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct CollectionSection {
    name: String,
    /// Where its objects come from.
    #[serde(default)]
    from: Vec<String>,
    /// The file of its rule card.
    card: Option<PathBuf>,
    /// The file of its profile for de-identification.
    deidentify: Option<PathBuf>,
    /// The file of the secret from which pseudonyms are made.
    key_file: Option<PathBuf>,
}

impl CollectionSection {
    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn resolve(&mut self, folder: &Path) {
        for from in &mut self.from {
            if let Some(watched) = from.strip_prefix(FOLDER) {
                *from = format!("{FOLDER}{}", real(&folder.join(watched)).display());
            }
        }
        let files = [&mut self.card, &mut self.deidentify, &mut self.key_file];
        for file in files.into_iter().flatten() {
            *file = folder.join(&*file);
        }
    }

    /// A collection that is never reached is a mistake, by which something might be kept that was to be
    /// de-identified: folders must be watched.
    pub(super) fn check_folders(&self, watched: &[PathBuf]) -> Result<(), ConfigError> {
        for from in &self.from {
            let Some(folder) = from.strip_prefix(FOLDER) else {
                continue;
            };
            if !watched.iter().any(|it| it == Path::new(folder)) {
                return Err(ConfigError(format!(
                    "imaging.collection {}: from: the folder {folder} is not one of imaging.watch",
                    self.name
                )));
            }
        }
        Ok(())
    }

    fn open(&self) -> Result<Collection, ConfigError> {
        let said = |key: &str, problem: &dyn std::fmt::Display| {
            ConfigError(format!(
                "imaging.collection {}: {key}: {problem}",
                self.name
            ))
        };
        let read = |key: &str, file: &Path| {
            std::fs::read(file).map_err(|error| said(key, &format!("{}: {error}", file.display())))
        };
        let text = |key: &str, file: &Path| {
            let text = String::from_utf8(read(key, file)?);
            text.map_err(|_| said(key, &format!("{} is not UTF-8", file.display())))
        };
        let card = match &self.card {
            Some(file) => {
                let card = RuleCard::parse(&text("card", file)?);
                let shown = file.display();
                Some(card.map_err(|error| said("card", &format!("{shown}: {error}")))?)
            }
            None => None,
        };
        let deidentify = match (&self.deidentify, &self.key_file) {
            (Some(profile), Some(secret)) => {
                let shown = profile.display();
                let profile = Profile::parse(&text("deidentify", profile)?);
                let profile =
                    profile.map_err(|error| said("deidentify", &format!("{shown}: {error}")))?;
                let key = Key::new(&read("key_file", secret)?);
                let key = key.map_err(|error| said("key_file", &error))?;
                Some(Deidentification { profile, key })
            }
            (Some(_), None) => {
                return Err(said(
                    "key_file",
                    &"deidentify needs a secret, and there is none",
                ));
            }
            (None, Some(_)) => return Err(said("deidentify", &"there is key_file without it")),
            (None, None) => None,
        };
        Ok(Collection {
            name: self.name.clone(),
            from: self.from.clone(),
            card,
            deidentify,
        })
    }
}

impl CollectionSection {
    /// What it asks, or what is wrong or doubtful with it.
    fn check(&self) -> Result<String, String> {
        let collection = self.open().map_err(|ConfigError(problem)| problem)?;
        let name = &self.name;
        match &self.key_file {
            Some(secret) if others_read(secret) => Err(format!(
                "imaging.collection {name}: key_file: {}: others on this machine can read it",
                secret.display()
            )),
            _ => Ok(format!("{name}: {}", asks(&collection))),
        }
    }
}

/// Whoever reads the secret can find out who patients are.
fn others_read(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

fn asks(collection: &Collection) -> String {
    let mut asks = Vec::new();
    if let Some(card) = &collection.card {
        asks.push(format!("card {} {}", card.name, card.version));
    }
    if collection.deidentify.is_some() {
        asks.push("de-identified".to_owned());
    }
    if asks.is_empty() {
        asks.push("takes everything as it is".to_owned());
    }
    if !collection.from.is_empty() {
        asks.push(format!("from {}", collection.from.join(", ")));
    }
    asks.join(", ")
}

impl Config {
    /// What is to be said of each collection.
    pub(crate) fn check_collections(&self) -> Vec<Result<String, String>> {
        let collections = self.imaging.collection.iter();
        collections.map(CollectionSection::check).collect()
    }

    /// The gate of the imaging source. Reads the files of its collections.
    pub(crate) fn gate(&self) -> Result<Gate, ConfigError> {
        let collections = self.imaging.collection.iter();
        let collections: Vec<Collection> = collections
            .map(CollectionSection::open)
            .collect::<Result<_, _>>()?;
        self.two_of_a_name()?;
        Ok(Gate::new(collections))
    }

    /// Fails if two collections have the same name.
    pub(crate) fn two_of_a_name(&self) -> Result<(), ConfigError> {
        let collections = &self.imaging.collection;
        for (number, collection) in collections.iter().enumerate() {
            let name = &collection.name;
            if collections[..number]
                .iter()
                .any(|other| other.name == *name)
            {
                let problem = format!("imaging.collection: there are two of the name {name}");
                return Err(ConfigError(problem));
            }
        }
        Ok(())
    }
}
