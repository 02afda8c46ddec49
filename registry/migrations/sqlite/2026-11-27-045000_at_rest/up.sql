-- What identifies patients may be kept encrypted (docs/at-rest.md). This table has a row if it is: the
-- data key, wrapped, and how far an older database has been encrypted; NULL when that is done.
CREATE TABLE at_rest (
    number INTEGER PRIMARY KEY NOT NULL,
    wrapped TEXT NOT NULL,
    progress TEXT
);

-- The text of patient_id or specimen, which then is a pseudonym.
ALTER TABLE patients ADD COLUMN sealed TEXT;
ALTER TABLE subscriptions ADD COLUMN sealed TEXT;
ALTER TABLE specimens ADD COLUMN sealed TEXT;
