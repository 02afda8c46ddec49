//! `hilum token`: an issuer of tokens (ITI-72) for trying things out.

use clap::Args;
use hilum_security::iti72_incorporate_access_token::{IssueToken, TokenIssuer};

use crate::issuing::{By, Of};
use crate::terminal::say;

const NOTES: &str = "\
A node believes it if its [iua] names the issuer with these keys. See docs/users.md.

Example:
  hilum certs as --dir node/certs
  hilum token --issuer https://as.example --issuer-key node/certs/as.key --keys > node/as.jwks
  hilum token --issuer https://as.example --issuer-key node/certs/as.key --config node/hilum.toml \\
    --user dr.welby --scope RAD-129 --scope RAD-107 > token
  curl -H \"Authorization: Bearer $(cat token)\" … https://localhost:18402/dicom-web/studies";

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    of: Of,
    /// What it is for: names of transactions, or scopes of SMART on FHIR
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// The program for which it is issued
    #[arg(long, value_name = "NAME")]
    client_id: Option<String>,
    /// Print the keys with which its tokens are checked (a JWK Set) instead
    #[arg(long)]
    keys: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let identity = arguments.by.identity()?;
    let issuer = TokenIssuer {
        name: arguments.by.issuer.clone(),
        key: identity.key,
        certificate: identity.certificate,
    };
    if arguments.keys {
        return Ok(say(&issuer.keys()?)?);
    }
    let mut user = arguments.of.user()?;
    user.scopes.clone_from(&arguments.scope);
    user.client_id.clone_from(&arguments.client_id);
    let (from, until) = arguments.of.validity();
    let issue = IssueToken {
        audience: arguments.of.audience()?,
        from,
        until,
    };
    Ok(say(&issuer.issue(&user, &issue)?)?)
}
