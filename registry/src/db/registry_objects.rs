//! Everything that is registered: document entries, submission sets, folders and associations.

use std::borrow::Cow;
use std::io;
use std::ops::RangeInclusive;

use diesel::backend::Backend;
use diesel::connection::DefaultLoadingMode;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::SmallInt;
use hilum_security::at_rest::fields::{Fields, Place};

use super::fields::broken;
use super::schema::registry_objects;
use super::{Connection, Either, SEQ_BITS, on, patient_of};

/// Rows of one INSERT on PostgreSQL, which takes 65,535 values.
const ROWS: usize = 1000;
/// Separates the values of a list: XML cannot carry it, so no value holds it.
const SEPARATOR: char = '\u{1f}';

macro_rules! numbered {
    ($($(#[doc = $type_doc:literal])* $name:ident { $($(#[doc = $doc:literal])* $variant:ident = $number:literal,)* })*) => {$(
        $(#[doc = $type_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
        #[diesel(sql_type = SmallInt)]
        pub(crate) enum $name {
            $($(#[doc = $doc])* $variant,)*
        }

        impl<DB: Backend> ToSql<SmallInt, DB> for $name
        where
            i16: ToSql<SmallInt, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                match self {
                    $(Self::$variant => <i16 as ToSql<SmallInt, DB>>::to_sql(&$number, out),)*
                }
            }
        }

        impl<DB: Backend> FromSql<SmallInt, DB> for $name
        where
            i16: FromSql<SmallInt, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                match i16::from_sql(bytes)? {
                    $($number => Ok(Self::$variant),)*
                    other => Err(format!("{} {other} is not known", stringify!($name)).into()),
                }
            }
        }
    )*};
}

numbered! {
    /// What an object is. Neighbours are asked for together, so the order matters.
    Kind {
        /// A document entry whose document is fixed.
        Stable = 1,
        /// A document entry whose document is made when it is retrieved.
        OnDemand = 2,
        /// A folder.
        Folder = 3,
        /// A submission set.
        SubmissionSet = 4,
        /// An association.
        Association = 5,
    }
    /// availabilityStatus.
    Status {
        /// In force.
        Approved = 1,
        /// Replaced or withdrawn.
        Deprecated = 2,
    }
}

impl Kind {
    /// Whether this is a document entry.
    pub(crate) const fn is_document_entry(self) -> bool {
        matches!(self, Self::Stable | Self::OnDemand)
    }
}

/// What is known of an object without its ebRIM: what queries ask for and rules look at.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = registry_objects, treat_none_as_default_value = false)]
pub(crate) struct Row {
    pub(crate) key: i64,
    pub(crate) patient: i64,
    pub(crate) kind: Kind,
    pub(crate) status: Status,
    pub(crate) entry_uuid: String,
    pub(crate) unique_id: Option<String>,
    /// creationTime, submissionTime or lastUpdateTime.
    pub(crate) time: Option<String>,
    pub(crate) service_start_time: Option<String>,
    pub(crate) service_stop_time: Option<String>,
    pub(crate) class_code: Option<String>,
    pub(crate) type_code: Option<String>,
    pub(crate) format_code: Option<String>,
    pub(crate) healthcare_facility_type_code: Option<String>,
    pub(crate) practice_setting_code: Option<String>,
    pub(crate) content_type_code: Option<String>,
    pub(crate) confidentiality_codes: Option<String>,
    pub(crate) event_codes: Option<String>,
    pub(crate) folder_codes: Option<String>,
    pub(crate) author_persons: Option<String>,
    pub(crate) reference_ids: Option<String>,
    /// sourceId of a submission set; XON of the institutions of a document entry's authors, empty if
    /// they have none and `None` if an older program registered it.
    pub(crate) origin: Option<String>,
    pub(crate) hash: Option<String>,
    pub(crate) size: Option<i64>,
    pub(crate) association_type: Option<String>,
    pub(crate) source_key: Option<i64>,
    pub(crate) source_uuid: Option<String>,
    pub(crate) target_key: Option<i64>,
    pub(crate) target_uuid: Option<String>,
    /// The logicalID, if it is not the entryUUID: of later versions.
    pub(crate) logical_uuid: Option<String>,
    /// 1, 2, 3…
    pub(crate) version: i32,
    /// Why those who know nothing of versions do not see it: [`SUPERSEDED`], [`OFFLINE`], [`TRIGGER`].
    pub(crate) hidden: i16,
}

/// There is a newer version.
pub(crate) const SUPERSEDED: i16 = 1;
/// documentAvailability is Offline.
pub(crate) const OFFLINE: i16 = 2;
/// It said what an update was to do.
pub(crate) const TRIGGER: i16 = 4;

impl Row {
    /// A row with nothing but what every object has; its key comes later.
    pub(crate) fn new(kind: Kind, entry_uuid: &str) -> Self {
        Self {
            key: 0,
            patient: 0,
            kind,
            status: Status::Approved,
            entry_uuid: entry_uuid.to_owned(),
            unique_id: None,
            time: None,
            service_start_time: None,
            service_stop_time: None,
            class_code: None,
            type_code: None,
            format_code: None,
            healthcare_facility_type_code: None,
            practice_setting_code: None,
            content_type_code: None,
            confidentiality_codes: None,
            event_codes: None,
            folder_codes: None,
            author_persons: None,
            reference_ids: None,
            origin: None,
            hash: None,
            size: None,
            association_type: None,
            source_key: None,
            source_uuid: None,
            target_key: None,
            target_uuid: None,
            logical_uuid: None,
            version: 1,
            hidden: 0,
        }
    }

    /// What all versions of the object share.
    pub(crate) fn logical_uuid(&self) -> &str {
        self.logical_uuid.as_deref().unwrap_or(&self.entry_uuid)
    }
}

/// As much of an object as names it. Most queries are answered from this alone.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = registry_objects)]
struct Named {
    key: i64,
    patient: i64,
    kind: Kind,
    status: Status,
    entry_uuid: String,
}

impl From<Named> for Row {
    fn from(named: Named) -> Self {
        Self {
            key: named.key,
            patient: named.patient,
            status: named.status,
            entry_uuid: named.entry_uuid,
            ..Self::new(named.kind, "")
        }
    }
}

/// Puts the values of a list into one column.
pub(crate) fn join(values: impl Iterator<Item = String>) -> Option<String> {
    values.reduce(|mut all, value| {
        all.push(SEPARATOR);
        all.push_str(&value);
        all
    })
}

/// The values of a list.
pub(crate) fn split(column: &Option<String>) -> impl Iterator<Item = &str> {
    column.iter().flat_map(|all| all.split(SEPARATOR))
}

/// How much of each object is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Only its row: the ebRIM is not read.
    Rows,
    /// Its ebRIM too.
    Ebrim,
}

/// An object that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// What is known of it.
    pub(crate) row: Row,
    /// The object as it is answered; empty if it was not wanted.
    pub(crate) ebrim: String,
}

/// The object as it is answered, where it is kept.
pub(super) const EBRIM: &str = "registry_objects.ebrim";
/// Who wrote it, where that is kept.
pub(super) const AUTHOR_PERSONS: &str = "registry_objects.author_persons";
/// What else it belongs to, where that is kept.
pub(super) const REFERENCE_IDS: &str = "registry_objects.reference_ids";

/// An object as it is kept.
fn sealed<'o>(
    fields: &Fields,
    (row, ebrim): &'o (Row, String),
) -> io::Result<(Cow<'o, Row>, Cow<'o, str>)> {
    let at = |column| Place::of(column, &row.key);
    let ebrim = fields.seal(at(EBRIM), ebrim)?;
    if !fields.are_sealed() {
        return Ok((Cow::Borrowed(row), ebrim));
    }
    let row = Row {
        author_persons: fields.seal_some(at(AUTHOR_PERSONS), row.author_persons.as_deref())?,
        reference_ids: fields.seal_some(at(REFERENCE_IDS), row.reference_ids.as_deref())?,
        ..row.clone()
    };
    Ok((Cow::Owned(row), ebrim))
}

/// A row as it was before it was kept.
fn opened_row(fields: &Fields, mut row: Row) -> QueryResult<Row> {
    let at = |column| Place::of(column, &row.key);
    let open = |column, kept| fields.open_some(at(column), kept).map_err(broken);
    let authors = open(AUTHOR_PERSONS, row.author_persons.clone())?;
    let reference_ids = open(REFERENCE_IDS, row.reference_ids.clone())?;
    row.author_persons = authors;
    row.reference_ids = reference_ids;
    Ok(row)
}

/// The same of what else was found, if it was wanted.
fn opened_ebrim(fields: &Fields, found: Found, wanted: Wanted) -> QueryResult<Found> {
    let Found { row, ebrim } = found;
    let ebrim = match wanted {
        Wanted::Rows => ebrim,
        Wanted::Ebrim => {
            let opened = fields.open(Place::of(EBRIM, &row.key), ebrim);
            opened.map_err(broken)?
        }
    };
    Ok(Found { row, ebrim })
}

/// Adds objects.
pub(crate) fn insert(conn: &mut Connection, objects: &[(Row, String)]) -> QueryResult<()> {
    let fields = conn.fields();
    match conn.engine() {
        Either::Sqlite(c) => objects.iter().try_for_each(|object| {
            let (row, ebrim) = sealed(&fields, object).map_err(broken)?;
            diesel::insert_into(registry_objects::table)
                .values((&*row, registry_objects::ebrim.eq(&*ebrim)))
                .execute(c)
                .map(drop)
        }),
        Either::Postgres(c) => objects.chunks(ROWS).try_for_each(|objects| {
            let objects = objects.iter().map(|object| sealed(&fields, object));
            let objects: Vec<_> = objects.collect::<io::Result<_>>().map_err(broken)?;
            let values: Vec<_> = objects
                .iter()
                .map(|(row, ebrim)| (&**row, registry_objects::ebrim.eq(&**ebrim)))
                .collect();
            diesel::insert_into(registry_objects::table)
                .values(values)
                .execute(c)
                .map(drop)
        }),
    }
}

/// Which kinds of objects.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// Objects of these kinds.
    pub(crate) kinds: RangeInclusive<Kind>,
    /// Objects of these statuses.
    pub(crate) statuses: RangeInclusive<Status>,
    /// What is hidden from those who know nothing of versions, too.
    pub(crate) hidden_too: bool,
    /// Objects whose keys are greater than this: [`FIRST`] for all.
    pub(crate) after: i64,
}

/// No key is as small.
pub(crate) const FIRST: i64 = -1;

/// Narrows a query down to a scope and loads what `judge` wants. Streams on SQLite, so that nothing
/// beyond the limit is read.
macro_rules! load {
    ($conn:ident, $query:expr, $scope:ident, $wanted:ident, $limit:ident, $judge:ident) => {{
        let fields = $conn.fields();
        let query = $query
            .filter(registry_objects::kind.ge(*$scope.kinds.start()))
            .filter(registry_objects::kind.le(*$scope.kinds.end()))
            .filter(registry_objects::status.ge(*$scope.statuses.start()))
            .filter(registry_objects::status.le(*$scope.statuses.end()))
            .filter(registry_objects::hidden.le(if $scope.hidden_too { i16::MAX } else { 0 }))
            .filter(registry_objects::key.gt($scope.after))
            .order(registry_objects::key);
        macro_rules! rows {
            ($row:ty, $columns:expr, $found:expr, $passes:expr) => {
                on!($conn, |c| {
                    let rows = query
                        .select($columns)
                        .load_iter::<$row, DefaultLoadingMode>(c)?;
                    let found = rows.map(|row| row.map($found));
                    take(&fields, found, $wanted, $limit, $passes)
                })
            };
        }
        let all = |_: &Row| true;
        let row = |row| Found {
            row,
            ebrim: String::new(),
        };
        let named = |(row, ebrim): (Named, String)| Found {
            row: row.into(),
            ebrim,
        };
        let ebrim = registry_objects::ebrim;
        match ($wanted, $judge) {
            (Wanted::Rows, None) => {
                rows!(Named, Named::as_select(), |it: Named| row(it.into()), all)
            }
            (Wanted::Rows, Some(judge)) => rows!(Row, Row::as_select(), row, judge),
            (Wanted::Ebrim, None) => {
                rows!((Named, String), (Named::as_select(), ebrim), named, all)
            }
            (Wanted::Ebrim, Some(judge)) => rows!(
                (Row, String),
                (Row::as_select(), ebrim),
                |(row, ebrim)| Found { row, ebrim },
                judge
            ),
        }
    }};
}

/// The objects of a patient that `judge` wants, in the order in which they were registered, at
/// most `limit` of them. Without a judge all are wanted, and of their rows only what names them is
/// read.
pub(crate) fn of_patient(
    conn: &mut Connection,
    patient: i64,
    scope: &Scope,
    wanted: Wanted,
    limit: usize,
    judge: Option<&dyn Fn(&Row) -> bool>,
) -> QueryResult<Vec<Found>> {
    // PostgreSQL finds its partition by the patient, SQLite its rows by their keys.
    let (from, to) = (patient << SEQ_BITS, (patient + 1) << SEQ_BITS);
    let query = registry_objects::table
        .filter(registry_objects::patient.eq(patient))
        .filter(registry_objects::key.ge(from))
        .filter(registry_objects::key.lt(to));
    load!(conn, query, scope, wanted, limit, judge)
}

/// The same for everybody's objects. Everything is read until there are enough, so this is for
/// questions that somebody may wait for.
pub(crate) fn of_everybody(
    conn: &mut Connection,
    scope: &Scope,
    wanted: Wanted,
    limit: usize,
    judge: Option<&dyn Fn(&Row) -> bool>,
) -> QueryResult<Vec<Found>> {
    let query = registry_objects::table;
    load!(conn, query, scope, wanted, limit, judge)
}

/// The objects with these keys that `judge` wants, in the order of their keys, at most `limit` of
/// them.
pub(crate) fn of_keys(
    conn: &mut Connection,
    keys: &[i64],
    scope: &Scope,
    wanted: Wanted,
    limit: usize,
    judge: Option<&dyn Fn(&Row) -> bool>,
) -> QueryResult<Vec<Found>> {
    let mut found = Vec::new();
    for keys in keys.chunks(ROWS) {
        let limit = limit - found.len();
        if limit == 0 {
            break;
        }
        // Only PostgreSQL needs the patients, to find its partitions.
        let mut patients: Vec<i64> = keys.iter().map(|key| patient_of(*key)).collect();
        patients.dedup();
        let query = registry_objects::table
            .filter(registry_objects::patient.eq_any(&patients))
            .filter(registry_objects::key.eq_any(keys));
        let more: Vec<Found> = load!(conn, query, scope, wanted, limit, judge)?;
        found.extend(more);
    }
    Ok(found)
}

fn take(
    fields: &Fields,
    mut found: impl Iterator<Item = QueryResult<Found>>,
    wanted: Wanted,
    limit: usize,
    judge: impl Fn(&Row) -> bool,
) -> QueryResult<Vec<Found>> {
    let mut taken = Vec::new();
    while taken.len() < limit
        && let Some(found) = found.next()
    {
        let Found { row, ebrim } = found?;
        let row = opened_row(fields, row)?;
        // Only what passes is opened as a whole.
        if judge(&row) {
            taken.push(opened_ebrim(fields, Found { row, ebrim }, wanted)?);
        }
    }
    Ok(taken)
}

/// The objects with these keys, in the order of their keys.
pub(crate) fn by_keys(
    conn: &mut Connection,
    keys: &[i64],
    wanted: Wanted,
) -> QueryResult<Vec<Found>> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    let fields = conn.fields();
    let found = match conn.engine() {
        Either::Sqlite(c) => {
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                let query = registry_objects::table.find(key);
                found.extend(match wanted {
                    Wanted::Rows => rows_only(query.select(Row::as_select()).first(c).optional()?),
                    Wanted::Ebrim => query
                        .select((Row::as_select(), registry_objects::ebrim))
                        .first(c)
                        .optional()?
                        .map(|(row, ebrim)| Found { row, ebrim }),
                });
            }
            found
        }
        Either::Postgres(c) => {
            let mut patients: Vec<i64> = keys.iter().map(|key| patient_of(*key)).collect();
            patients.dedup();
            let query = registry_objects::table
                .filter(registry_objects::patient.eq_any(patients))
                .filter(registry_objects::key.eq_any(keys))
                .order(registry_objects::key);
            match wanted {
                Wanted::Rows => {
                    let rows = query.select(Row::as_select()).load(c)?;
                    rows.into_iter()
                        .flat_map(|row| rows_only(Some(row)))
                        .collect()
                }
                Wanted::Ebrim => {
                    let query = query.select((Row::as_select(), registry_objects::ebrim));
                    let rows = query.load::<(Row, String)>(c)?;
                    let found = |(row, ebrim)| Found { row, ebrim };
                    rows.into_iter().map(found).collect()
                }
            }
        }
    };
    let judge = |_: &Row| true;
    take(
        &fields,
        found.into_iter().map(Ok),
        wanted,
        usize::MAX,
        judge,
    )
}

fn rows_only(row: Option<Row>) -> Option<Found> {
    row.map(|row| Found {
        row,
        ebrim: String::new(),
    })
}

/// Changes what may change of an object that is registered: its status, its time and whether it is
/// hidden, and with them its ebRIM.
pub(crate) fn update(conn: &mut Connection, object: &Found) -> QueryResult<()> {
    let Found { row, ebrim } = object;
    let fields = conn.fields();
    let ebrim = fields.seal(Place::of(EBRIM, &row.key), ebrim);
    let ebrim = ebrim.map_err(broken)?;
    on!(conn, |c| diesel::update(
        registry_objects::table
            .filter(registry_objects::patient.eq(row.patient))
            .filter(registry_objects::key.eq(row.key))
    )
    .set((
        registry_objects::status.eq(row.status),
        registry_objects::time.eq(&row.time),
        registry_objects::hidden.eq(row.hidden),
        registry_objects::ebrim.eq(&*ebrim),
    ))
    .execute(c)
    .map(drop))
}

/// Removes the objects with these keys.
pub(crate) fn remove(conn: &mut Connection, keys: &[i64]) -> QueryResult<()> {
    for keys in keys.chunks(ROWS) {
        let patients: Vec<i64> = keys.iter().map(|key| patient_of(*key)).collect();
        let query = registry_objects::table
            .filter(registry_objects::patient.eq_any(patients))
            .filter(registry_objects::key.eq_any(keys));
        on!(&mut *conn, |c| diesel::delete(query).execute(c))?;
    }
    Ok(())
}
