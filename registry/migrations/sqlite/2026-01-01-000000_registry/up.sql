-- Who documents are about. Each patient has a number, and hands out keys to what is registered for
-- it: number << 24 | next_seq.
CREATE TABLE patients (
    number INTEGER PRIMARY KEY NOT NULL,
    -- CX, as messages write it.
    patient_id TEXT NOT NULL UNIQUE,
    next_seq BIGINT NOT NULL,
    -- The patient this one was found to be the same as.
    merged_into BIGINT,
    -- Seconds since 1970.
    known_since BIGINT NOT NULL
);

-- Document entries, submission sets, folders and associations. The key is the rowid, so that what
-- belongs to one patient lies together.
CREATE TABLE registry_objects (
    key INTEGER PRIMARY KEY NOT NULL,
    patient BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    status SMALLINT NOT NULL,
    entry_uuid TEXT NOT NULL,
    unique_id TEXT,
    -- creationTime, submissionTime or lastUpdateTime.
    time TEXT,
    service_start_time TEXT,
    service_stop_time TEXT,
    -- Codes are written code^^scheme; values of a list are separated by U+001F.
    class_code TEXT,
    type_code TEXT,
    format_code TEXT,
    healthcare_facility_type_code TEXT,
    practice_setting_code TEXT,
    content_type_code TEXT,
    confidentiality_codes TEXT,
    event_codes TEXT,
    folder_codes TEXT,
    author_persons TEXT,
    reference_ids TEXT,
    source_id TEXT,
    hash TEXT,
    size BIGINT,
    association_type TEXT,
    source_key BIGINT,
    source_uuid TEXT,
    target_key BIGINT,
    target_uuid TEXT,
    -- The object as it is answered.
    ebrim TEXT NOT NULL
);

CREATE TABLE entry_uuids (
    uuid BLOB NOT NULL PRIMARY KEY,
    key BIGINT NOT NULL
) WITHOUT ROWID;

-- Document entries may share a uniqueId: each takes the next copy.
CREATE TABLE unique_ids (
    unique_id TEXT NOT NULL,
    copy INTEGER NOT NULL,
    key BIGINT NOT NULL,
    PRIMARY KEY (unique_id, copy)
) WITHOUT ROWID;

-- Which associations touch an object, as source or as target.
CREATE TABLE links (
    object BIGINT NOT NULL,
    association BIGINT NOT NULL,
    PRIMARY KEY (object, association)
) WITHOUT ROWID;
