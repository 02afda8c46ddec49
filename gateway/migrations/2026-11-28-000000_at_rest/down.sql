DROP TABLE at_rest;
ALTER TABLE correlations DROP COLUMN there_sealed;
ALTER TABLE correlations DROP COLUMN own_sealed;
