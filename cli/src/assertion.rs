//! `hilum assertion`: an issuer of assertions (ITI-40) for trying things out.

use clap::Args;
use hilum_security::iti40_provide_x_user_assertion::{AssertionIssuer, Issue};

use crate::issuing::{By, Of};
use crate::terminal::say;

const NOTES: &str = "\
A node believes it if its [xua] names the issuer with this certificate. See docs/users.md.

Example:
  hilum certs idp --dir node/certs
  hilum assertion --issuer urn:example:idp --issuer-key node/certs/idp.key --config node/hilum.toml \\
    --user dr.welby --role 46255001^Pharmacist^2.16.840.1.113883.6.96 \\
    --purpose TREATMENT^Treatment^2.16.840.1.113883.3.18.7.1 > welby.xml
  hilum query --config node/hilum.toml --patient P-1 --assertion welby.xml";

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    of: Of,
    /// Another name of the user (SPProvidedID)
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    /// It is for one use
    #[arg(long)]
    one_time_use: bool,
    // Assertions are checked with certificates, so there are no keys to print.
    #[arg(long, hide = true)]
    keys: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let identity = arguments.by.identity()?;
    let issuer = AssertionIssuer {
        name: arguments.by.issuer.clone(),
        key: identity.key,
        certificate: identity.certificate,
    };
    let mut user = arguments.of.user()?;
    user.alias.clone_from(&arguments.alias);
    let (from, until) = arguments.of.validity();
    let issue = Issue {
        audience: arguments.of.audience()?,
        from: i64::try_from(from)?,
        until: i64::try_from(until)?,
        one_time_use: arguments.one_time_use,
    };
    Ok(say(&issuer.issue(&user, &issue)?)?)
}
