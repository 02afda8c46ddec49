-- Volumes that were handed in as documents. Only so that a file that has not changed is not read
-- again: the registry says what is registered.
CREATE TABLE volumes (
    number INTEGER PRIMARY KEY NOT NULL,
    -- Of the file, or of the header of a pair.
    path TEXT NOT NULL UNIQUE,
    -- For whom and as what it was handed in, and sizes and times of its files.
    basis TEXT NOT NULL,
    -- uniqueId of the document.
    unique_id TEXT NOT NULL
);

-- What is kept back may be a volume that is no DICOM object: then it has no study and no series, and
-- its UID is the uniqueId that its document will have.
ALTER TABLE quarantined ADD COLUMN volume BOOLEAN NOT NULL DEFAULT FALSE;
