ALTER TABLE instances DROP COLUMN collection;
DROP TABLE at_rest;
