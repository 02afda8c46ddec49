//! Nodes of several versions side by side. What a program knows is asked of itself, so that a test need not
//! know which version it is.

use std::path::PathBuf;

use hilum_transport::ClientError;
use xds_schemas::transaction::Transaction;

use crate::Town;

/// The `hilum` of another version, if the environment names one (`HILUM_OTHER`).
pub fn other() -> Option<PathBuf> {
    let program = PathBuf::from(std::env::var_os("HILUM_OTHER")?);
    assert!(program.is_file(), "{} is not there", program.display());
    Some(program)
}

impl Town {
    /// Whether the town's program knows a key of `[gateway]`: its `hilum init` names every key there is.
    pub fn knows(&self, key: &str) -> bool {
        let text = std::fs::read_to_string(self.config()).expect("a configuration");
        let section = text.split("\n[gateway]\n").nth(1).unwrap_or_default();
        let section = section.split("\n[").next().unwrap_or_default();
        let is_part_of_a_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let mut words = section.split(|it| !is_part_of_a_word(it));
        words.any(|word| word == key)
    }

    /// Whether something of the town takes a transaction. Who does not says so before it looks at a message.
    pub async fn takes<T: Transaction>(&self, url: &str, request: &T::Request) -> bool {
        let asked = self.client.send::<T>(url, request, Vec::new()).await;
        let error = asked.err();
        !matches!(error, Some(ClientError::Fault { fault, .. }) if fault.is("ActionNotSupported"))
    }
}
