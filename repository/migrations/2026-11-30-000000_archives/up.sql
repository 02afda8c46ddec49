-- Studies that stay in other archives, as those said they have them when they were read last.
CREATE TABLE archived (
    number INTEGER PRIMARY KEY NOT NULL,
    -- The archive's name.
    archive TEXT NOT NULL,
    -- Study Instance UID.
    uid TEXT NOT NULL,
    -- How many series and instances the archive counts in it; NULL if it does not say.
    series_count BIGINT,
    instance_count BIGINT,
    -- In how many looks at everything it was missing.
    missed INTEGER NOT NULL DEFAULT 0,
    -- Why it could not be read as it should.
    trouble TEXT,
    UNIQUE (archive, uid)
);
