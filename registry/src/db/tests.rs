//! What only the inside can tell.

use super::Connection;

/// Migrations can be undone and done again.
#[test]
fn up_down_up_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("registry.db").display());
    assert_eq!(super::version(&url).unwrap(), None);
    let mut connection = Connection::open(&url).unwrap();
    assert_eq!(connection.version().unwrap(), None);
    connection.migrate().unwrap();
    let version = connection.version().unwrap();
    assert!(version.is_some());
    connection.unmigrate().unwrap();
    assert_eq!(connection.version().unwrap(), None);
    connection.migrate().unwrap();
    assert_eq!(super::version(&url).unwrap(), version);
}
