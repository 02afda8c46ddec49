DROP TABLE demographic_keys;
DROP TABLE demographics;
