DROP TABLE volumes;
ALTER TABLE quarantined DROP COLUMN volume;
