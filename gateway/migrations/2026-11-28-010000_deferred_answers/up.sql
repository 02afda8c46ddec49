-- Answers that a community wants later, until it has taken them. Times are seconds since 1970; `lives` are the
-- seconds for which it is recommended to keep what they say. `message` is encrypted if files are. One that was sent
-- and not taken so often (`failures`) is sent again at the time `not_before`.
CREATE TABLE deferred_answers (
    number INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    home TEXT NOT NULL,
    relates_to TEXT NOT NULL,
    lives BIGINT NOT NULL,
    valid_until BIGINT NOT NULL,
    message BLOB NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    not_before BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX deferred_answers_home ON deferred_answers (home, number);
