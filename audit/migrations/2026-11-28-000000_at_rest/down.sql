DROP TABLE at_rest;
ALTER TABLE strings DROP COLUMN sealed;
