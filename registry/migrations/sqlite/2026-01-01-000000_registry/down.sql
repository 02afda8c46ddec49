DROP TABLE links;
DROP TABLE unique_ids;
DROP TABLE entry_uuids;
DROP TABLE registry_objects;
DROP TABLE patients;
