DROP TABLE specimens;
DROP TABLE measurements;
DROP TABLE acquisition_words;
DROP TABLE acquisition_numbers;
DROP TABLE acquisitions;
