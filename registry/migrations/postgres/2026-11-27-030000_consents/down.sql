ALTER TABLE notifications DROP COLUMN described;
ALTER TABLE subscriptions DROP COLUMN subscriber;
DROP TABLE consent_documents;
DROP TABLE consents;
UPDATE registry_objects SET origin = NULL WHERE kind IN (1, 2);
ALTER TABLE registry_objects RENAME COLUMN origin TO source_id;
