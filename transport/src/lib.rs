//! hilum-transport
