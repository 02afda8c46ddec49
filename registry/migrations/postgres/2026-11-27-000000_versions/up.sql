-- Versions of document entries and folders (metadata update, ITI TF-3 4.1.5).

-- The logicalID, if it is not the entryUUID: of later versions.
ALTER TABLE registry_objects ADD COLUMN logical_uuid TEXT;
-- 1, 2, 3…
ALTER TABLE registry_objects ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
-- Why a consumer that knows nothing of versions does not see it, added up: 1, there is a newer
-- version; 2, it is offline; 4, it said what an update was to do.
ALTER TABLE registry_objects ADD COLUMN hidden SMALLINT NOT NULL DEFAULT 0;

-- The later versions of an object, by its logicalID, which is the entryUUID of the first.
CREATE TABLE versions (
    logical_uuid BYTEA NOT NULL,
    version INTEGER NOT NULL,
    key BIGINT NOT NULL,
    PRIMARY KEY (logical_uuid, version)
);

-- Which patients were merged into a patient.
CREATE INDEX patients_merged_into ON patients (merged_into) WHERE merged_into IS NOT NULL;
