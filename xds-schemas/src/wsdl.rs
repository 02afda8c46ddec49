//! The services described for programs: WSDL 1.1 and the XML schemas it refers to (ITI TF-2
//! Appendix V.2 asks for one WSDL per actor and names its parts).
//!
//! The files stand in `wsdl/` and can be used from there by other tools. When a node serves them,
//! they name the address under which they were asked for, so that a client needs nothing else.

use crate::xml::escape;

/// A service, as its clients know it: one path of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The Document Registry.
    Registry,
    /// The Document Repository.
    Repository,
    /// The Imaging Document Source.
    Imaging,
    /// The Document Recipient.
    Recipient,
    /// The Initiating Gateway.
    Initiating,
    /// The Responding Gateway.
    Responding,
}

impl Service {
    const fn wsdl(self) -> &'static str {
        match self {
            Self::Registry => include_str!("../wsdl/registry.wsdl"),
            Self::Repository => include_str!("../wsdl/repository.wsdl"),
            Self::Imaging => include_str!("../wsdl/imaging.wsdl"),
            Self::Recipient => include_str!("../wsdl/recipient.wsdl"),
            Self::Initiating => include_str!("../wsdl/initiating.wsdl"),
            Self::Responding => include_str!("../wsdl/responding.wsdl"),
        }
    }
}

/// The schemas that the services and each other refer to, by file name.
const SCHEMAS: [(&str, &str); 9] = [
    ("hl7v3.xsd", include_str!("../wsdl/hl7v3.xsd")),
    ("lcm.xsd", include_str!("../wsdl/lcm.xsd")),
    ("query.xsd", include_str!("../wsdl/query.xsd")),
    ("rmd.xsd", include_str!("../wsdl/rmd.xsd")),
    ("rim.xsd", include_str!("../wsdl/rim.xsd")),
    ("rs.xsd", include_str!("../wsdl/rs.xsd")),
    ("xds-b.xsd", include_str!("../wsdl/xds-b.xsd")),
    ("xdsi-b.xsd", include_str!("../wsdl/xdsi-b.xsd")),
    ("xml.xsd", include_str!("../wsdl/xml.xsd")),
];

/// What an attribute looks like that refers to another file.
const REFERENCE: &str = "schemaLocation=\"";
/// What the address of the service looks like.
const ADDRESS: &str = "<soap12:address location=\"";

/// The answer to `GET endpoint?query`: to `wsdl` the WSDL, to `xsd=NAME` the schema of that name,
/// to anything else nothing. In it, `endpoint` is the address of the service, and every reference
/// to a schema is a URL that can be fetched.
pub fn find(service: Service, query: &str, endpoint: &str) -> Option<String> {
    if query.eq_ignore_ascii_case("wsdl") {
        let addressed = replace(service.wsdl(), ADDRESS, |out, _| {
            escape(out, endpoint, true)
        });
        return Some(resolvable(&addressed, endpoint));
    }
    let name = query.strip_prefix("xsd=")?;
    let (_, schema) = SCHEMAS.iter().find(|(known, _)| *known == name)?;
    Some(resolvable(schema, endpoint))
}

/// Schemas in files lie side by side; over HTTP they are told apart by the query. The URLs are
/// absolute, because not every tool resolves a reference that is a query only.
fn resolvable(document: &str, endpoint: &str) -> String {
    replace(document, REFERENCE, |out, file| {
        escape(out, endpoint, true);
        out.push_str("?xsd=");
        out.push_str(file);
    })
}

/// Replaces the rest of every attribute value that follows `opening`.
fn replace(document: &str, opening: &str, value: impl Fn(&mut String, &str)) -> String {
    let mut out = String::with_capacity(document.len() + 1024);
    let mut pieces = document.split(opening);
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        out.push_str(opening);
        let (old, rest) = piece.split_once('"').unwrap_or((piece, ""));
        value(&mut out, old);
        out.push('"');
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::xml::Reader;

    const ENDPOINT: &str = "https://registry.example:18401/registry";

    /// Reads all of a document; gives back the `schemaLocation`s and `location`s in it.
    fn references(document: &str) -> (Vec<String>, Vec<String>) {
        fn visit(reader: &mut Reader<'_>, found: &mut (Vec<String>, Vec<String>)) {
            while let Some(element) = reader.child().unwrap() {
                found.0.extend(element.attribute("schemaLocation"));
                found.1.extend(element.attribute("location"));
                visit(reader, found);
            }
        }
        let mut reader = Reader::new(document.as_bytes()).unwrap();
        let mut found = Default::default();
        reader.root().unwrap();
        visit(&mut reader, &mut found);
        reader.end().unwrap();
        found
    }

    #[test]
    fn every_reference_leads_to_a_schema() {
        for service in [
            Service::Registry,
            Service::Repository,
            Service::Imaging,
            Service::Recipient,
            Service::Initiating,
            Service::Responding,
        ] {
            let (mut open, addresses) =
                references(&find(service, "wsdl", ENDPOINT).expect("there is a WSDL"));
            assert!(!addresses.is_empty());
            assert!(addresses.iter().all(|address| address == ENDPOINT));
            assert!(!open.is_empty());
            let mut seen = BTreeSet::new();
            while let Some(url) = open.pop() {
                let (base, query) = url.split_once('?').unwrap();
                assert_eq!(base, ENDPOINT);
                if seen.insert(query.to_owned()) {
                    let schema = find(service, query, ENDPOINT);
                    open.extend(references(&schema.expect(query)).0);
                }
            }
            assert!(seen.contains("xsd=rim.xsd"), "{seen:?}");
        }
    }

    #[test]
    fn only_what_there_is_is_answered() {
        assert!(find(Service::Registry, "WSDL", ENDPOINT).is_some());
        for query in ["", "xsd", "xsd=", "xsd=../wsdl.rs", "wsdl=1"] {
            assert_eq!(find(Service::Registry, query, ENDPOINT), None, "{query}");
        }
    }

    /// The address comes from a header that anybody can write.
    #[test]
    fn an_odd_address_stays_an_attribute() {
        let odd = "http://a\"><b>&c/registry";
        let wsdl = find(Service::Registry, "wsdl", odd).unwrap();
        assert_eq!(references(&wsdl).1, [odd]);
    }
}
