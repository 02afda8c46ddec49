-- What document entries say of images in extra metadata (docs/imaging-queries.md). All of it stands
-- in their ebRIM, too; here it is found. Keys are those of registry_objects.

-- How the series of a document were made: each value with the series that have it.
CREATE TABLE acquisitions (
    key INTEGER PRIMARY KEY NOT NULL,
    -- How many there are.
    series INTEGER NOT NULL,
    facts TEXT NOT NULL
);

-- Which documents have a series with a value; numbers are in the unit of the parameter.
CREATE TABLE acquisition_numbers (
    keyword TEXT NOT NULL,
    number DOUBLE NOT NULL,
    key BIGINT NOT NULL,
    PRIMARY KEY (keyword, number, key)
) WITHOUT ROWID;

-- The same for texts, and for codes, which are written code^^scheme.
CREATE TABLE acquisition_words (
    keyword TEXT NOT NULL,
    word TEXT NOT NULL,
    key BIGINT NOT NULL,
    PRIMARY KEY (keyword, word, key)
) WITHOUT ROWID;

-- Measured values. Codes are written code^^scheme.
CREATE TABLE measurements (
    key BIGINT NOT NULL,
    -- Which one of the document's it is.
    place INTEGER NOT NULL,
    concept TEXT NOT NULL,
    -- In the base unit of its dimension, and as it was measured.
    number DOUBLE,
    dimension TEXT NOT NULL,
    value DOUBLE,
    unit TEXT,
    coded_value TEXT,
    qualifier TEXT,
    finding TEXT,
    site TEXT,
    laterality TEXT,
    method TEXT,
    derivation TEXT,
    algorithm TEXT,
    algorithm_version TEXT,
    tracking_identifier TEXT,
    tracking_uid TEXT,
    said_in TEXT,
    -- UIDs are separated by U+001F.
    source_series TEXT,
    PRIMARY KEY (key, place)
) WITHOUT ROWID;

CREATE INDEX measurements_number ON measurements (concept, number);

-- Specimens that documents are about: as referenceIdList has them, and without their authority.
CREATE TABLE specimens (
    specimen TEXT NOT NULL,
    key BIGINT NOT NULL,
    PRIMARY KEY (specimen, key)
) WITHOUT ROWID;
