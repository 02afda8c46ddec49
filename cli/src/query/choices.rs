//! What options choose by a word.

use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::metadata::{AssociationType, DocumentEntryType};

use crate::status::Usage;

/// Approved, unless something else is chosen.
pub(super) fn statuses(given: Option<&str>) -> Result<Vec<AvailabilityStatus>, Usage> {
    match given.map(str::to_lowercase).as_deref() {
        None | Some("approved") => Ok(vec![AvailabilityStatus::Approved]),
        Some("deprecated") => Ok(vec![AvailabilityStatus::Deprecated]),
        Some("all") => Ok(vec![
            AvailabilityStatus::Approved,
            AvailabilityStatus::Deprecated,
        ]),
        Some(_) => Err(Usage::new("--status: it is approved, deprecated or all")),
    }
}

/// Stable documents, unless something else is chosen.
pub(super) fn types(given: Option<&str>) -> Result<Vec<DocumentEntryType>, Usage> {
    match given.map(str::to_lowercase).as_deref() {
        None | Some("stable") => Ok(vec![DocumentEntryType::Stable]),
        Some("on-demand") => Ok(vec![DocumentEntryType::OnDemand]),
        Some("all") => Ok(vec![DocumentEntryType::Stable, DocumentEntryType::OnDemand]),
        Some(_) => Err(Usage::new("--type: it is stable, on-demand or all")),
    }
}

/// Types by the last words of their URNs. Without a choice: all that relate documents.
pub(super) fn association_types(given: &[String]) -> Result<Vec<AssociationType>, Usage> {
    const RELATIONSHIPS: [AssociationType; 6] = [
        AssociationType::Replace,
        AssociationType::Append,
        AssociationType::Transform,
        AssociationType::TransformAndReplace,
        AssociationType::Signs,
        AssociationType::IsSnapshotOf,
    ];
    if given.is_empty() {
        return Ok(RELATIONSHIPS.to_vec());
    }
    let of = |text: &String| {
        let last = |urn: &str| urn.rsplit(':').next().map(str::to_lowercase);
        let found = RELATIONSHIPS
            .iter()
            .find(|one| last(one.as_str()) == last(text));
        match found {
            Some(found) => Ok(found.clone()),
            None if text.starts_with("urn:") => Ok(AssociationType::Other(text.clone())),
            None => Err(Usage(format!(
                "--association: {text:?} is neither RPLC, APND, XFRM, XFRM_RPLC, signs, \
                 IsSnapshotOf nor a URN"
            ))),
        }
    };
    given.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_choose() {
        let chosen = |word| statuses(Some(word)).map(|statuses| statuses.len()).ok();
        assert_eq!(
            (chosen("ALL"), chosen("deprecated"), chosen("new")),
            (Some(2), Some(1), None)
        );
        let chosen = |word| types(Some(word)).map(|types| types.len()).ok();
        assert_eq!(
            (chosen("all"), chosen("on-demand"), chosen("new")),
            (Some(2), Some(1), None)
        );
        let chosen = |word: &str| {
            association_types(&[word.to_owned()])
                .map(|mut types| types.remove(0))
                .ok()
        };
        assert_eq!(chosen("rplc"), Some(AssociationType::Replace));
        assert_eq!(
            chosen("urn:ihe:iti:2007:AssociationType:APND"),
            Some(AssociationType::Append)
        );
        assert_eq!(
            chosen("urn:x:y"),
            Some(AssociationType::Other("urn:x:y".to_owned()))
        );
        assert_eq!(chosen("y"), None);
        assert_eq!(association_types(&[]).unwrap().len(), 6);
    }
}
