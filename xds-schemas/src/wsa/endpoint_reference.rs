//! Where a message should go: an address, and what must be said to whoever lives there.

use crate::xml::{Reader, XmlError, ns};

/// Bytes that the reference parameters of one endpoint may have: they are kept until the answer is
/// sent, and stand in the header of it.
const PARAMETERS_BYTES: usize = 64 * 1024;

/// A `wsa:EndpointReference`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointReference {
    /// Its `wsa:Address`.
    pub address: String,
    /// Its `wsa:ReferenceParameters` as the header blocks that messages to it must have: each of
    /// them marked with `wsa:IsReferenceParameter` (WS-Addressing 1.0 SOAP Binding, section 2.3).
    pub parameters: String,
}

impl EndpointReference {
    /// An address without parameters.
    pub fn of(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            parameters: String::new(),
        }
    }
}

/// Reads what the element just entered holds, or says in the words of WS-Addressing what is wrong
/// with it. Metadata and extensions are passed over.
pub(super) fn read(
    reader: &mut Reader<'_>,
) -> Result<Result<EndpointReference, &'static str>, XmlError> {
    let mut address = None;
    let mut parameters = String::new();
    let mut wrong = None;
    while let Some(child) = reader.child()? {
        if child.is(ns::WSA, "Address") {
            let text = super::trimmed(reader)?;
            if address.replace(text).is_some() {
                wrong = Some("InvalidEPR");
            }
        } else if child.is(ns::WSA, "ReferenceParameters") {
            while let Some(parameter) = reader.child()? {
                let mark = (ns::WSA, "IsReferenceParameter", "true");
                let copy = reader.copy_marked(&parameter, mark)?;
                if parameters.len() + copy.len() > PARAMETERS_BYTES {
                    wrong = Some("InvalidEPR");
                } else {
                    parameters.push_str(&copy);
                }
            }
        } else {
            reader.skip()?;
        }
    }
    Ok(match (address, wrong) {
        (_, Some(wrong)) => Err(wrong),
        (None, None) => Err("MissingAddressInEPR"),
        (Some(address), None) => Ok(EndpointReference {
            address,
            parameters,
        }),
    })
}
