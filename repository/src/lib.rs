//! hilum-repository
