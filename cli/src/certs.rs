//! `hilum certs`: further certificates of the development authority.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use hilum_security::development_ca::Identity;

use crate::init::NODE_DAYS;

#[derive(Debug, Args)]
#[command(after_help = "Example: hilum certs workstation --dir node/certs --reached-as ws.example")]
pub(crate) struct Arguments {
    /// How the new node or client is called
    name: String,
    /// The folder with ca.pem and ca.key, which `hilum init` writes; NAME.pem and NAME.key are put
    /// beside them
    #[arg(long, value_name = "DIR", default_value = "certs")]
    dir: PathBuf,
    /// Further DNS names and addresses by which it is reached, beside localhost
    #[arg(long = "reached-as", value_name = "HOST")]
    names: Vec<String>,
    /// How long it is valid
    #[arg(long, value_name = "N", default_value_t = NODE_DAYS)]
    days: u32,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = &arguments.name;
    if !name.chars().all(plain) || name.starts_with('.') {
        anyhow::bail!("{name:?}: a name has letters, digits, dots, dashes and underscores only");
    }
    let file = |name: &str, extension: &str| arguments.dir.join(format!("{name}.{extension}"));
    let authority = Identity::read(&file("ca", "pem"), &file("ca", "key"))
        .with_context(|| format!("{}: no authority", arguments.dir.display()))?;
    let identity = authority.issue(name, &arguments.names, arguments.days)?;
    let (certificate, key) = (file(name, "pem"), file(name, "key"));
    identity
        .write(&certificate, &key)
        .with_context(|| format!("{}: cannot be written", certificate.display()))?;
    println!("wrote {} and {}", certificate.display(), key.display());
    Ok(())
}
