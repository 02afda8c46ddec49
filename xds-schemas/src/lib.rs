//! The words of IHE document sharing.

pub mod codes;
pub mod ebrim;
pub mod ebrs;
pub mod metadata;
pub mod mtom;
pub mod soap;
pub mod transaction;
pub mod wsa;
pub mod wsdl;
pub mod xml;
