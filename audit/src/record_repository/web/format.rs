//! JSON or XML: what an answer is to be.
//! <https://hl7.org/fhir/R4/http.html#mime-type>

use hilum_transport::rest::Accept;
use hilum_transport::{Reply, Request};
use serde_json::Value;

use super::Refused;
use crate::fhir::written;

/// How resources are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::record_repository) enum Format {
    #[default]
    Json,
    Xml,
}

/// Media types, the one that is answered first.
const JSON: [&str; 3] = ["application/fhir+json", "application/json", "text/json"];
const XML: [&str; 3] = ["application/fhir+xml", "application/xml", "text/xml"];

impl Format {
    /// What `_format` asks for, or else the header `Accept`.
    pub(in crate::record_repository) fn wanted(request: &Request) -> Result<Self, Refused> {
        Self::asked(&request.parameters()?, request)
    }

    /// The same, where parameters did not come in the URL only.
    pub(in crate::record_repository) fn asked(
        parameters: &[(String, String)],
        request: &Request,
    ) -> Result<Self, Refused> {
        let named = parameters.iter().find(|(name, _)| name == "_format");
        match named {
            Some((_, named)) => Self::named(named),
            None => Self::accepted(&request.header("accept").unwrap_or_default()),
        }
    }

    fn accepted(header: &str) -> Result<Self, Refused> {
        if header.trim().is_empty() {
            return Ok(Self::Json);
        }
        let accept = Accept::parse(header);
        let most = |types: [&str; 3]| types.iter().map(|it| accept.quality(it)).max();
        let (json, xml) = (most(JSON).unwrap_or(0), most(XML).unwrap_or(0));
        match (json, xml) {
            (0, 0) => Err(unknown()),
            // What is equally wanted may have an order.
            (json, xml) if json == xml => {
                let first = accept.wanted().find_map(|range| {
                    let is = |types: [&str; 3]| types.contains(&range.media.essence.as_str());
                    match (is(JSON), is(XML)) {
                        (true, _) => Some(Self::Json),
                        (_, true) => Some(Self::Xml),
                        _ => None,
                    }
                });
                Ok(first.unwrap_or_default())
            }
            (json, xml) if json > xml => Ok(Self::Json),
            _ => Ok(Self::Xml),
        }
    }

    /// What a parameter or the `Content-Type` names.
    pub(in crate::record_repository) fn named(name: &str) -> Result<Self, Refused> {
        // In a query, a plus sign that is not encoded is a space.
        let name = name.trim().to_ascii_lowercase().replace(' ', "+");
        let name = name.split(';').next().unwrap_or_default();
        match name {
            "json" => Ok(Self::Json),
            "xml" => Ok(Self::Xml),
            name if JSON.contains(&name) => Ok(Self::Json),
            name if XML.contains(&name) => Ok(Self::Xml),
            _ => Err(unknown()),
        }
    }

    /// Its media type.
    pub(in crate::record_repository) const fn media(self) -> &'static str {
        match self {
            Self::Json => "application/fhir+json; charset=utf-8",
            Self::Xml => "application/fhir+xml; charset=utf-8",
        }
    }

    /// A resource in this format.
    pub(in crate::record_repository) fn written(self, resource: &Value) -> String {
        match self {
            Self::Json => resource.to_string(),
            Self::Xml => written::xml(resource),
        }
    }

    /// An answer with a resource.
    pub(in crate::record_repository) fn reply(self, status: u16, resource: &Value) -> Reply {
        Reply::plain(status, self.media(), self.written(resource))
    }
}

fn unknown() -> Refused {
    let reason = "this can be given as application/fhir+json or application/fhir+xml";
    Refused::new(406, "not-supported", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_most() {
        let accepted = |header| Format::accepted(header).ok();
        assert_eq!(accepted(""), Some(Format::Json));
        assert_eq!(accepted("*/*"), Some(Format::Json));
        assert_eq!(accepted("application/fhir+xml"), Some(Format::Xml));
        assert_eq!(
            accepted("text/html, application/xml;q=0.9, */*;q=0.8"),
            Some(Format::Xml)
        );
        assert_eq!(
            accepted("application/fhir+xml, application/fhir+json"),
            Some(Format::Xml)
        );
        assert_eq!(
            accepted("application/fhir+json, application/fhir+xml"),
            Some(Format::Json)
        );
        assert_eq!(accepted("image/png"), None);
        let named = |name| Format::named(name).ok();
        assert_eq!(named("application/fhir xml"), Some(Format::Xml));
        assert_eq!(named("json"), Some(Format::Json));
        assert_eq!(
            named("application/fhir+json; charset=utf-8"),
            Some(Format::Json)
        );
        assert_eq!(named("turtle"), None);
    }
}
