//! `[[imaging.archive]]`: archives beside the imaging source, such as the hospital's PACS.

use std::collections::BTreeSet;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hilum_repository::imaging::archives::{ArchiveConfig, Credentials, Road};
use hilum_repository::imaging::dimse::Peer;
use serde::Deserialize;

use super::{Config, ConfigError, is_ae_title, urls};

/// Characters of a name.
const NAME: usize = 32;

/// One archive.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ArchiveSection {
    name: String,
    /// What stands before `/studies`.
    dicomweb: Option<String>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    /// `AE@HOST:PORT`
    dimse: Option<String>,
    #[serde(default)]
    dimse_tls: bool,
    own_ae_title: Option<String>,
    #[serde(default)]
    modalities: Vec<String>,
    /// `YYYY-MM-DD`
    since: Option<String>,
    days: Option<NonZeroU32>,
    interval_seconds: Option<NonZeroU32>,
    recent_days: Option<NonZeroU32>,
    sweep_seconds: Option<NonZeroU32>,
    parallel_requests: Option<NonZeroU16>,
    answer_seconds: Option<NonZeroU16>,
    keep_bytes: Option<u64>,
}

impl ArchiveSection {
    pub(super) fn resolve(&mut self, folder: &Path) {
        let files = [&mut self.password_file, &mut self.token_file];
        for file in files.into_iter().flatten() {
            *file = folder.join(&*file);
        }
    }

    /// The files of secrets that it names, and the keys that name them.
    pub(super) fn secret_files(&self) -> impl Iterator<Item = (String, &Path)> {
        let files = [
            ("password_file", &self.password_file),
            ("token_file", &self.token_file),
        ];
        files.into_iter().filter_map(|(key, file)| {
            let name = &self.name;
            Some((format!("imaging.archive {name:?}: {key}"), file.as_deref()?))
        })
    }

    fn said(&self, key: &str, problem: impl std::fmt::Display) -> ConfigError {
        let name = &self.name;
        ConfigError(format!("imaging.archive {name:?}: {key}: {problem}"))
    }

    /// What can be judged without reading files.
    fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || self.name.len() > NAME || !self.name.chars().all(is_letter) {
            let problem = format!("it has 1 to {NAME} letters, digits, - and _");
            return Err(self.said("name", problem));
        }
        let is_code = |it: &String| {
            let mut letters = it.chars();
            !it.is_empty() && it.len() <= 16 && letters.all(|c| c.is_ascii_alphanumeric())
        };
        if !self.modalities.iter().all(is_code) {
            return Err(self.said("modalities", "they are codes such as \"CT\""));
        }
        self.since()?;
        let secrets = [&self.password_file, &self.token_file];
        match (&self.dicomweb, &self.dimse) {
            (Some(url), None) => self.check_url(config, url),
            (None, Some(_)) if self.user.is_some() || secrets.iter().any(|it| it.is_some()) => {
                Err(self.said(
                    "dimse",
                    "user, password_file and token_file are for dicomweb",
                ))
            }
            (None, Some(_)) => self.check_dimse(config),
            _ => Err(self.said(
                "dicomweb",
                "either it or dimse says how the archive is asked",
            )),
        }
    }

    fn check_url(&self, config: &Config, url: &str) -> Result<(), ConfigError> {
        let problem = match url.split_once("://") {
            Some(("https", _)) if config.tls.is_none() => {
                "without [tls] there is no certificate to show it"
            }
            Some(("http" | "https", _)) => match urls::check(url) {
                Ok(_) => return Ok(()),
                Err(problem) => problem,
            },
            _ => "it is a URL such as https://pacs.example/dicom-web, without anything behind",
        };
        Err(self.said("dicomweb", problem))
    }

    fn check_dimse(&self, config: &Config) -> Result<(), ConfigError> {
        self.peer()?;
        if self.dimse_tls && config.tls.is_none() {
            let problem = "without [tls] there is no certificate to show it";
            return Err(self.said("dimse_tls", problem));
        }
        if !is_ae_title(self.own_ae_title(config)) {
            return Err(self.said("own_ae_title", "it has 1 to 16 letters, digits or signs"));
        }
        if config.dicom.addresses().next().is_none() {
            let problem = "what the archive sends comes to [dicom], and dicom.listen is not there";
            return Err(self.said("dimse", problem));
        }
        Ok(())
    }

    fn own_ae_title<'a>(&'a self, config: &'a Config) -> &'a str {
        let own = self.own_ae_title.as_deref();
        own.unwrap_or(config.dicom.ae_title())
    }

    fn peer(&self) -> Result<Peer, ConfigError> {
        let text = self.dimse.as_deref().unwrap_or_default();
        let parts = text.split_once('@').and_then(|(title, address)| {
            let (host, port) = address.rsplit_once(':')?;
            let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
            (is_ae_title(title) && !host.is_empty()).then_some((title, host, port))
        });
        let (title, host, port) =
            parts.ok_or_else(|| self.said("dimse", "it is not AE@HOST:PORT"))?;
        Ok(Peer {
            ae_title: title.to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            tls: self.dimse_tls,
        })
    }

    /// As DICOM writes dates.
    fn since(&self) -> Result<Option<String>, ConfigError> {
        let Some(text) = &self.since else {
            return Ok(None);
        };
        let digits: String = text.split('-').collect();
        let date = text.len() == 10 && text.split('-').map(str::len).eq([4, 2, 2]);
        match date && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => Ok(Some(digits)),
            false => Err(self.said("since", format!("{text:?} is not YYYY-MM-DD"))),
        }
    }

    /// As whom it is asked. What is secret is in a file, or in a variable of the environment.
    fn credentials(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Credentials, ConfigError> {
        let name = self.name.to_ascii_uppercase().replace('-', "_");
        let secret = |key: &str, file: &Option<PathBuf>| match file {
            Some(file) => {
                let content = std::fs::read_to_string(file);
                let content = content
                    .map_err(|error| self.said(key, format!("the file cannot be read: {error}")))?;
                Ok(Some(content.trim_end().to_owned()))
            }
            None => Ok(None),
        };
        let password = secret("password_file", &self.password_file)?
            .or_else(|| variable(&format!("HILUM_ARCHIVE_{name}_PASSWORD")));
        let token = secret("token_file", &self.token_file)?
            .or_else(|| variable(&format!("HILUM_ARCHIVE_{name}_TOKEN")));
        match (&self.user, password, token) {
            (Some(user), Some(password), None) => Ok(Credentials::Basic {
                user: user.clone(),
                password,
            }),
            (None, None, Some(token)) => Ok(Credentials::Bearer(token)),
            (None, None, None) => Ok(Credentials::None),
            (Some(_), None, _) => Err(self.said("user", "password_file is needed too")),
            (None, Some(_), _) => Err(self.said("password_file", "user is needed too")),
            _ => Err(self.said("token_file", "there is a user already")),
        }
    }

    fn open(
        &self,
        config: &Config,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<ArchiveConfig, ConfigError> {
        let road = match &self.dicomweb {
            Some(url) => Road::DicomWeb {
                url: url.clone(),
                credentials: self.credentials(variable)?,
            },
            None => Road::Dimse {
                peer: self.peer()?,
                own_ae_title: self.own_ae_title(config).to_owned(),
            },
        };
        let seconds = |given: Option<u64>, usual| given.map_or(usual, Duration::from_secs);
        let usual = ArchiveConfig::new(&self.name, road);
        Ok(ArchiveConfig {
            modalities: self.modalities.clone(),
            since: self.since()?,
            days: self.days.map(NonZeroU32::get),
            interval: seconds(
                self.interval_seconds.map(|it| it.get().into()),
                usual.interval,
            ),
            sweep: seconds(self.sweep_seconds.map(|it| it.get().into()), usual.sweep),
            patience: seconds(
                self.answer_seconds.map(|it| it.get().into()),
                usual.patience,
            ),
            recent_days: self.recent_days.map_or(usual.recent_days, NonZeroU32::get),
            parallel_requests: self
                .parallel_requests
                .map_or(usual.parallel_requests, |it| it.get().into()),
            keep_bytes: self.keep_bytes.unwrap_or(usual.keep_bytes),
            ..usual
        })
    }
}

impl Config {
    pub(super) fn check_archives(&self) -> Result<(), ConfigError> {
        let mut names = BTreeSet::new();
        for archive in &self.imaging.archive {
            archive.check(self)?;
            if !names.insert(&archive.name) {
                return Err(archive.said("name", "there are two of this name"));
            }
        }
        Ok(())
    }

    /// The archives beside the imaging source. Reads the files of their secrets; `variable` is the
    /// environment.
    pub(crate) fn archives(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<ArchiveConfig>, ConfigError> {
        let archives = self.imaging.archive.iter();
        archives.map(|it| it.open(self, variable)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let text = format!(
            "home_community_id = 'urn:oid:1.2.3'\ndata = 'data'\n[affinity_domain]\n\
             patient_id_authority = '1.2.4'\ncodes = 'codes.xml'\n\
             [imaging]\nlisten = '127.0.0.1:18402'\n{text}"
        );
        Config::read(&text, std::iter::empty(), Path::new("/node")).map_err(|error| error.0)
    }

    fn nothing(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn an_archive_is_read() {
        let text = "[[imaging.archive]]\nname = 'PACS1'\ndicomweb = 'http://127.0.0.1:8042/dicom-web'\n\
                    modalities = ['CT', 'MR']\nsince = '2020-01-31'\nanswer_seconds = 7\n\
                    [[imaging.archive]]\nname = 'old'\ndimse = 'OLD@[::1]:104'\n\
                    [dicom]\nlisten = '127.0.0.1:18410'\nae_title = 'CENTRE'";
        let archives = read(text).unwrap().archives(&nothing).unwrap();
        assert_eq!(archives[0].since.as_deref(), Some("20200131"));
        assert_eq!(archives[0].patience, Duration::from_secs(7));
        assert_eq!(archives[0].interval, Duration::from_secs(300));
        let Road::Dimse { peer, own_ae_title } = &archives[1].road else {
            panic!("{archives:?}");
        };
        assert_eq!((peer.host.as_str(), peer.port), ("::1", 104));
        assert_eq!(own_ae_title, "CENTRE");
    }

    #[test]
    fn secrets_come_from_files_and_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "abc\n").unwrap();
        let of = |keys: &str| {
            let url = "dicomweb = 'http://127.0.0.1/x'";
            read(&format!(
                "[[imaging.archive]]\nname = 'pacs-1'\n{url}\n{keys}"
            ))
            .unwrap()
        };
        let config = of(&format!("token_file = '{}'", file.display()));
        let archives = config.archives(&nothing).unwrap();
        let Road::DicomWeb { credentials, .. } = &archives[0].road else {
            panic!("{archives:?}");
        };
        assert!(matches!(credentials, Credentials::Bearer(token) if token == "abc"));
        let secret = |name: &str| {
            (name == "HILUM_ARCHIVE_PACS_1_PASSWORD").then(|| "a very secret word".to_owned())
        };
        let archives = of("user = 'hilum'").archives(&secret).unwrap();
        assert!(format!("{archives:?}").contains("Basic"));
        assert!(!format!("{archives:?}").contains("secret word"));
        assert!(of("user = 'hilum'").archives(&nothing).is_err());
    }

    #[test]
    fn what_cannot_be() {
        let web = "dicomweb = 'http://127.0.0.1/x'";
        let cases = [
            (format!("name = 'a/b'\n{web}"), "name"),
            ("name = 'a'".to_owned(), "either it or dimse"),
            (
                format!("name = 'a'\n{web}\ndimse = 'A@b:1'"),
                "either it or dimse",
            ),
            (
                "name = 'a'\ndicomweb = 'https://b/x'".to_owned(),
                "without [tls]",
            ),
            (
                "name = 'a'\ndicomweb = 'http://b/x?y'".to_owned(),
                "it is scheme, host, port and path",
            ),
            ("name = 'a'\ndimse = 'A@b'".to_owned(), "AE@HOST:PORT"),
            (
                "name = 'a'\ndimse = 'A@b:104'".to_owned(),
                "dicom.listen is not there",
            ),
            (
                format!("name = 'a'\n{web}\nsince = '31.1.2020'"),
                "YYYY-MM-DD",
            ),
            (
                format!("name = 'a'\n{web}\nmodalities = ['C&T']"),
                "modalities",
            ),
            (
                format!("name = 'a'\n{web}\nintervall_seconds = 1"),
                "did you mean imaging.archive.interval_seconds?",
            ),
            (
                format!("name = 'a'\n{web}\n[[imaging.archive]]\nname = 'a'\n{web}"),
                "two of this name",
            ),
        ];
        for (text, said) in cases {
            let refused = read(&format!("[[imaging.archive]]\n{text}")).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }
}
