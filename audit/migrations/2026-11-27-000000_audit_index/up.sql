-- How far the log was followed. `log` is the hash of its first record, so that another log is noticed;
-- `shape` is the edition of what is indexed; `salt` keeps others from choosing words that collide.
CREATE TABLE position (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    next BIGINT NOT NULL,
    log TEXT,
    shape INTEGER NOT NULL,
    salt BLOB NOT NULL
);

-- Events in the order in which they came, some thousand in each. `members` has, for each event, the
-- number of its record, its place in that record, when it happened, and when it came.
CREATE TABLE batches (
    number BIGINT NOT NULL PRIMARY KEY,
    first BIGINT NOT NULL,
    last BIGINT NOT NULL,
    earliest BIGINT NOT NULL,
    latest BIGINT NOT NULL,
    events INTEGER NOT NULL,
    members BLOB NOT NULL
);

-- Which events of a batch have a word: their places in the batch, two bytes each, rising.
CREATE TABLE postings (
    word BIGINT NOT NULL,
    batch BIGINT NOT NULL,
    members BLOB NOT NULL,
    PRIMARY KEY (word, batch)
) WITHOUT ROWID;

-- What is searched by parts of it: every value there is of a kind, and its word.
CREATE TABLE strings (
    kind INTEGER NOT NULL,
    value TEXT NOT NULL,
    word BIGINT NOT NULL,
    PRIMARY KEY (kind, value)
) WITHOUT ROWID;
