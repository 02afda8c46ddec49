//! Rule cards: what a collection wants of the images that it takes, and whether they are so.
//!
//! A card is a TOML file that people who run a collection write; `docs/quality.md` tells how. It is
//! judged in two steps, so that nothing has to be read twice: each instance when it comes
//! ([`RuleCard::judge_instance`]), and the study when it is there, from the few facts that were kept of
//! each instance ([`RuleCard::judge_study`]). What both find becomes a [`Verdict`] with reasons that
//! the person who made the images understands. No reason repeats what identifies a patient.

mod attribute;
mod card;
mod complete;
mod condition;
mod facts;
mod finding;
mod instance_rules;
mod reader;
mod selector;
mod stack;
mod study_rules;
#[cfg(test)]
mod tests;
mod volume;
mod words;

pub use attribute::Attribute;
pub use card::RuleCard;
pub use facts::{InstanceFacts, Plane, wanted};
pub use finding::{Finding, Outcome, Place, Severity, Verdict};
pub use reader::CardError;
pub use volume::VolumeFacts;
