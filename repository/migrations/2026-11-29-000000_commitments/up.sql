-- Storage commitments that were asked for and of which the answer has not been taken yet.
CREATE TABLE commitments (
    number INTEGER PRIMARY KEY NOT NULL,
    -- AE title of who asked.
    calling TEXT NOT NULL,
    -- Transaction UID.
    transaction_uid TEXT NOT NULL,
    -- JSON: pairs of SOP Class UID and SOP Instance UID.
    instances TEXT NOT NULL,
    -- Milliseconds since 1970: when it was asked, and when to answer next.
    asked BIGINT NOT NULL,
    due BIGINT NOT NULL,
    -- How often answering has failed.
    attempts INTEGER NOT NULL DEFAULT 0,
    UNIQUE (calling, transaction_uid)
);

CREATE INDEX commitments_by_due ON commitments (due);
