//! The files of a node's key, certificate and trust, read as a whole.

use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::sha::Sha256;
use openssl::x509::{X509, X509Crl};
use serde::Deserialize;
use thiserror::Error;

use super::rules::{PeerRules, Pin};

/// Longer files are no keys, certificates or revocation lists that anybody means.
const FILE_BYTES: u64 = 64 << 20;
/// The most files that are taken from one folder of revocation lists.
const FOLDER_FILES: usize = 1000;
/// How revocation lists in a folder are called. What is still being fetched has another name.
const LIST_ENDINGS: [&str; 3] = ["crl", "der", "pem"];
/// What the text form of a revocation list begins with.
const PEM_CRL: &str = "-----BEGIN X509 CRL-----";
/// What it ends with.
const PEM_CRL_END: &str = "-----END X509 CRL-----";

/// Where key, certificate and trust are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// PEM: this node's certificate, followed by intermediate authorities if there are any.
    pub certificate: PathBuf,
    /// PEM: the private key of the certificate.
    pub key: PathBuf,
    /// PEM files with authorities and single certificates that are trusted.
    pub trust: Vec<PathBuf>,
    /// Whether callers must show a certificate. Only ever turned off for trying things out.
    #[serde(default = "yes")]
    pub client_certificate_required: bool,
    /// Whether our client checks that the server's certificate names the host it connected to.
    /// ITI-19 holds that such names add no security when trust is a list of one's own.
    #[serde(default = "yes")]
    pub check_server_name: bool,
}

const fn yes() -> bool {
    true
}

/// Why a TLS configuration cannot be made.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nobody is trusted, so nobody could connect.
    #[error("no trusted certificates are configured: name at least one file in `trust`")]
    NobodyTrusted,
    /// The TLS library refused.
    #[error("the TLS library refused the configuration: {0}")]
    Library(#[from] ErrorStack),
}

/// What the files hold at one moment. A file that is written meanwhile is seen whole or not at all,
/// because everything that is made of them is made of this.
#[derive(Clone)]
pub(crate) struct Contents {
    pub(super) certificate: Bytes,
    pub(super) key: Bytes,
    pub(super) trust: Vec<Bytes>,
    pub(super) pinned: Vec<Bytes>,
    pub(super) revocation: Vec<Bytes>,
}

/// A file and what is in it.
#[derive(Clone)]
pub(super) struct Bytes {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

impl Bytes {
    pub(super) const fn is(&self, problem: &'static str, path: PathBuf) -> TlsError {
        TlsError::Content { path, problem }
    }

    fn wrong(&self, problem: &'static str) -> TlsError {
        self.is(problem, self.path.clone())
    }

    /// The certificates of a PEM file, one at least.
    pub(super) fn certificates(&self) -> Result<Vec<X509>, TlsError> {
        let certificates = certificates(&self.bytes, &self.path)?;
        match certificates.is_empty() {
            true => Err(self.wrong("holds no certificate in PEM form")),
            false => Ok(certificates),
        }
    }

    pub(super) fn private_key(&self) -> Result<PKey<Private>, TlsError> {
        private_key(&self.bytes, &self.path)
    }

    /// The revocation lists of a file: several in PEM form, or one in DER.
    pub(super) fn revocation_lists(&self) -> Result<Vec<X509Crl>, TlsError> {
        let problem = "holds something that is no revocation list in PEM or DER form";
        let wrong = |_| self.wrong(problem);
        let text = std::str::from_utf8(&self.bytes).ok();
        let Some(text) = text.filter(|text| text.contains(PEM_CRL)) else {
            return Ok(vec![X509Crl::from_der(&self.bytes).map_err(wrong)?]);
        };
        let mut lists = Vec::new();
        for list in text.split(PEM_CRL).skip(1) {
            let (body, _) = list.split_once(PEM_CRL_END).ok_or_else(|| {
                // As of a file that is still being written.
                self.wrong(problem)
            })?;
            let pem = format!("{PEM_CRL}{body}{PEM_CRL_END}\n");
            lists.push(X509Crl::from_pem(pem.as_bytes()).map_err(wrong)?);
        }
        Ok(lists)
    }
}

impl Contents {
    /// Reads every file.
    pub(crate) fn read(files: &TlsFiles, rules: &PeerRules) -> Result<Self, TlsError> {
        let all = |paths: &[PathBuf]| -> Result<Vec<Bytes>, TlsError> {
            paths.iter().map(|path| whole(path)).collect()
        };
        let pinned = rules.pinned.iter().filter_map(|pin| match pin {
            Pin::File(path) => Some(path.clone()),
            Pin::Fingerprint(_) => None,
        });
        Ok(Self {
            certificate: whole(&files.certificate)?,
            key: whole(&files.key)?,
            trust: all(&files.trust)?,
            pinned: all(&pinned.collect::<Vec<_>>())?,
            revocation: all(&lists(&rules.revocation)?)?,
        })
    }

    /// One number for each kind of file, which is another if a file is.
    pub(super) fn digests(&self) -> [(&'static str, [u8; 32]); 5] {
        let one = std::slice::from_ref;
        [
            ("certificate", digest(one(&self.certificate))),
            ("key", digest(one(&self.key))),
            ("trust", digest(&self.trust)),
            ("pinned certificates", digest(&self.pinned)),
            ("revocation lists", digest(&self.revocation)),
        ]
    }
}

fn digest(files: &[Bytes]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for file in files {
        for part in [file.path.as_os_str().as_encoded_bytes(), &file.bytes] {
            hasher.update(&part.len().to_be_bytes());
            hasher.update(part);
        }
    }
    hasher.finish()
}

/// The files of revocation lists, of which a folder may hold many.
fn lists(paths: &[PathBuf]) -> Result<Vec<PathBuf>, TlsError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable = |source| TlsError::File {
            path: path.clone(),
            source,
        };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            let ending = file.extension().and_then(|ending| ending.to_str());
            let is_list = ending.is_some_and(|ending| LIST_ENDINGS.contains(&ending));
            if is_list && file.is_file() {
                found.push(file);
            }
        }
        if found.len() > FOLDER_FILES {
            return Err(TlsError::Content {
                path: path.clone(),
                problem: "holds more than 1000 revocation lists",
            });
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

pub(crate) fn read_trust(paths: &[PathBuf]) -> Result<Vec<X509>, TlsError> {
    let mut trust = Vec::new();
    for path in paths {
        trust.extend(whole(path)?.certificates()?);
    }
    Ok(trust)
}

pub(crate) fn read_certificates(path: &Path) -> Result<Vec<X509>, TlsError> {
    certificates(&whole(path)?.bytes, path)
}

pub(crate) fn read_key(path: &Path) -> Result<PKey<Private>, TlsError> {
    private_key(&whole(path)?.bytes, path)
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<X509>, TlsError> {
    X509::stack_from_pem(pem).map_err(|_| TlsError::Content {
        path: path.to_owned(),
        problem: "holds something that is no certificate in PEM form",
    })
}

fn private_key(pem: &[u8], path: &Path) -> Result<PKey<Private>, TlsError> {
    // Without this callback, a key with a passphrase would make the library ask on the terminal.
    PKey::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(|_| TlsError::Content {
        path: path.to_owned(),
        problem: "holds no private key in PEM form, or one with a passphrase",
    })
}

fn whole(path: &Path) -> Result<Bytes, TlsError> {
    let unreadable = |source| TlsError::File {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES {
        return Err(TlsError::Content {
            path: path.to_owned(),
            problem: "is longer than 64 MiB",
        });
    }
    Ok(Bytes {
        path: path.to_owned(),
        bytes: std::fs::read(path).map_err(unreadable)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::development_ca::Identity;

    fn lists_in(bytes: Vec<u8>) -> Result<Vec<X509Crl>, TlsError> {
        let path = PathBuf::from("crl.pem");
        Bytes { path, bytes }.revocation_lists()
    }

    #[test]
    fn lists_are_read_in_both_forms() {
        let authority = Identity::authority("CA", 1).unwrap();
        let list = authority.revocation_list(None, &[], 60).unwrap();
        let (pem, der) = (list.to_pem().unwrap(), list.to_der().unwrap());
        assert_eq!(lists_in(der.clone()).unwrap().len(), 1);
        let text = [b"a comment\n", &pem[..], b"\n\n", &pem[..]].concat();
        let both = lists_in(text).unwrap();
        assert_eq!(both.len(), 2);
        assert!(both.iter().all(|it| it.to_der().unwrap() == der));
    }

    proptest! {
        /// What is no list is refused, and what is half a list too.
        #[test]
        fn anything_else_is_refused(bytes: Vec<u8>, cut in 1usize..400, text in "[ -~\n]{0,80}") {
            prop_assert!(lists_in(bytes).is_err());
            let half = format!("{PEM_CRL}\n{text}");
            prop_assert!(lists_in(half.into_bytes()).is_err());
            let wrong = lists_in(format!("{PEM_CRL}\n{text}\n{PEM_CRL_END}\n").into_bytes());
            prop_assert!(wrong.is_err());
            let authority = Identity::authority("CA", 1).unwrap();
            let pem = authority.revocation_list(None, &[], 60).unwrap().to_pem().unwrap();
            let cut = cut.min(pem.len() - 1);
            prop_assert!(lists_in(pem[..pem.len() - 1 - cut].to_vec()).is_err());
        }
    }
}
