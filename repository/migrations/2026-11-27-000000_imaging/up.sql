-- What an imaging source has. Everything that is asked for in a query has a column; the rest is JSON.
CREATE TABLE studies (
    number INTEGER PRIMARY KEY NOT NULL,
    -- Study Instance UID.
    uid TEXT NOT NULL UNIQUE,
    -- Raised whenever what is in the study changes.
    generation BIGINT NOT NULL,
    -- Its patient in the affinity domain, as CX; NULL if it names nobody.
    domain_patient_id TEXT,
    -- The study without its series.
    facts TEXT NOT NULL,
    -- The manifest by which it is found, and the one that is about to be handed in.
    registered TEXT,
    planned TEXT,
    -- Milliseconds since 1970: when something is to be done for it; NULL if nothing is.
    due BIGINT,
    -- Who works on it, "node" or "import", and until when.
    claimed_by TEXT NOT NULL DEFAULT '',
    claimed_until BIGINT NOT NULL DEFAULT 0,
    -- How often that failed, and why the last time.
    attempts INTEGER NOT NULL DEFAULT 0,
    trouble TEXT,
    -- Why it is kept back until somebody releases it (JSON), and whether somebody has.
    held TEXT,
    released BOOLEAN NOT NULL DEFAULT FALSE,
    -- When something of it arrived last, in milliseconds since 1970.
    changed BIGINT NOT NULL,
    -- As they stand in the objects, except that names are folded.
    patient_id TEXT NOT NULL,
    patient_name TEXT NOT NULL,
    birth_date TEXT NOT NULL,
    sex TEXT NOT NULL,
    study_date TEXT NOT NULL,
    study_time TEXT NOT NULL,
    accession_number TEXT NOT NULL,
    study_id TEXT NOT NULL,
    description TEXT NOT NULL,
    referring_physician TEXT NOT NULL,
    -- |CT|SR|
    modalities TEXT NOT NULL,
    series_count INTEGER NOT NULL,
    instance_count INTEGER NOT NULL
);

CREATE INDEX studies_by_due ON studies (due) WHERE due IS NOT NULL;
CREATE INDEX studies_by_patient_id ON studies (patient_id);
CREATE INDEX studies_by_patient_name ON studies (patient_name);
CREATE INDEX studies_by_accession_number ON studies (accession_number);
CREATE INDEX studies_by_study_date ON studies (study_date);

CREATE TABLE series (
    number INTEGER PRIMARY KEY NOT NULL,
    study BIGINT NOT NULL REFERENCES studies (number),
    uid TEXT NOT NULL,
    modality TEXT NOT NULL,
    series_number BIGINT,
    description TEXT NOT NULL,
    -- The series without its instances.
    facts TEXT NOT NULL,
    instance_count INTEGER NOT NULL,
    UNIQUE (study, uid)
);

CREATE INDEX series_by_uid ON series (uid);

CREATE TABLE instances (
    number INTEGER PRIMARY KEY NOT NULL,
    study BIGINT NOT NULL REFERENCES studies (number),
    series BIGINT NOT NULL REFERENCES series (number),
    uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    instance_number BIGINT,
    -- All of it, and where it is.
    facts TEXT NOT NULL,
    UNIQUE (study, uid)
);

CREATE INDEX instances_by_series ON instances (series);
CREATE INDEX instances_by_uid ON instances (uid);

-- Objects that are kept back until somebody decides.
CREATE TABLE quarantined (
    number INTEGER PRIMARY KEY NOT NULL,
    study_uid TEXT NOT NULL,
    series_uid TEXT NOT NULL,
    uid TEXT NOT NULL,
    patient_id TEXT NOT NULL,
    -- Milliseconds since 1970.
    arrived BIGINT NOT NULL,
    -- Where it came from, for people.
    origin TEXT NOT NULL,
    -- JSON: sentences.
    reasons TEXT NOT NULL,
    -- The file.
    path TEXT NOT NULL UNIQUE,
    -- Whether somebody has let it go: it is not kept back again.
    released BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE INDEX quarantined_by_study ON quarantined (study_uid);
CREATE INDEX quarantined_by_uid ON quarantined (uid);
