-- What patients wished, and by what it is decided who sees what (docs/consent.md).

-- Where an object comes from: the sourceId of a submission set or, from now on, XON of the institutions
-- of a document entry's authors. NULL for entries that were registered before.
ALTER TABLE registry_objects RENAME COLUMN source_id TO origin;

-- FHIR Consents, in all their versions.
CREATE TABLE consents (
    number INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    -- Logical id, and versionId: 1, 2, 3…
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- Whether there is no later version.
    newest BOOLEAN NOT NULL,
    patient BIGINT NOT NULL,
    -- Milliseconds since 1970.
    updated BIGINT NOT NULL,
    -- JSON, as it is answered.
    resource TEXT NOT NULL,
    UNIQUE (id, version)
);

CREATE INDEX consents_patient ON consents (patient, newest);

-- Documents in which patients acknowledge privacy policies (BPPC), by the keys of their entries.
CREATE TABLE consent_documents (
    patient BIGINT NOT NULL,
    key BIGINT NOT NULL,
    PRIMARY KEY (patient, key)
) WITHOUT ROWID;

INSERT INTO consent_documents (patient, key)
SELECT patient, key FROM registry_objects
WHERE kind IN (1, 2) AND format_code LIKE 'urn:ihe:iti:bppc%';

-- Who subscribed (JSON), and what notifications are about (JSON), so that it can be decided when
-- they are sent.
ALTER TABLE subscriptions ADD COLUMN subscriber TEXT;
ALTER TABLE notifications ADD COLUMN described TEXT;
