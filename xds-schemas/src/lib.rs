//! The words of IHE document sharing.

pub mod xml;
pub mod soap;
pub mod transaction;
pub mod wsa;
