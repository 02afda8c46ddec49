DROP TABLE deferred_answers;
