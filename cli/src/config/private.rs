//! Files that are for this node alone: keys, secrets and tokens.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Config;

/// Somebody besides the owner and the group of a file may do this: read it, or write into it.
const OTHERS: u32 = 0o006;

impl Config {
    /// What is secret and can be read, or exchanged, by others on this machine: one sentence for each. A
    /// group may read it, since many sites give keys to programs by their group.
    pub(crate) fn open_secrets(&self) -> Vec<String> {
        let mut files: Vec<(String, &Path)> = Vec::new();
        files.extend(
            self.tls
                .as_ref()
                .map(|tls| ("tls.key".to_owned(), tls.key_file())),
        );
        let signing = self.audit.repository.signing_key.as_deref();
        files.extend(signing.map(|file| ("audit.signing_key".to_owned(), file)));
        files.extend(self.iua.secret_files());
        let archives = self.imaging.archive.iter();
        files.extend(archives.flat_map(|it| it.secret_files()));
        let is_open = |(key, file): (String, &Path)| said(&key, file);
        files.into_iter().filter_map(is_open).collect()
    }
}

/// What is wrong with a file of a secret, if others can read it.
pub(crate) fn said(key: &str, file: &Path) -> Option<String> {
    let mode = std::fs::metadata(file).ok()?.permissions().mode();
    let shown = file.display();
    (mode & OTHERS != 0)
        .then(|| format!("{key}: {shown}: others on this machine can read it; chmod 600"))
}
