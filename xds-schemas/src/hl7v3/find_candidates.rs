//! Patients found by what is known of them: the messages that ITI-47 and ITI-55 share (ITI TF-2 3.47.4,
//! 3.55.4). What one of the two does not have is empty in its messages.

mod parameters;
mod query;
mod response;
#[cfg(test)]
mod tests;

pub use parameters::{AskedTime, MOST_PARAMETERS, Parameters};
pub use query::{FindCandidatesQuery, Priority, QueryByParameter};
pub use response::{
    Candidate, Custodian, FindCandidatesResponse, HealthDataLocator, Issue, Problem, Wanted,
};
