//! ITI-51 Multi-Patient Stored Query: what is registered anywhere of several patients, or of all.
//!
//! The own registry is asked as it stands. Between communities there is no such transaction (ITI-38 carries
//! the queries of ITI-18), so the others are asked for each patient; a question that names no patient goes to
//! them as it is, and who does not know it says so beside what the others gave.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-51.html>

pub(crate) use crate::iti38_cross_gateway_query::initiate;
