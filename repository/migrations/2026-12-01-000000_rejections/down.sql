DROP TABLE settings;
DROP TABLE removals;
DROP TABLE doomed;
DROP TABLE taken_back;
DROP TABLE notes;
