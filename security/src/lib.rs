//! hilum-security
