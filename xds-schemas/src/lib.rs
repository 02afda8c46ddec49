//! The words of IHE document sharing.

pub mod affinity_codes;
pub mod codes;
pub mod ebrim;
pub mod ebrs;
pub mod iti18_registry_stored_query;
pub mod iti41_provide_and_register_document_set;
pub mod iti42_register_document_set;
pub mod iti43_retrieve_document_set;
pub mod iti51_multi_patient_stored_query;
pub mod iti57_update_document_set;
pub mod iti61_register_on_demand_document_entry;
pub mod iti62_remove_metadata;
pub mod iti86_remove_documents;
pub mod iti92_restricted_update_document_set;
pub mod metadata;
pub mod mtom;
pub mod rad68_provide_and_register_imaging_document_set;
pub mod rad69_retrieve_imaging_document_set;
pub mod soap;
pub mod transaction;
pub mod wsa;
pub mod wsdl;
pub mod xml;
