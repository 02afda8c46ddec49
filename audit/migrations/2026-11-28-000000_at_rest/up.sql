-- The sealed text of a value, if identifiers are encrypted: `value` is its word in hexadecimal then.
ALTER TABLE strings ADD COLUMN sealed TEXT;

-- One row if identifiers are encrypted: the data key, wrapped.
CREATE TABLE at_rest (
    number INTEGER PRIMARY KEY NOT NULL,
    wrapped TEXT NOT NULL
);
