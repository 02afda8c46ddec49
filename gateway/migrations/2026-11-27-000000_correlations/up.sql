-- What patients of this community are called elsewhere. Identifiers are CX, times seconds since 1970.
-- `origin`: 1 this community found out, 2 the other one said so. `confidence`: 0 to 100, if it was said.
CREATE TABLE correlations (
    own TEXT NOT NULL,
    home TEXT NOT NULL,
    there TEXT NOT NULL,
    origin INTEGER NOT NULL,
    confidence INTEGER,
    learned BIGINT NOT NULL,
    valid_until BIGINT NOT NULL,
    PRIMARY KEY (own, home)
) WITHOUT ROWID;

CREATE INDEX correlations_there ON correlations (home, there);
CREATE INDEX correlations_valid_until ON correlations (valid_until);
