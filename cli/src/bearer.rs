//! For whom a command asks what is not SOAP: a bearer token (IUA, ITI-72).

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::status::Usage;

/// The variable that names the file if the command line does not.
const VARIABLE: &str = "HILUM_TOKEN_FILE";
/// Longer ones are not taken by doors of ours.
const TOKEN_BYTES: usize = 16 * 1024;

/// For whom a command asks at doors that take tokens.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct WithToken {
    /// The file of a bearer token that says for whom it is asked (IUA, ITI-72), for its owner only; also
    /// HILUM_TOKEN_FILE
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl WithToken {
    /// The headers with which it is asked, beside these.
    pub(crate) fn headers(
        &self,
        others: Vec<(&'static str, String)>,
    ) -> Result<Vec<(&'static str, String)>, Usage> {
        let named = || std::env::var_os(VARIABLE).map(PathBuf::from);
        let file = self.token_file.clone().or_else(named);
        let mut headers = others;
        if let Some(file) = file {
            headers.push(("authorization", format!("Bearer {}", read(&file)?)));
        }
        Ok(headers)
    }
}

/// The token in a file. It is not repeated in errors.
fn read(file: &Path) -> Result<String, Usage> {
    let wrong = |problem: &str| {
        Usage(format!(
            "the file of the token: {}: {problem}",
            file.display()
        ))
    };
    let facts = std::fs::metadata(file);
    let facts =
        facts.map_err(|error| Usage(format!("the file of the token cannot be read: {error}")))?;
    if facts.permissions().mode() & 0o077 != 0 {
        return Err(wrong("only its owner may read it (chmod 600)"));
    }
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| wrong(&error.to_string()))?;
    let token = text.trim();
    // RFC 6750, section 2.1.
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    match token.len() {
        1..=TOKEN_BYTES if token.bytes().all(is_sign) => Ok(token.to_owned()),
        _ => Err(wrong("it does not hold one bearer token, and nothing else")),
    }
}
