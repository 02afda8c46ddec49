//! The words of IHE document sharing.

pub mod xml;
