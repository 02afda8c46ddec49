DROP TABLE strings;
DROP TABLE postings;
DROP TABLE batches;
DROP TABLE position;
