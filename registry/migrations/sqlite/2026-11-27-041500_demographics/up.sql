-- What feeds say of patients, if it is kept (docs/patients.md).

CREATE TABLE demographics (
    patient BIGINT PRIMARY KEY NOT NULL,
    -- JSON: a person.
    resource TEXT NOT NULL,
    -- Seconds since 1970.
    updated BIGINT NOT NULL
);

-- By what patients are found: every look-up is for a key as it stands.
CREATE TABLE demographic_keys (
    kind SMALLINT NOT NULL,
    key TEXT NOT NULL,
    patient BIGINT NOT NULL,
    PRIMARY KEY (kind, key, patient)
) WITHOUT ROWID;

CREATE INDEX demographic_keys_patient ON demographic_keys (patient);
