//! The signature of an assertion.
//!
//! What is believed is read from the canonical bytes that were verified, and from nothing else: the
//! signature's own words from the canonical `SignedInfo` whose signature was checked with a trusted
//! key, and the claims from the canonical assertion whose digest stands there. The tree is only used
//! to find both, so that whoever rearranges it (signature wrapping) changes what is verified too.
//! <https://www.w3.org/TR/xmldsig-core1/>, SAML 2.0 core, section 5.4

use std::collections::HashSet;

use bergshamra_c14n::C14nMode;
use bergshamra_xml::uppsala::{Document, NodeId, NodeKind};
use bergshamra_xml::{NodeSet, uppsala};
use openssl::memcmp;
use openssl::pkey::{PKey, Public};
use xds_schemas::wsse::{MAX_ASSERTION_BYTES, SecurityFault};
use xds_schemas::xml::{MAX_DEPTH, Reader, XmlError, ns};

use super::algorithms::EXCLUSIVE;
use super::signed_info::{SignedInfo, decoded};
use crate::user_refused::UserRefused;

/// Nodes of the tree of an assertion.
const MAX_NODES: usize = 20_000;

/// What was verified: the canonical assertion without its signature, and whose of the keys it was.
pub(super) struct Verified {
    pub(super) canonical: Vec<u8>,
    pub(super) key: usize,
}

/// Verifies an assertion, which is a document of its own. `keys` gives those that its issuer may
/// have signed it with, each with a number.
pub(super) fn verify<'k>(
    text: &str,
    keys: impl Fn(&str) -> Vec<(usize, &'k PKey<Public>)>,
) -> Result<Verified, UserRefused> {
    if text.len() > MAX_ASSERTION_BYTES {
        return Err(UserRefused::invalid("the assertion is too long"));
    }
    // The limits of our own reader hold for the other one too, and it knows no DOCTYPE.
    let walked = walk(text);
    walked.map_err(|error| unreadable(&error.reason))?;
    let parser = uppsala::Parser::new()
        .with_max_depth(u32::try_from(MAX_DEPTH).unwrap_or(u32::MAX))
        .with_forbid_dtd(true);
    let document = parser.parse(text);
    let document = document.map_err(|_| unreadable("it is not well-formed"))?;
    let root = document.document_element();
    let root = root.ok_or_else(|| unreadable("it is empty"))?;
    let id = plain_identity(&document, root)?;
    let signature = signature_of(&document, root)?;
    let parts = Parts::of(&document, signature)?;

    let signed_info = canonical(&document, parts.signed_info, None, &parts.prefixes)?;
    let said = SignedInfo::read(&signed_info)?;
    if said.own_prefixes != parts.prefixes {
        return Err(UserRefused::invalid("the signature contradicts itself"));
    }
    let issuer = child_text(&document, root, "Issuer");
    let value = decoded(&document.text_content_deep(parts.value));
    let value = value.ok_or_else(|| UserRefused::invalid("the signature is not base64"))?;
    let issued_by = keys(issuer.trim());
    if issued_by.is_empty() {
        let why = format!(
            "its issuer is not trusted here: {:.200}",
            clean(issuer.trim())
        );
        return Err(UserRefused::failed(why));
    }
    let signed_by = |(_, key): &&(usize, &PKey<Public>)| {
        let verified = said.algorithm.verify(key, &signed_info, &value);
        verified.unwrap_or(false)
    };
    let Some((key, _)) = issued_by.iter().find(signed_by) else {
        let why = "the signature is not of a certificate that is trusted for its issuer";
        return Err(UserRefused::new(SecurityFault::FailedCheck, why));
    };
    if said.uri.strip_prefix('#') != Some(id.as_str()) {
        let why = "the signature is over something else than the assertion";
        return Err(UserRefused::invalid(why));
    }
    let canonical = canonical(&document, root, Some(signature), &said.prefixes)?;
    let digest = said.digest.of(&canonical);
    let digest = digest.map_err(|error| UserRefused::invalid(error.to_string()))?;
    // `memcmp` wants the same length of both.
    if digest.len() != said.digest_value.len() || !memcmp::eq(&digest, &said.digest_value) {
        let why = "the assertion is not what was signed";
        return Err(UserRefused::new(SecurityFault::FailedCheck, why));
    }
    let key = *key;
    Ok(Verified { canonical, key })
}

fn walk(text: &str) -> Result<(), XmlError> {
    let mut reader = Reader::new(text.as_bytes())?;
    reader.root_named(ns::SAML, "Assertion")?;
    reader.skip()?;
    reader.end()
}

fn unreadable(why: &str) -> UserRefused {
    UserRefused::invalid(format!("the assertion cannot be read: {why}"))
}

/// Without what could be taken for something else in a log.
fn clean(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).collect()
}

/// The assertion's ID, if nothing in it could be mistaken for something else: no comments and
/// processing instructions, no ID twice, no assertion in an assertion.
fn plain_identity(document: &Document<'_>, root: NodeId) -> Result<String, UserRefused> {
    let id = document.element(root).and_then(|element| {
        let mut attributes = element.attributes.iter();
        attributes.find(|it| it.name.namespace_uri.is_none() && it.name.local_name == "ID")
    });
    let id = id
        .map(|id| id.value.to_string())
        .filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| UserRefused::invalid("the assertion has no ID"))?;
    let mut ids = HashSet::new();
    let nodes = document.descendants(document.root());
    if nodes.len() > MAX_NODES {
        return Err(UserRefused::invalid("the assertion has too many parts"));
    }
    for node in nodes {
        match document.node_kind(node) {
            Some(NodeKind::Comment(_) | NodeKind::ProcessingInstruction(_)) => {
                let why = "the assertion has comments or processing instructions in it";
                return Err(UserRefused::invalid(why));
            }
            Some(NodeKind::Element(element)) => {
                let is_nested = node != root
                    && matches!(
                        &*element.name.local_name,
                        "Assertion" | "EncryptedAssertion"
                    );
                if is_nested {
                    return Err(UserRefused::invalid(
                        "there is an assertion in the assertion",
                    ));
                }
                for attribute in &element.attributes {
                    let is_id = attribute.name.local_name.eq_ignore_ascii_case("id");
                    if is_id && !ids.insert(attribute.value.as_ref()) {
                        return Err(UserRefused::invalid("an ID is there twice"));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(id)
}

fn is(document: &Document<'_>, node: NodeId, namespace: &str, name: &str) -> bool {
    let element = document.element(node);
    element.is_some_and(|element| element.matches_name_ns(namespace, name))
}

/// The text of the first child of this name.
fn child_text(document: &Document<'_>, root: NodeId, name: &str) -> String {
    let mut children = document.children_iter(root);
    let child = children.find(|child| is(document, *child, ns::SAML, name));
    child.map_or_else(String::new, |child| document.text_content_deep(child))
}

/// The one signature: a child of the assertion.
fn signature_of(document: &Document<'_>, root: NodeId) -> Result<NodeId, UserRefused> {
    let mut signatures = document
        .descendants(root)
        .into_iter()
        .filter(|node| is(document, *node, ns::DS, "Signature"));
    match (signatures.next(), signatures.next()) {
        (None, _) => Err(UserRefused::invalid("the assertion is not signed")),
        (Some(_), Some(_)) => Err(UserRefused::invalid("the assertion has several signatures")),
        (Some(signature), None) if document.parent(signature) == Some(root) => Ok(signature),
        (Some(_), None) => {
            let why = "the signature does not stand in the assertion itself";
            Err(UserRefused::invalid(why))
        }
    }
}

/// The parts of a signature.
struct Parts {
    signed_info: NodeId,
    value: NodeId,
    /// With which prefixes `SignedInfo` is canonicalised.
    prefixes: Vec<String>,
}

impl Parts {
    fn of(document: &Document<'_>, signature: NodeId) -> Result<Self, UserRefused> {
        let children = elements(document, signature);
        let named = |at: usize, name: &str| {
            let child = children.get(at).copied();
            child.filter(|child| is(document, *child, ns::DS, name))
        };
        let has_more = match children.len() {
            0..=2 => false,
            3 => named(2, "KeyInfo").is_none(),
            _ => true,
        };
        if has_more {
            return Err(UserRefused::invalid("the signature holds something else"));
        }
        let lacks = |name: &str| UserRefused::invalid(format!("the signature lacks {name}"));
        let signed_info = named(0, "SignedInfo").ok_or_else(|| lacks("SignedInfo"))?;
        let value = named(1, "SignatureValue").ok_or_else(|| lacks("SignatureValue"))?;
        let method = elements(document, signed_info).into_iter().next();
        let method = method.filter(|it| is(document, *it, ns::DS, "CanonicalizationMethod"));
        let method = method.ok_or_else(|| lacks("CanonicalizationMethod"))?;
        let lists = elements(document, method).into_iter();
        let lists = lists.filter(|it| is(document, *it, EXCLUSIVE, "InclusiveNamespaces"));
        let listed = lists.filter_map(|it| document.get_attribute(it, "PrefixList"));
        let prefixes = listed.flat_map(str::split_ascii_whitespace);
        Ok(Self {
            signed_info,
            value,
            // More than this are refused when they are read again.
            prefixes: prefixes.map(str::to_owned).take(64).collect(),
        })
    }
}

fn elements(document: &Document<'_>, parent: NodeId) -> Vec<NodeId> {
    let children = document.children_iter(parent);
    let children = children.filter(|child| document.element(*child).is_some());
    children.collect()
}

/// Exclusive canonical XML of an element, without another one in it.
pub(super) fn canonical(
    document: &Document<'_>,
    element: NodeId,
    without: Option<NodeId>,
    prefixes: &[String],
) -> Result<Vec<u8>, UserRefused> {
    let mut nodes = NodeSet::tree_without_comments(element, document);
    if let Some(without) = without {
        nodes.remove_id(without);
        for node in document.descendants(without) {
            nodes.remove_id(node);
        }
    }
    bergshamra_c14n::canonicalize_doc(document, C14nMode::Exclusive, Some(&nodes), prefixes)
        .map_err(|_| unreadable("it has no canonical form"))
}
