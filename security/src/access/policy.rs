//! The rules, and how they decide.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::sync::Arc;

use xds_schemas::affinity_codes::AffinityCodes;

use super::acknowledged::Acknowledgement;
use super::codes::Word;
use super::consent::wished;
use super::who::{self, What, Who};
use super::{
    Asking, Consent, Decision, Described, Infrastructure, Level, NotAdmitted, Period, RulesError,
    Wish, rules,
};
use crate::caller::Caller;
use crate::permission::Permission;

/// The name under which nodes of the infrastructure get everything.
pub(super) const INFRASTRUCTURE: &str = "infrastructure";
/// The name under which nothing is given because no rule says anything.
pub(super) const NO_RULE: &str = "no rule";

/// The rules. The first one that is about who asks and what is asked for decides; if there is none,
/// nothing is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub(super) rules: Vec<Rule>,
    pub(super) acknowledgements: Vec<Acknowledgement>,
    pub(super) emergency: Emergency,
    /// Purposes that are known.
    purposes: Vec<String>,
    /// The roles that there are, if that is known.
    roles: Option<Vec<String>>,
    infrastructure: Infrastructure,
    as_infrastructure: Arc<str>,
    by_no_rule: Arc<str>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) name: Arc<str>,
    /// Where it stands in the file.
    pub(super) line: usize,
    pub(super) who: Vec<Who>,
    pub(super) what: Vec<What>,
    /// Anything, if this is empty.
    pub(super) permissions: Vec<Permission>,
    pub(super) consent: Option<Needed>,
    pub(super) period: Period,
    pub(super) break_glass: bool,
    pub(super) level: Level,
}

/// What a rule asks of consents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    /// One that permits.
    OptIn,
    /// None that denies.
    OptOut,
    /// One that denies: a rule for what is refused.
    Refused,
}

/// When the glass may be broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Emergency {
    pub(super) purposes: Vec<Word>,
    pub(super) reason_needed: bool,
}

/// What a rules file may name.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// The codes of the affinity domain. Without them, codes of documents are not checked.
    pub codes: Option<AffinityCodes>,
    /// The collections of the imaging source. Without them, collections are not checked.
    pub collections: Option<Vec<String>>,
}

/// A decision with all that was considered on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// What was decided.
    pub decision: Decision,
    /// The rules that were considered, the one that decided last.
    pub considered: Vec<Considered>,
    /// The consent that says something of this document for this caller, and what it says.
    pub consent: Option<(String, Wish)>,
}

/// A rule that was considered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// Its name.
    pub rule: String,
    /// Where it stands in the file.
    pub line: usize,
    /// Why it did not decide, or that it did.
    pub because: String,
}

impl Policy {
    /// Reads a rules file (`docs/access.md`).
    ///
    /// # Errors
    /// Says where and why it cannot be used, and what may be meant.
    pub fn parse(text: &str, known: &Vocabulary) -> Result<Self, RulesError> {
        rules::read(text, known)
    }

    pub(super) fn of(
        rules: Vec<Rule>,
        acknowledgements: Vec<Acknowledgement>,
        emergency: Emergency,
        (purposes, roles): (Vec<String>, Option<Vec<String>>),
    ) -> Self {
        Self {
            purposes,
            roles,
            rules,
            acknowledgements,
            emergency,
            infrastructure: Infrastructure::default(),
            as_infrastructure: INFRASTRUCTURE.into(),
            by_no_rule: NO_RULE.into(),
        }
    }

    /// The purposes that rules and consents may name.
    pub(super) fn purposes(&self) -> &[String] {
        &self.purposes
    }

    /// The roles that they may name, if the file says which there are.
    pub(super) fn roles(&self) -> Option<&[String]> {
        self.roles.as_deref()
    }

    /// With the nodes that ask so that others can be answered: they get everything.
    #[must_use]
    pub fn with_infrastructure(mut self, infrastructure: Infrastructure) -> Self {
        self.infrastructure = infrastructure;
        self
    }

    /// Whether any decision depends on consents, so that they must be looked up.
    pub fn heeds_consents(&self) -> bool {
        self.rules.iter().any(|rule| rule.consent.is_some())
    }

    /// Whether it depends on which node asks who may do this, which nobody can pass on who asks for others.
    pub fn heeds_nodes(&self, permission: Permission) -> bool {
        let mut rules = self.rules.iter().filter(|rule| rule.concerns(permission));
        rules.any(|rule| who::heeds_nodes(&rule.who))
    }

    /// Whether there may be anything of which a caller has this much, as far as can be said before it is
    /// known what it is.
    ///
    /// # Errors
    /// If there is nothing, and by which rule. Of subscriptions, emergencies are none.
    pub fn admits(&self, asking: &Asking<'_>, level: Level) -> Result<(), NotAdmitted> {
        if self.infrastructure.has(asking.caller) {
            return Ok(());
        }
        let lasting = |rule: &Rule| !rule.break_glass || asking.permission != Permission::Subscribe;
        let concerned = |rule: &&Rule| rule.unmet(asking, &self.emergency).is_none();
        for rule in self.rules.iter().filter(concerned) {
            if rule.level >= level && lasting(rule) {
                return Ok(());
            }
            if rule.what.is_empty() && rule.consent.is_none() {
                return Err(NotAdmitted::by(asking.permission, &rule.name));
            }
        }
        Err(NotAdmitted::by(asking.permission, &self.by_no_rule))
    }

    /// The rules by which somebody may do this in full, whoever and with whatever. Those behind a rule that
    /// decides everything are never reached.
    pub fn granting(&self, permission: Permission) -> impl Iterator<Item = &str> {
        let mut decided = false;
        let concerned = self.rules.iter();
        let concerned = concerned.filter(move |rule| rule.concerns(permission));
        let reached = concerned.take_while(move |rule| {
            let reached = !decided;
            decided |= rule.decides_everything();
            reached
        });
        let granting = reached.filter(|rule| rule.level == Level::Full);
        granting.map(|rule| &*rule.name)
    }

    /// Whether a caller is a node of the infrastructure that asks for nobody.
    pub fn is_infrastructure(&self, caller: &Caller) -> bool {
        self.infrastructure.has(caller)
    }

    /// Whether a caller may do something that is not about one document: the first rule that names this
    /// permission and is about the caller decides; nobody else may but the infrastructure.
    pub fn grants(&self, asking: &Asking<'_>) -> bool {
        let names = |rule: &&Rule| {
            rule.permissions.contains(&asking.permission)
                && rule.unmet(asking, &self.emergency).is_none()
        };
        self.infrastructure.has(asking.caller)
            || self.rules.iter().find(names).is_some_and(|rule| {
                rule.level == Level::Full && rule.what.is_empty() && rule.consent.is_none()
            })
    }

    /// Whether any decision depends on the collection to which an image belongs.
    pub fn heeds_collections(&self) -> bool {
        let heeds = |what: &What| matches!(what, What::Collection(_));
        self.rules.iter().flat_map(|rule| &rule.what).any(heeds)
    }

    /// How much of a document the caller may have. `consents` are all of the document's patient.
    pub fn decide(
        &self,
        asking: &Asking<'_>,
        document: &Described,
        consents: &[Consent],
    ) -> Decision {
        // Looked up once, and only if a rule asks.
        let wish = OnceCell::new();
        let look = || wished(consents, asking, document).map(|(wish, _)| wish);
        self.decide_by(asking, document, &|| *wish.get_or_init(look))
    }

    /// The same where consents do not matter; `None` where they do, so that they must be looked up.
    pub fn decide_without_consents(
        &self,
        asking: &Asking<'_>,
        document: &Described,
    ) -> Option<Decision> {
        let asked = Cell::new(false);
        let decision = self.decide_by(asking, document, &|| {
            asked.set(true);
            None
        });
        (!asked.get()).then_some(decision)
    }

    fn decide_by(
        &self,
        asking: &Asking<'_>,
        document: &Described,
        wish: &dyn Fn() -> Option<Wish>,
    ) -> Decision {
        if self.infrastructure.has(asking.caller) {
            return Decision::new(Level::Full, &self.as_infrastructure);
        }
        let decides = |rule: &&Rule| {
            let unmet = rule.unmet_by(asking, &self.emergency, document, wish);
            unmet.is_none()
        };
        match self.rules.iter().find(decides) {
            Some(rule) => rule.decision(),
            None => Decision::new(Level::Nothing, &self.by_no_rule),
        }
    }

    /// What is decided for every document alike, whatever it is; `None` if it depends on it. Then
    /// nothing need be looked up.
    pub fn decide_for_all(&self, asking: &Asking<'_>) -> Option<Decision> {
        if self.infrastructure.has(asking.caller) {
            return Some(Decision::new(Level::Full, &self.as_infrastructure));
        }
        let concerned = |rule: &&Rule| rule.unmet(asking, &self.emergency).is_none();
        match self.rules.iter().find(concerned) {
            Some(rule) if rule.what.is_empty() && rule.consent.is_none() => Some(rule.decision()),
            Some(_) => None,
            None => Some(Decision::new(Level::Nothing, &self.by_no_rule)),
        }
    }

    /// [Decides](Self::decide), and says how it came to this.
    pub fn explain(
        &self,
        asking: &Asking<'_>,
        document: &Described,
        consents: &[Consent],
    ) -> Explained {
        let decision = self.decide(asking, document, consents);
        let wish = wished(consents, asking, document);
        let mut considered = Vec::new();
        let infrastructure = self.infrastructure.has(asking.caller);
        for rule in self.rules.iter().filter(|_| !infrastructure) {
            let wish = || wish.map(|(wish, _)| wish);
            let unmet = rule.unmet_by(asking, &self.emergency, document, wish);
            let decided = unmet.is_none();
            let because = match unmet {
                Some(unmet) => unmet.to_string(),
                None => format!("decides: {}", rule.level.as_str()),
            };
            considered.push(Considered {
                rule: rule.name.to_string(),
                line: rule.line,
                because,
            });
            if decided {
                break;
            }
        }
        Explained {
            decision,
            considered,
            consent: wish.map(|(wish, consent)| (consent.id.clone(), wish)),
        }
    }

    /// The rules, each in a sentence.
    pub fn in_words(&self) -> Vec<String> {
        self.rules.iter().map(super::words::sentence).collect()
    }
}

impl Rule {
    fn decision(&self) -> Decision {
        Decision {
            glass_broken: self.break_glass,
            ..Decision::new(self.level, &self.name)
        }
    }

    /// Whether it is about what is to be done.
    fn concerns(&self, permission: Permission) -> bool {
        // Whoever may have documents may not say for that what their patients wish, or look for patients.
        let must_be_named = matches!(permission, Permission::Consent | Permission::Patients);
        let is_about_everything = self.permissions.is_empty() && !must_be_named;
        is_about_everything || self.permissions.contains(&permission)
    }

    /// Whether it decides always, whoever asks for whatever it is about.
    fn decides_everything(&self) -> bool {
        let always = self.period == Period::default() && !self.break_glass;
        always && self.who.is_empty() && self.what.is_empty() && self.consent.is_none()
    }

    /// Why it is not about who asks.
    fn unmet(&self, asking: &Asking<'_>, emergency: &Emergency) -> Option<Unmet> {
        if !self.concerns(asking.permission) {
            return Some(Unmet::Permission);
        }
        if !self.period.contains(asking.now) {
            return Some(Unmet::Time);
        }
        if let Some(who) = who::unmet(&self.who, asking) {
            return Some(Unmet::Who(who.key()));
        }
        (self.break_glass && !emergency.is_declared(asking)).then_some(Unmet::Glass)
    }

    /// Why it does not decide. `wish` is what the patient wished.
    fn unmet_by(
        &self,
        asking: &Asking<'_>,
        emergency: &Emergency,
        document: &Described,
        wish: impl FnOnce() -> Option<Wish>,
    ) -> Option<Unmet> {
        if let Some(unmet) = self.unmet(asking, emergency) {
            return Some(unmet);
        }
        if let Some(missing) = who::missing(&self.what, asking, document) {
            return Some(Unmet::What(missing.key()));
        }
        let needed = self.consent?;
        let consented = match needed {
            Needed::OptIn => wish() == Some(Wish::Permit),
            Needed::OptOut => wish() != Some(Wish::Deny),
            Needed::Refused => wish() == Some(Wish::Deny),
        };
        (!consented).then_some(Unmet::Consent(needed))
    }
}

/// Why a rule does not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unmet {
    Permission,
    Time,
    Who(&'static str),
    Glass,
    What(&'static str),
    Consent(Needed),
}

impl fmt::Display for Unmet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission => out.write_str("permission does not match"),
            Self::Time => out.write_str("it is not valid at this time"),
            Self::Who(key) => write!(out, "who.{key} does not match"),
            Self::Glass => out.write_str("nobody breaks the glass, or says why"),
            Self::What(key) => write!(out, "what.{key} does not match"),
            Self::Consent(Needed::OptIn) => out.write_str("no consent permits it"),
            Self::Consent(Needed::OptOut) => out.write_str("a consent denies it"),
            Self::Consent(Needed::Refused) => out.write_str("no consent denies it"),
        }
    }
}

impl Emergency {
    fn is_declared(&self, asking: &Asking<'_>) -> bool {
        let Some(user) = asking.caller.user.as_deref() else {
            return false;
        };
        let reason = user.reason.as_deref().unwrap_or_default();
        self.purposes.iter().any(|it| it.is_one_of(&user.purposes))
            && (!self.reason_needed || !reason.trim().is_empty())
    }
}
