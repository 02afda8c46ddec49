//! The words of IHE document sharing.

pub mod xml;
pub mod mtom;
pub mod soap;
pub mod transaction;
pub mod wsa;
