ALTER TABLE specimens DROP COLUMN sealed;
ALTER TABLE subscriptions DROP COLUMN sealed;
ALTER TABLE patients DROP COLUMN sealed;
DROP TABLE at_rest;
