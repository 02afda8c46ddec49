//! FindDocuments, FindDocumentsByReferenceId and FindDocumentsExclude, for one patient or for
//! several: the document entries of patients.

use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::iti18_registry_stored_query::DocumentFilter;

use super::{Search, Whose, filter};
use crate::db::Connection;
use crate::db::registry_objects::{FIRST, Found, Row, Scope};
use crate::failure::Failure;

/// The document entries that pass, without those that have something of what is not wanted.
pub(super) fn find(
    conn: &mut Connection,
    whose: &Whose,
    statuses: &[AvailabilityStatus],
    wanted: &DocumentFilter,
    unwanted: Option<&DocumentFilter>,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let scope = Scope {
        kinds: filter::kinds(&wanted.entry_types),
        statuses: filter::statuses(statuses),
        hidden_too: search.hidden_too(),
        after: FIRST,
    };
    let judge = |row: &Row| {
        filter::document(row, wanted)
            && !unwanted.is_some_and(|unwanted| filter::has_any(row, unwanted))
    };
    let asks_more = unwanted.is_some() || filter::asks_more(wanted);
    let judge: Option<&dyn Fn(&Row) -> bool> = asks_more.then_some(&judge);
    search.of(conn, whose, &scope, judge)
}
