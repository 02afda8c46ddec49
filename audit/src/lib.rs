//! hilum-audit
