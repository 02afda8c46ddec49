//! Gateways that ask each other in a circle, because somebody wrote the wrong address.
//!
//! Whatever a gateway asks carries a header block that names the communities whose gateways the question
//! has passed ([`xds_schemas::wsa::via`]); one that finds itself in it answers a fault. Gateways
//! of others may not pass it on. So the same question is also asked so often only at one time ([`same`]).

mod same;

use hilum_transport::ClientError;
use xds_schemas::soap::{Fault, QName};
use xds_schemas::wsa;
use xds_schemas::xml::ns;

pub(crate) use same::{Asked, Asker, Circles, Deadlines};
pub use same::{SAME_AT_A_TIME, SAME_BY_ALL};

/// Communities whose gateways a question may have passed.
pub const GATEWAYS: usize = 8;
/// What the fault is called.
const CIRCLE: &str = "Circle";

/// The header block of what a community's gateway asks because of something that came `via` others.
///
/// # Errors
/// If it has passed this community's gateway before, or too many.
pub(crate) fn via(home: &str, via: &[String]) -> Result<String, Fault> {
    if via.iter().any(|it| it == home) {
        return Err(circle(
            "this question was asked here before: gateways ask in a circle",
        ));
    }
    if via.len() >= GATEWAYS {
        return Err(circle("this question has passed too many gateways"));
    }
    let all = via.iter().map(String::as_str).chain([home]);
    Ok(wsa::via(all))
}

fn circle(reason: &str) -> Fault {
    Fault {
        subcodes: vec![QName {
            namespace: ns::VIA.to_owned(),
            name: CIRCLE.to_owned(),
        }],
        ..Fault::sender(reason)
    }
}

/// Whether somebody answered that gateways ask in a circle.
pub(crate) fn is_circle(error: &ClientError) -> bool {
    matches!(error, ClientError::Fault { fault, .. } if fault.is(CIRCLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_comes_back_is_not_asked_again() {
        let passed = ["urn:oid:1".to_owned(), "urn:oid:2".to_owned()];
        assert!(via("urn:oid:2", &passed).unwrap_err().is(CIRCLE));
        let block = via("urn:oid:3", &passed).unwrap();
        assert!(block.contains("urn:oid:1") && block.contains("urn:oid:3"));
        let many: Vec<String> = (0..GATEWAYS).map(|it| format!("urn:oid:9.{it}")).collect();
        assert!(via("urn:oid:3", &many).unwrap_err().is(CIRCLE));
    }
}
