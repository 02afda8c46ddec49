DROP INDEX patients_merged_into;
DROP TABLE versions;
ALTER TABLE registry_objects DROP COLUMN hidden;
ALTER TABLE registry_objects DROP COLUMN version;
ALTER TABLE registry_objects DROP COLUMN logical_uuid;
