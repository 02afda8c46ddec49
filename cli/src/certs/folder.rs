//! The folder of an authority: `ca.pem`, `ca.key`, `crl.pem`, and certificates with their keys.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hilum_security::development_ca::{Identity, RevocationList};
use hilum_security::inspection::Certificate;

/// A folder of certificates.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn file(&self, name: &str, extension: &str) -> PathBuf {
        self.path.join(format!("{name}.{extension}"))
    }

    /// The authority, which must be there.
    pub(super) fn authority(&self) -> anyhow::Result<Identity> {
        Identity::read(&self.file("ca", "pem"), &self.file("ca", "key"))
            .with_context(|| format!("{}: no authority", self.path.display()))
    }

    /// The certificate of this name.
    pub(super) fn certificate(&self, name: &str) -> anyhow::Result<Certificate> {
        if name == "ca" || name.contains('/') {
            bail!("{name:?}: it is no certificate of this authority");
        }
        Ok(Certificate::read(&self.file(name, "pem"))?)
    }

    /// Writes what is not there yet. Gives what is to be said of it, as all that write here do: whether anybody
    /// reads it is not to decide what is done.
    pub(super) fn write(&self, name: &str, identity: &Identity) -> anyhow::Result<String> {
        let (certificate, key) = (self.file(name, "pem"), self.file(name, "key"));
        for file in [&certificate, &key] {
            if file.exists() {
                bail!(
                    "{}: it is there already; nothing was written",
                    file.display()
                );
            }
        }
        identity
            .write(&certificate, &key)
            .with_context(|| format!("{}: cannot be written", certificate.display()))?;
        let (certificate, key) = (certificate.display(), key.display());
        Ok(format!("wrote {certificate} and {key}"))
    }

    /// Puts a certificate and its key in the place of those that are there. The certificate before
    /// is kept, so that it can be revoked. The key comes first: a node that looks in between finds a
    /// pair that does not match, and uses what it has.
    pub(super) fn replace(&self, name: &str, identity: &Identity) -> anyhow::Result<String> {
        let (certificate, key) = (self.file(name, "pem"), self.file(name, "key"));
        let old = self.file(&format!("{name}.old"), "pem");
        let (new_certificate, new_key) = (self.file(name, "pem.new"), self.file(name, "key.new"));
        for leftover in [&new_certificate, &new_key] {
            // Of a command that was broken off, if there is one.
            let _ = std::fs::remove_file(leftover);
        }
        let cannot = || format!("{}: cannot be written", certificate.display());
        let written = identity.write(&new_certificate, &new_key);
        written.with_context(cannot)?;
        std::fs::copy(&certificate, &old).with_context(cannot)?;
        std::fs::rename(&new_key, &key).with_context(cannot)?;
        std::fs::rename(&new_certificate, &certificate).with_context(cannot)?;
        let (certificate, key, old) = (certificate.display(), key.display(), old.display());
        Ok(format!(
            "wrote {certificate} and {key}\nthe certificate before is {old}"
        ))
    }

    /// The revocation list, if there is one.
    pub(super) fn list(&self) -> anyhow::Result<Option<RevocationList>> {
        let file = self.file("crl", "pem");
        match file.exists() {
            true => Ok(Some(RevocationList::read(&file)?)),
            false => Ok(None),
        }
    }

    /// Writes the next revocation list, with these in it.
    pub(super) fn revoke(&self, revoked: &[&Certificate], days: u32) -> anyhow::Result<String> {
        let authority = self.authority()?;
        let next = authority.next_list(self.list()?.as_ref(), revoked, days);
        let next = next.with_context(|| self.path.display().to_string())?;
        let (file, new) = (self.file("crl", "pem"), self.file("crl", "pem.new"));
        let written = next.write(&new).and_then(|()| std::fs::rename(&new, &file));
        written.with_context(|| format!("{}: cannot be written", file.display()))?;
        let count = next.count();
        Ok(format!("wrote {}, in which {count} stand", file.display()))
    }
}
