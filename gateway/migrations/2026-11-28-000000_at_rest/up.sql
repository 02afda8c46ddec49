-- Sealed texts beside their pseudonyms, if identifiers are encrypted: `own` and `there` are pseudonyms then.
ALTER TABLE correlations ADD COLUMN own_sealed TEXT;
ALTER TABLE correlations ADD COLUMN there_sealed TEXT;

-- One row if identifiers are encrypted: the data key, wrapped; and `progress` until all rows are.
CREATE TABLE at_rest (
    number INTEGER PRIMARY KEY NOT NULL,
    wrapped TEXT NOT NULL,
    progress TEXT
);
