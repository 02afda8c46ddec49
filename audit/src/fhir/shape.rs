//! What may be in a resource: the elements of FHIR R4 in their order, how often each may be there, and
//! what it is made of.

/// An element of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: &'static str,
    /// The name of its type. Those of primitives begin in lower case.
    pub(crate) of: &'static str,
    pub(crate) must: bool,
    pub(crate) many: bool,
}

/// The type of what may be any resource.
pub(crate) const RESOURCE: &str = "Resource";

const fn may(name: &'static str, of: &'static str) -> Element {
    Element {
        name,
        of,
        must: false,
        many: false,
    }
}

const fn must(name: &'static str, of: &'static str) -> Element {
    Element {
        name,
        of,
        must: true,
        many: false,
    }
}

const fn many(name: &'static str, of: &'static str) -> Element {
    Element {
        name,
        of,
        must: false,
        many: true,
    }
}

const fn some(name: &'static str, of: &'static str) -> Element {
    Element {
        name,
        of,
        must: true,
        many: true,
    }
}

const OF_RESOURCE: &[Element] = &[
    may("id", "id"),
    may("meta", "Meta"),
    may("implicitRules", "uri"),
    may("language", "code"),
];
const OF_DOMAIN_RESOURCE: &[Element] = &[
    may("text", "Narrative"),
    many("contained", RESOURCE),
    many("extension", "Extension"),
    many("modifierExtension", "Extension"),
];
const OF_ELEMENT: &[Element] = &[may("id", "string"), many("extension", "Extension")];
const OF_BACKBONE: &[Element] = &[many("modifierExtension", "Extension")];

const AUDIT_EVENT: &[Element] = &[
    must("type", "Coding"),
    many("subtype", "Coding"),
    may("action", "code"),
    may("period", "Period"),
    must("recorded", "instant"),
    may("outcome", "code"),
    may("outcomeDesc", "string"),
    many("purposeOfEvent", "CodeableConcept"),
    some("agent", "AuditEvent.agent"),
    must("source", "AuditEvent.source"),
    many("entity", "AuditEvent.entity"),
];
const AGENT: &[Element] = &[
    may("type", "CodeableConcept"),
    many("role", "CodeableConcept"),
    may("who", "Reference"),
    may("altId", "string"),
    may("name", "string"),
    must("requestor", "boolean"),
    may("location", "Reference"),
    many("policy", "uri"),
    may("media", "Coding"),
    may("network", "AuditEvent.agent.network"),
    many("purposeOfUse", "CodeableConcept"),
];
const NETWORK: &[Element] = &[may("address", "string"), may("type", "code")];
const SOURCE: &[Element] = &[
    may("site", "string"),
    must("observer", "Reference"),
    many("type", "Coding"),
];
const ENTITY: &[Element] = &[
    may("what", "Reference"),
    may("type", "Coding"),
    may("role", "Coding"),
    may("lifecycle", "Coding"),
    many("securityLabel", "Coding"),
    may("name", "string"),
    may("description", "string"),
    may("query", "base64Binary"),
    many("detail", "AuditEvent.entity.detail"),
];
const DETAIL: &[Element] = &[
    must("type", "string"),
    may("valueString", "string"),
    may("valueBase64Binary", "base64Binary"),
];
const BUNDLE: &[Element] = &[
    may("identifier", "Identifier"),
    must("type", "code"),
    may("timestamp", "instant"),
    may("total", "unsignedInt"),
    many("link", "Bundle.link"),
    many("entry", "Bundle.entry"),
    may("signature", "Signature"),
];
const BUNDLE_LINK: &[Element] = &[must("relation", "string"), must("url", "uri")];
const BUNDLE_ENTRY: &[Element] = &[
    many("link", "Bundle.link"),
    may("fullUrl", "uri"),
    may("resource", RESOURCE),
    may("search", "Bundle.entry.search"),
    may("request", "Bundle.entry.request"),
    may("response", "Bundle.entry.response"),
];
const BUNDLE_SEARCH: &[Element] = &[may("mode", "code"), may("score", "decimal")];
const BUNDLE_REQUEST: &[Element] = &[
    must("method", "code"),
    must("url", "uri"),
    may("ifNoneMatch", "string"),
    may("ifModifiedSince", "instant"),
    may("ifMatch", "string"),
    may("ifNoneExist", "string"),
];
const BUNDLE_RESPONSE: &[Element] = &[
    must("status", "string"),
    may("location", "uri"),
    may("etag", "string"),
    may("lastModified", "instant"),
    may("outcome", RESOURCE),
];
const OPERATION_OUTCOME: &[Element] = &[some("issue", "OperationOutcome.issue")];
const ISSUE: &[Element] = &[
    must("severity", "code"),
    must("code", "code"),
    may("details", "CodeableConcept"),
    may("diagnostics", "string"),
    many("location", "string"),
    many("expression", "string"),
];
const CAPABILITIES: &[Element] = &[
    may("name", "string"),
    may("title", "string"),
    must("status", "code"),
    must("date", "dateTime"),
    may("publisher", "string"),
    may("description", "markdown"),
    must("kind", "code"),
    may("software", "CapabilityStatement.software"),
    may("implementation", "CapabilityStatement.implementation"),
    must("fhirVersion", "code"),
    some("format", "code"),
    many("rest", "CapabilityStatement.rest"),
];
const SOFTWARE: &[Element] = &[must("name", "string"), may("version", "string")];
const IMPLEMENTATION: &[Element] = &[must("description", "string"), may("url", "url")];
const REST: &[Element] = &[
    must("mode", "code"),
    may("documentation", "markdown"),
    many("resource", "CapabilityStatement.rest.resource"),
    many("interaction", "CapabilityStatement.rest.interaction"),
];
const REST_RESOURCE: &[Element] = &[
    must("type", "code"),
    many("supportedProfile", "canonical"),
    may("documentation", "markdown"),
    many("interaction", "CapabilityStatement.rest.interaction"),
    may("versioning", "code"),
    many(
        "searchParam",
        "CapabilityStatement.rest.resource.searchParam",
    ),
];
const INTERACTION: &[Element] = &[must("code", "code"), may("documentation", "markdown")];
const SEARCH_PARAM: &[Element] = &[
    must("name", "string"),
    must("type", "code"),
    may("documentation", "markdown"),
];

const META: &[Element] = &[
    may("versionId", "id"),
    may("lastUpdated", "instant"),
    may("source", "uri"),
    many("profile", "canonical"),
    many("security", "Coding"),
    many("tag", "Coding"),
];
const NARRATIVE: &[Element] = &[must("status", "code"), must("div", "xhtml")];
const CODING: &[Element] = &[
    may("system", "uri"),
    may("version", "string"),
    may("code", "code"),
    may("display", "string"),
    may("userSelected", "boolean"),
];
const CONCEPT: &[Element] = &[many("coding", "Coding"), may("text", "string")];
const IDENTIFIER: &[Element] = &[
    may("use", "code"),
    may("type", "CodeableConcept"),
    may("system", "uri"),
    may("value", "string"),
    may("period", "Period"),
    may("assigner", "Reference"),
];
const REFERENCE: &[Element] = &[
    may("reference", "string"),
    may("type", "uri"),
    may("identifier", "Identifier"),
    may("display", "string"),
];
const PERIOD: &[Element] = &[may("start", "dateTime"), may("end", "dateTime")];
const QUANTITY: &[Element] = &[
    may("value", "decimal"),
    may("comparator", "code"),
    may("unit", "string"),
    may("system", "uri"),
    may("code", "code"),
];
const HUMAN_NAME: &[Element] = &[
    may("use", "code"),
    may("text", "string"),
    may("family", "string"),
    many("given", "string"),
    many("prefix", "string"),
    many("suffix", "string"),
    may("period", "Period"),
];
const CONTACT_POINT: &[Element] = &[
    may("system", "code"),
    may("value", "string"),
    may("use", "code"),
    may("rank", "positiveInt"),
    may("period", "Period"),
];
const ATTACHMENT: &[Element] = &[
    may("contentType", "code"),
    may("language", "code"),
    may("data", "base64Binary"),
    may("url", "url"),
    may("size", "unsignedInt"),
    may("hash", "base64Binary"),
    may("title", "string"),
    may("creation", "dateTime"),
];
/// What an extension may hold, as the end of the element's name and the type.
const VALUES: &[(&str, &str)] = &[
    ("Base64Binary", "base64Binary"),
    ("Boolean", "boolean"),
    ("Canonical", "canonical"),
    ("Code", "code"),
    ("Date", "date"),
    ("DateTime", "dateTime"),
    ("Decimal", "decimal"),
    ("Id", "id"),
    ("Instant", "instant"),
    ("Integer", "integer"),
    ("Markdown", "markdown"),
    ("Oid", "oid"),
    ("PositiveInt", "positiveInt"),
    ("String", "string"),
    ("Time", "time"),
    ("UnsignedInt", "unsignedInt"),
    ("Uri", "uri"),
    ("Url", "url"),
    ("Uuid", "uuid"),
    ("Attachment", "Attachment"),
    ("CodeableConcept", "CodeableConcept"),
    ("Coding", "Coding"),
    ("ContactPoint", "ContactPoint"),
    ("HumanName", "HumanName"),
    ("Identifier", "Identifier"),
    ("Period", "Period"),
    ("Quantity", "Quantity"),
    ("Reference", "Reference"),
];

/// What a type has in common with others, and what is its own; nothing if it is not known.
fn parts(of: &str) -> Option<(&'static [Element], &'static [Element], &'static [Element])> {
    let resource = |own| Some((OF_RESOURCE, OF_DOMAIN_RESOURCE, own));
    let element = |own| Some((OF_ELEMENT, &[][..], own));
    let backbone = |own| Some((OF_ELEMENT, OF_BACKBONE, own));
    match of {
        "Bundle" => Some((OF_RESOURCE, &[], BUNDLE)),
        "AuditEvent" => resource(AUDIT_EVENT),
        "OperationOutcome" => resource(OPERATION_OUTCOME),
        "CapabilityStatement" => resource(CAPABILITIES),
        "AuditEvent.agent" => backbone(AGENT),
        "AuditEvent.agent.network" => backbone(NETWORK),
        "AuditEvent.source" => backbone(SOURCE),
        "AuditEvent.entity" => backbone(ENTITY),
        "AuditEvent.entity.detail" => backbone(DETAIL),
        "Bundle.link" => backbone(BUNDLE_LINK),
        "Bundle.entry" => backbone(BUNDLE_ENTRY),
        "Bundle.entry.search" => backbone(BUNDLE_SEARCH),
        "Bundle.entry.request" => backbone(BUNDLE_REQUEST),
        "Bundle.entry.response" => backbone(BUNDLE_RESPONSE),
        "OperationOutcome.issue" => backbone(ISSUE),
        "CapabilityStatement.software" => backbone(SOFTWARE),
        "CapabilityStatement.implementation" => backbone(IMPLEMENTATION),
        "CapabilityStatement.rest" => backbone(REST),
        "CapabilityStatement.rest.resource" => backbone(REST_RESOURCE),
        "CapabilityStatement.rest.interaction" => backbone(INTERACTION),
        "CapabilityStatement.rest.resource.searchParam" => backbone(SEARCH_PARAM),
        "Meta" => element(META),
        "Narrative" => element(NARRATIVE),
        "Coding" => element(CODING),
        "CodeableConcept" => element(CONCEPT),
        "Identifier" => element(IDENTIFIER),
        "Reference" => element(REFERENCE),
        "Period" => element(PERIOD),
        "Quantity" => element(QUANTITY),
        "HumanName" => element(HUMAN_NAME),
        "ContactPoint" => element(CONTACT_POINT),
        "Attachment" => element(ATTACHMENT),
        // What a primitive has besides its value.
        "Element" => element(&[]),
        // Its `url` is an attribute in XML, and what it holds is found by its name.
        "Extension" => element(&[]),
        _ => None,
    }
}

/// The elements of a type in their order, but for what extensions hold; nothing if it is not known.
pub(crate) fn elements(of: &str) -> Option<impl Iterator<Item = Element>> {
    let (first, second, own) = parts(of)?;
    Some(first.iter().chain(second).chain(own).copied())
}

/// The element `name` of the type `of`.
pub(crate) fn element(of: &str, name: &str) -> Option<Element> {
    if of == "Extension" {
        let value = name.strip_prefix("value");
        let value = value.and_then(|end| VALUES.iter().find(|(it, _)| *it == end));
        if let Some((_, of)) = value {
            // The name itself is never asked for.
            return Some(may("value[x]", of));
        }
    }
    elements(of)?.find(|element| element.name == name)
}

/// Whether this is the name of a primitive type.
pub(crate) fn is_primitive(of: &str) -> bool {
    of.starts_with(|first: char| first.is_ascii_lowercase())
}

/// Whether this is a resource that is known.
pub(crate) fn is_resource(of: &str) -> bool {
    matches!(
        of,
        "AuditEvent" | "Bundle" | "OperationOutcome" | "CapabilityStatement"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_known() {
        let mut types = vec![
            "AuditEvent",
            "Bundle",
            "OperationOutcome",
            "CapabilityStatement",
        ];
        types.extend(VALUES.iter().map(|(_, of)| *of));
        let mut seen = Vec::new();
        while let Some(of) = types.pop() {
            if is_primitive(of) || of == RESOURCE || of == "Signature" || seen.contains(&of) {
                continue;
            }
            seen.push(of);
            types.extend(elements(of).expect(of).map(|element| element.of));
        }
        assert!(seen.len() > 25, "{seen:?}");
    }
}
