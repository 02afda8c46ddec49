//! What patients wished: FHIR Consents in all their versions, and the entries of documents in which
//! privacy policies are acknowledged.

use diesel::prelude::*;
use hilum_security::at_rest::fields::{Fields, Place};

use super::fields::broken;
use super::schema::{consent_documents, consents};
use super::{Connection, on};

/// A version of a consent that is to be kept.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = consents)]
pub(crate) struct NewVersion {
    pub(crate) id: String,
    pub(crate) version: i32,
    pub(crate) newest: bool,
    pub(crate) patient: i64,
    pub(crate) updated: i64,
    pub(crate) resource: String,
}

/// A version of a consent that is kept.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = consents)]
pub(crate) struct Kept {
    pub(crate) id: String,
    pub(crate) version: i32,
    pub(crate) patient: i64,
    /// Milliseconds since 1970.
    pub(crate) updated: i64,
    /// JSON, as it is answered.
    pub(crate) resource: String,
}

/// The resource, where it is kept.
pub(super) const RESOURCE: &str = "consents.resource";

/// What tells a version from others.
pub(super) fn row(patient: i64, id: &str, version: i32) -> String {
    format!("{patient}/{id}/{version}")
}

/// Versions as they were before they were kept.
fn opened(fields: &Fields, kept: impl IntoIterator<Item = Kept>) -> QueryResult<Vec<Kept>> {
    let open = |kept: Kept| {
        let row = row(kept.patient, &kept.id, kept.version);
        let resource = fields.open(Place::of(RESOURCE, &row), kept.resource);
        let resource = resource.map_err(broken)?;
        Ok(Kept { resource, ..kept })
    };
    kept.into_iter().map(open).collect()
}

/// Keeps a version. Those before are not the newest any more.
pub(crate) fn insert(conn: &mut Connection, version: &NewVersion) -> QueryResult<()> {
    let fields = conn.fields();
    let row = row(version.patient, &version.id, version.version);
    let resource = fields.seal(Place::of(RESOURCE, &row), &version.resource);
    let resource = resource.map_err(broken)?.into_owned();
    let version = &NewVersion {
        resource,
        ..version.clone()
    };
    on!(&mut *conn, |c| diesel::update(
        consents::table.filter(consents::id.eq(&version.id))
    )
    .set(consents::newest.eq(false))
    .execute(c))?;
    on!(conn, |c| diesel::insert_into(consents::table)
        .values(version)
        .execute(c)
        .map(drop))
}

/// The newest version of a consent.
pub(crate) fn newest(conn: &mut Connection, id: &str) -> QueryResult<Option<Kept>> {
    let fields = conn.fields();
    let kept: Option<Kept> = on!(conn, |c| consents::table
        .filter(consents::id.eq(id))
        .order(consents::version.desc())
        .select(Kept::as_select())
        .first(c)
        .optional())?;
    Ok(opened(&fields, kept)?.pop())
}

/// One version of a consent.
pub(crate) fn version(conn: &mut Connection, id: &str, version: i32) -> QueryResult<Option<Kept>> {
    let fields = conn.fields();
    let kept: Option<Kept> = on!(conn, |c| consents::table
        .filter(consents::id.eq(id))
        .filter(consents::version.eq(version))
        .select(Kept::as_select())
        .first(c)
        .optional())?;
    Ok(opened(&fields, kept)?.pop())
}

/// The versions of a consent, the newest first, at most so many, from this one down.
pub(crate) fn history(
    conn: &mut Connection,
    id: &str,
    from: i32,
    limit: i64,
) -> QueryResult<Vec<Kept>> {
    let fields = conn.fields();
    let kept: Vec<Kept> = on!(conn, |c| consents::table
        .filter(consents::id.eq(id))
        .filter(consents::version.le(from))
        .order(consents::version.desc())
        .limit(limit)
        .select(Kept::as_select())
        .load(c))?;
    opened(&fields, kept)
}

/// The newest versions of the consents of these patients, in the order in which they were made.
pub(crate) fn of_patients(conn: &mut Connection, patients: &[i64]) -> QueryResult<Vec<Kept>> {
    let fields = conn.fields();
    let kept: Vec<Kept> = on!(conn, |c| consents::table
        .filter(consents::patient.eq_any(patients))
        .filter(consents::newest.eq(true))
        .order(consents::number)
        .select(Kept::as_select())
        .load(c))?;
    opened(&fields, kept)
}

/// How many consents these patients have.
pub(crate) fn count(conn: &mut Connection, patients: &[i64]) -> QueryResult<i64> {
    on!(conn, |c| consents::table
        .filter(consents::patient.eq_any(patients))
        .filter(consents::newest.eq(true))
        .count()
        .get_result(c))
}

/// Remembers that a patient acknowledged something in the document whose entry has this key.
pub(crate) fn insert_document(conn: &mut Connection, patient: i64, key: i64) -> QueryResult<()> {
    let values = (
        consent_documents::patient.eq(patient),
        consent_documents::key.eq(key),
    );
    on!(conn, |c| diesel::insert_into(consent_documents::table)
        .values(values)
        .on_conflict_do_nothing()
        .execute(c)
        .map(drop))
}

/// The keys of the entries of such documents of these patients.
pub(crate) fn documents(conn: &mut Connection, patients: &[i64]) -> QueryResult<Vec<i64>> {
    on!(conn, |c| consent_documents::table
        .filter(consent_documents::patient.eq_any(patients))
        .order(consent_documents::key)
        .select(consent_documents::key)
        .load(c))
}

/// Forgets such a document.
pub(crate) fn remove_document(conn: &mut Connection, patient: i64, key: i64) -> QueryResult<()> {
    let query = diesel::delete(consent_documents::table.find((patient, key)));
    on!(conn, |c| query.execute(c)).map(drop)
}
