//! What PostgreSQL keeps of columns that were plain: rows that were replaced, and values that it has noted
//! for its planner (`pg_statistic`).

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

/// What of a table was plain.
struct Plain {
    table: &'static str,
    columns: &'static [&'static str],
    /// The type of the columns.
    kind: &'static str,
}

const TEXT: &str = "TEXT";
const ORDERED: &str = "TEXT COLLATE \"C\"";

const fn plain(table: &'static str, kind: &'static str, columns: &'static [&'static str]) -> Plain {
    Plain {
        table,
        columns,
        kind,
    }
}

const TABLES: [Plain; 8] = [
    plain("patients", TEXT, &["patient_id"]),
    plain(
        "registry_objects",
        TEXT,
        &["author_persons", "reference_ids", "ebrim"],
    ),
    plain("specimens", ORDERED, &["specimen"]),
    plain(
        "subscriptions",
        TEXT,
        &["patient_id", "filter", "subscriber"],
    ),
    plain(
        "notifications",
        TEXT,
        &["patient_id", "objects", "message", "described"],
    ),
    plain("consents", TEXT, &["resource"]),
    plain("demographics", TEXT, &["resource"]),
    plain("demographic_keys", ORDERED, &["key"]),
];

/// Writes the tables anew, and lets the planner forget what stood in them.
pub(super) fn clean(c: &mut PgConnection) -> QueryResult<()> {
    for plain in &TABLES {
        let table = plain.table;
        c.batch_execute(&format!("VACUUM FULL {table}"))?;
        // ANALYZE alone leaves what it knows of a table that is empty by now. A column that is given a
        // type, be it the one it has, is forgotten in the partitions and in the table above them.
        let kind = plain.kind;
        let columns = plain.columns.iter();
        let columns: Vec<String> = columns
            .map(|column| format!("ALTER COLUMN {column} TYPE {kind}"))
            .collect();
        c.batch_execute(&format!("ALTER TABLE {table} {}", columns.join(", ")))?;
        c.batch_execute(&format!("ANALYZE {table}"))?;
    }
    // What was forgotten still stands in the file. Who may not do this is not refused by PostgreSQL.
    let before = statistics(c)?;
    c.batch_execute("VACUUM FULL pg_catalog.pg_statistic")?;
    if statistics(c)? == before {
        tracing::warn!(
            "what PostgreSQL noted of plain columns is still in free space of a file: \
             its superuser or the owner of the database must run VACUUM FULL pg_statistic"
        );
    }
    Ok(())
}

#[derive(QueryableByName)]
struct File {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// The number of the file that holds what the planner knows: another one when it was written anew.
fn statistics(c: &mut PgConnection) -> QueryResult<i64> {
    let query = "SELECT pg_relation_filenode('pg_catalog.pg_statistic')::bigint AS number";
    Ok(diesel::sql_query(query).get_result::<File>(c)?.number)
}
