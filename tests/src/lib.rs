//! hilum-tests
