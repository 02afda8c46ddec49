-- Who is told of what (document metadata subscription, ITI-52).
CREATE TABLE subscriptions (
    number INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    -- The last part of its address: whoever knows it may cancel the subscription.
    reference TEXT NOT NULL UNIQUE,
    -- Its address, under the name by which the subscriber knows this registry.
    address TEXT NOT NULL,
    -- CX; empty if it is about all patients.
    patient_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    -- rim:AdhocQuery.
    filter TEXT NOT NULL,
    -- Whom to tell: a URL, its scheme with host and port, and the pull point that it is, if it is one.
    consumer TEXT NOT NULL,
    destination TEXT NOT NULL,
    pull_point BIGINT,
    -- Seconds since 1970.
    created BIGINT NOT NULL,
    terminates BIGINT NOT NULL,
    -- Whether it was given up, because its consumer could not be told for too long.
    failed BOOLEAN NOT NULL,
    -- Attempts that failed since the last one that did not.
    attempts INTEGER NOT NULL,
    -- Milliseconds since 1970: before this it is not tried again; until then somebody is trying.
    next_attempt BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    last_error TEXT,
    -- Seconds since 1970.
    last_delivery BIGINT
);

CREATE INDEX subscriptions_patient ON subscriptions (patient_id);
CREATE INDEX subscriptions_terminates ON subscriptions (terminates);

-- Where notifications wait until somebody comes for them (ITI-69, ITI-70).
CREATE TABLE pull_points (
    number INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    -- The last part of its address.
    reference TEXT NOT NULL UNIQUE,
    -- So many notifications are kept, and so many were lost because there were more.
    capacity BIGINT NOT NULL,
    lost BIGINT NOT NULL,
    -- Seconds since 1970; when somebody last came.
    created BIGINT NOT NULL,
    used BIGINT NOT NULL
);

-- What is still to be told (ITI-53), in the order in which it happened.
CREATE TABLE notifications (
    number INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    -- 0 if it came from elsewhere, into a pull point.
    subscription BIGINT NOT NULL,
    pull_point BIGINT,
    -- CX, for the record.
    patient_id TEXT,
    -- Kind, entryUUID and homeCommunityId of each object, for the record.
    objects TEXT NOT NULL,
    -- wsnt:NotificationMessage.
    message TEXT NOT NULL,
    -- Seconds since 1970.
    created BIGINT NOT NULL
);

CREATE INDEX notifications_subscription ON notifications (subscription, number);
CREATE INDEX notifications_pull_point ON notifications (pull_point, number) WHERE pull_point IS NOT NULL;
