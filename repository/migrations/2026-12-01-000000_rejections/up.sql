-- Rejection notes that were sent here. Nothing lists them, and they are not given out.
CREATE TABLE notes (
    number INTEGER PRIMARY KEY NOT NULL,
    study_uid TEXT NOT NULL,
    uid TEXT NOT NULL UNIQUE,
    -- Why: as commands call it.
    title TEXT NOT NULL,
    -- Milliseconds since 1970.
    arrived BIGINT NOT NULL,
    -- The file.
    path TEXT NOT NULL
);

CREATE INDEX notes_by_study ON notes (study_uid);

-- Instances that were taken back before anything of their study came.
CREATE TABLE taken_back (
    study_uid TEXT NOT NULL,
    uid TEXT NOT NULL,
    title TEXT NOT NULL,
    PRIMARY KEY (study_uid, uid)
);

-- Files that are not needed any more and are about to be removed.
CREATE TABLE doomed (
    path TEXT PRIMARY KEY NOT NULL
);

-- Studies that are being removed, with the manifests that must go (JSON).
CREATE TABLE removals (
    study_uid TEXT PRIMARY KEY NOT NULL,
    documents TEXT NOT NULL
);

-- What holds for all studies, such as how they were described last.
CREATE TABLE settings (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);
