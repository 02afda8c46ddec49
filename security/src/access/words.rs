//! Rules in words, for people who did not write them.

use super::codes::Word;
use super::moment;
use super::policy::{Needed, Rule};
use super::rules::permission_word;
use super::who::{What, Who};
use crate::caller::Vouched;

/// What a rule says.
pub(super) fn sentence(rule: &Rule) -> String {
    let who: Vec<String> = rule.who.iter().map(who).collect();
    let what: Vec<String> = rule.what.iter().map(what).collect();
    let who = match who.is_empty() {
        true => "anybody".to_owned(),
        false => format!("who has {}", who.join(" and ")),
    };
    let what = match what.is_empty() {
        true => "any document".to_owned(),
        false => format!("documents with {}", what.join(" and ")),
    };
    let mut text = format!(
        "{}: {who} gets {} of {what}",
        rule.name,
        rule.level.as_str()
    );
    if !rule.permissions.is_empty() {
        let words: Vec<&str> = rule
            .permissions
            .iter()
            .copied()
            .map(permission_word)
            .collect();
        text.push_str(&format!(", to {}", words.join(" or ")));
    }
    match rule.consent {
        Some(Needed::OptIn) => text.push_str(", if the patient consents"),
        Some(Needed::OptOut) => text.push_str(", unless the patient denies it"),
        Some(Needed::Refused) => text.push_str(", where the patient denies it"),
        None => {}
    }
    if rule.break_glass {
        text.push_str(", by breaking the glass");
    }
    if let Some(from) = rule.period.from {
        text.push_str(&format!(", from {}", moment::written(from)));
    }
    if let Some(until) = rule.period.until {
        text.push_str(&format!(", before {}", moment::written(until)));
    }
    text
}

fn who(who: &Who) -> String {
    let values = match who {
        Who::Node(all) => all.iter().map(ToString::to_string).collect(),
        Who::User(all)
        | Who::Issuer(all)
        | Who::Organisation(all)
        | Who::Community(all)
        | Who::Scope(all)
        | Who::Client(all) => all.clone(),
        Who::Role(words) | Who::Purpose(words) => words.iter().map(word).collect(),
        Who::Vouched(ways) => ways.iter().copied().map(vouched).collect(),
        Who::Project(all) => all.iter().map(|it| it.name.clone()).collect(),
    };
    format!("{} {}", who.key(), values.join(" or "))
}

fn what(what: &What) -> String {
    let values = match what {
        What::Confidentiality(words)
        | What::AnyConfidentiality(words)
        | What::Class(words)
        | What::Type(words)
        | What::Format(words)
        | What::PracticeSetting(words)
        | What::Facility(words) => words.iter().map(word).collect(),
        What::Institution(all)
        | What::Collection(all)
        | What::Community(all)
        | What::Document(all) => all.clone(),
        What::OwnPatient => vec!["whom the caller's assertion is about".to_owned()],
    };
    let only = match what {
        What::Confidentiality(_) => "only ",
        _ => "",
    };
    format!("{} {only}{}", what.key(), values.join(" or "))
}

fn word(word: &Word) -> String {
    match &word.system {
        Some(system) => format!("{}^^{system}", word.code),
        None => word.code.clone(),
    }
}

fn vouched(by: Option<Vouched>) -> String {
    let word = match by {
        Some(Vouched::Assertion) => "assertion",
        Some(Vouched::Token) => "token",
        None => "nobody",
    };
    word.to_owned()
}
