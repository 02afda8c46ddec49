//! FindFolders, for one patient or for several: the folders of patients.

use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::iti18_registry_stored_query::AllOf;
use xds_schemas::metadata::TimeRange;

use super::{Search, Whose, filter};
use crate::db::Connection;
use crate::db::registry_objects::{FIRST, Found, Kind, Row, Scope};
use crate::failure::Failure;

pub(super) fn find(
    conn: &mut Connection,
    whose: &Whose,
    statuses: &[AvailabilityStatus],
    codes: &AllOf,
    last_update_time: &TimeRange,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let scope = Scope {
        kinds: Kind::Folder..=Kind::Folder,
        statuses: filter::statuses(statuses),
        hidden_too: search.hidden_too(),
        after: FIRST,
    };
    let judge = |row: &Row| filter::folder(row, codes, last_update_time);
    search.of(conn, whose, &scope, Some(&judge))
}
