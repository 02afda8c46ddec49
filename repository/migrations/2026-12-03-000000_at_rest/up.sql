-- What identifies patients may be kept encrypted (docs/at-rest.md). This table has a row if it is: the
-- data key, wrapped, and how far an older database has been encrypted; NULL when that is done.
CREATE TABLE at_rest (
    number INTEGER PRIMARY KEY NOT NULL,
    wrapped TEXT NOT NULL,
    progress TEXT
);

-- The collection into which an instance came, which stood in its facts only.
ALTER TABLE instances ADD COLUMN collection TEXT;
UPDATE instances SET collection = json_extract(facts, '$.collection');
