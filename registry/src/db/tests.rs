//! What only the inside can tell.

use super::Connection;

/// Migrations can be undone and done again.
#[test]
fn up_down_up_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("registry.db").display());
    let mut connection = Connection::open(&url).unwrap();
    assert!(connection.version().is_err());
    let version = connection.migrate().unwrap();
    assert_eq!(connection.version().unwrap(), version);
    connection.unmigrate().unwrap();
    assert!(connection.version().is_err());
    assert_eq!(connection.migrate().unwrap(), version);
}
