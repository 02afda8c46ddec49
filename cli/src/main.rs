//! `hilum`, the command: one file for each of its commands.

// They panic when nobody reads any more; `terminal` does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod access;
mod assertion;
mod audit;
mod bearer;
mod certs;
mod check;
mod client;
mod config;
mod consent;
mod convert;
mod core_dumps;
mod demo;
mod dicom;
mod discover;
mod domain;
mod export;
mod feed;
mod filing;
mod hl7v3;
mod import;
mod inbox;
mod init;
mod issuing;
mod keys;
mod log;
mod media;
mod metrics;
mod open_files;
mod patients;
mod quarantine;
mod query;
mod refusal;
mod reject;
mod remove;
mod retrieve;
mod rooms;
mod serve;
mod status;
mod stored;
mod submit;
mod subscribe;
mod subscriptions;
mod summary;
mod terminal;
mod token;
mod unsubscribe;
mod update;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Document sharing for medical imaging: registry, repository and imaging source of IHE XDS.b and
/// XDS-I.b.
#[derive(Debug, Parser)]
#[command(name = "hilum", version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole road on this machine, with studies that are made up
    Demo(demo::Arguments),
    /// Write a ready node into a new folder
    Init(init::Arguments),
    /// Run every room that the configuration enables
    Serve(serve::Arguments),
    /// Hand in documents (ITI-41)
    Submit(submit::Arguments),
    /// Ask the registry what there is (ITI-18)
    Query(query::Arguments),
    /// Get documents (ITI-43) and studies (RAD-69)
    Retrieve(retrieve::Arguments),
    /// Find and get documents of another community in one round (ITI-63)
    Fetch(retrieve::fetch::Arguments),
    /// Change the metadata of a document (ITI-57, ITI-92)
    Update(update::Arguments),
    /// Find out what a patient is called in other communities (ITI-55), and where else (ITI-56)
    Discover(discover::Arguments),
    /// Announce and merge patients (ITI-8, ITI-44)
    Feed(feed::Arguments),
    /// Find patients (ITI-47), and their identifiers elsewhere (ITI-45)
    Patients(Box<patients::Arguments>),
    /// Remove documents: what the registry knows (ITI-62), then the documents (ITI-86)
    Remove(remove::Arguments),
    /// Make folders of DICOM files findable (RAD-68), and volumes among them documents (ITI-41)
    Import(import::Arguments),
    /// Make NIfTI volumes of the series of a study
    Convert(convert::Arguments),
    /// Speak DICOM's own protocol: see whether somebody is there (C-ECHO), send files (C-STORE)
    Dicom(dicom::Arguments),
    /// Look at what did not pass at the door of the imaging source, and decide
    Quarantine(quarantine::Arguments),
    /// Take images back that were sent or imported (IOCM)
    Reject(reject::Arguments),
    /// Register a patient's imaging summary, which is made when it is retrieved (ITI-61)
    Summary(summary::Arguments),
    /// Write documents on a medium (ITI-32)
    Export(export::Arguments),
    /// Check media of others, and take over what is on them (ITI-32)
    Media(media::Arguments),
    /// Look at what was sent to the Document Recipient (XDR)
    Inbox(inbox::Arguments),
    /// Ask to be told of what is registered (ITI-52)
    Subscribe(subscribe::Arguments),
    /// Cancel a subscription (ITI-52)
    Unsubscribe(unsubscribe::Arguments),
    /// Look at subscriptions, and at what waits in a pull point (ITI-69, ITI-70)
    Subscriptions(subscriptions::Arguments),
    /// Record, withdraw and show what patients wish (ITI-108)
    Consent(consent::Arguments),
    /// Check configuration, certificates, stores and peers
    Check(check::Arguments),
    /// Look over the rules of access, and see who gets what, and why
    Access(access::Arguments),
    /// Look at what was recorded, and at what receivers have of it
    Audit(audit::Arguments),
    /// Look after the keys with which what is stored is encrypted
    Keys(keys::Arguments),
    /// Issue, renew, revoke and list certificates of the development authority
    Certs(certs::Arguments),
    /// Issue an assertion that says for whom a node calls (ITI-40), for trying things out
    Assertion(assertion::Arguments),
    /// Issue a token that says for whom it is asked (ITI-72), for trying things out
    Token(token::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log::start();
    core_dumps::forbid();
    let result = match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments).await,
        Command::Init(arguments) => init::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments).await,
        Command::Submit(arguments) => submit::run(&arguments).await,
        Command::Query(arguments) => query::run(&arguments).await,
        Command::Retrieve(arguments) => retrieve::run(&arguments).await,
        Command::Fetch(arguments) => retrieve::fetch::run(&arguments).await,
        Command::Update(arguments) => update::run(&arguments).await,
        Command::Discover(arguments) => discover::run(&arguments).await,
        Command::Feed(arguments) => feed::run(&arguments).await,
        Command::Patients(arguments) => patients::run(&arguments).await,
        Command::Remove(arguments) => remove::run(&arguments).await,
        Command::Import(arguments) => import::run(&arguments).await,
        Command::Convert(arguments) => convert::run(&arguments).await,
        Command::Dicom(arguments) => dicom::run(&arguments).await,
        Command::Quarantine(arguments) => quarantine::run(&arguments).await,
        Command::Reject(arguments) => reject::run(&arguments).await,
        Command::Summary(arguments) => summary::run(&arguments).await,
        Command::Export(arguments) => export::run(&arguments).await,
        Command::Media(arguments) => media::run(&arguments).await,
        Command::Inbox(arguments) => inbox::run(&arguments).await,
        Command::Subscribe(arguments) => subscribe::run(&arguments).await,
        Command::Unsubscribe(arguments) => unsubscribe::run(&arguments).await,
        Command::Subscriptions(arguments) => subscriptions::run(&arguments).await,
        Command::Consent(arguments) => consent::run(&arguments).await,
        Command::Check(arguments) => check::run(&arguments).await,
        Command::Access(arguments) => access::run(&arguments).await,
        Command::Audit(arguments) => audit::run(&arguments).await,
        Command::Keys(arguments) => keys::run(&arguments).await,
        Command::Certs(arguments) => certs::run(&arguments),
        Command::Assertion(arguments) => assertion::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
    };
    status::of(result)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_command_line_is_sound_and_every_command_has_an_example() {
        let mut command = Arguments::command();
        command.build();
        command.clone().debug_assert();
        for command in command.get_subcommands_mut() {
            let name = command.get_name().to_owned();
            let help = command.render_long_help().to_string();
            let shown = help.contains("Example") || command.has_subcommands() || name == "help";
            assert!(shown, "{name}: {help}");
        }
    }
}
