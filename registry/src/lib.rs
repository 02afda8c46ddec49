//! hilum-registry
