//! ITI-42 Register Document Set-b: make documents known that a repository keeps.
//!
//! Asked by Document Repositories and Integrated Document Sources/Repositories; answered by the
//! Document Registry. The request is a whole submission; it is registered whole or not at all.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-42.html>

use crate::ebrs::{RegistryResponse, SubmitObjectsRequest};
use crate::transaction::Transaction;

/// ITI-42 Register Document Set-b.
#[derive(Debug, Clone, Copy)]
pub struct RegisterDocumentSet;

impl Transaction for RegisterDocumentSet {
    const ACTION: &'static str = "urn:ihe:iti:2007:RegisterDocumentSet-b";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2007:RegisterDocumentSet-bResponse";
    const MTOM: bool = false;
    const ASYNCHRONOUS: bool = true;
    type Request = SubmitObjectsRequest;
    type Response = RegistryResponse;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ebrim::{Body, RegistryObject};
    use crate::soap::{self, Header};

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let mut request = SubmitObjectsRequest::default();
        let set = RegistryObject::new("set", Body::RegistryPackage);
        request.objects.objects.push(set);
        let header = Header::request(
            RegisterDocumentSet::ACTION,
            "urn:uuid:1".to_owned(),
            "http://r",
        );
        let message = soap::write(&header, &request);
        let read: SubmitObjectsRequest = soap::read_body(message.as_bytes()).unwrap();
        assert_eq!(read, request);
        let read = soap::read_header(message.as_bytes()).unwrap();
        assert_eq!(read.action, RegisterDocumentSet::ACTION);
    }
}
