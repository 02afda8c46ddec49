//! `ds:SignedInfo`: what a signature says it signs. It is read from the very bytes that were signed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use xds_schemas::xml::{Element, Reader, XmlError, ns};

use super::algorithms::{Digest, ENVELOPED, EXCLUSIVE, SignatureAlgorithm};
use crate::user_refused::UserRefused;

/// Prefixes that may be listed as to be declared in any case.
const MAX_PREFIXES: usize = 16;

/// What is signed, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SignedInfo {
    /// Prefixes that were declared when this was signed.
    pub(super) own_prefixes: Vec<String>,
    pub(super) algorithm: SignatureAlgorithm,
    /// `#` and the ID of what is signed.
    pub(super) uri: String,
    /// Prefixes that are declared in what is signed.
    pub(super) prefixes: Vec<String>,
    pub(super) digest: Digest,
    pub(super) digest_value: Vec<u8>,
}

/// What is wrong with it.
enum Wrong {
    Xml(XmlError),
    Refused(UserRefused),
}

impl From<XmlError> for Wrong {
    fn from(error: XmlError) -> Self {
        Self::Xml(error)
    }
}

impl From<UserRefused> for Wrong {
    fn from(refused: UserRefused) -> Self {
        Self::Refused(refused)
    }
}

impl SignedInfo {
    /// Reads it. Nothing is accepted but one reference to one element, with the two transforms that
    /// SAML allows (core, section 5.4).
    pub(super) fn read(canonical: &[u8]) -> Result<Self, UserRefused> {
        read(canonical).map_err(|wrong| match wrong {
            Wrong::Xml(error) => {
                let why = format!(
                    "the signature's SignedInfo cannot be read: {}",
                    error.reason
                );
                UserRefused::invalid(why)
            }
            Wrong::Refused(refused) => refused,
        })
    }
}

fn read(canonical: &[u8]) -> Result<SignedInfo, Wrong> {
    let mut reader = Reader::new(canonical)?;
    let reader = &mut reader;
    reader.root_named(ns::DS, "SignedInfo")?;
    let method = expect(reader, "CanonicalizationMethod")?;
    let own_prefixes = exclusive(reader, &method)?;
    let algorithm = signature_method(reader)?;
    let reference = expect(reader, "Reference")?;
    let uri = reader.required(&reference, "URI")?;
    let prefixes = transforms(reader)?;
    let (digest, digest_value) = digest(reader)?;
    if reader.child()?.is_some() {
        return Err(UserRefused::invalid("the signature's reference holds too much").into());
    }
    if reader.child()?.is_some() {
        return Err(UserRefused::invalid("the signature has more than one reference").into());
    }
    reader.end()?;
    Ok(SignedInfo {
        own_prefixes,
        algorithm,
        uri,
        prefixes,
        digest,
        digest_value,
    })
}

fn expect<'a>(reader: &mut Reader<'a>, name: &str) -> Result<Element<'a>, Wrong> {
    match reader.child()? {
        Some(child) if child.is(ns::DS, name) => Ok(child),
        _ => Err(UserRefused::invalid(format!("the signature lacks {name}")).into()),
    }
}

/// Reads an element whose algorithm must be exclusive canonical XML.
fn exclusive(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Vec<String>, Wrong> {
    let algorithm = reader.required(element, "Algorithm")?;
    if algorithm != EXCLUSIVE {
        let why = "the signature is canonicalised otherwise than by exclusive C14N";
        return Err(UserRefused::algorithm(why).into());
    }
    let mut prefixes = Vec::new();
    while let Some(child) = reader.child()? {
        if !child.is(EXCLUSIVE, "InclusiveNamespaces") {
            let why = "exclusive C14N has a parameter that is not known";
            return Err(UserRefused::algorithm(why).into());
        }
        let list = child.attribute("PrefixList").unwrap_or_default();
        prefixes.extend(list.split_ascii_whitespace().map(str::to_owned));
        reader.skip()?;
    }
    match prefixes.len() <= MAX_PREFIXES {
        true => Ok(prefixes),
        false => Err(UserRefused::invalid("the signature lists too many prefixes").into()),
    }
}

fn signature_method(reader: &mut Reader<'_>) -> Result<SignatureAlgorithm, Wrong> {
    let method = expect(reader, "SignatureMethod")?;
    let uri = reader.required(&method, "Algorithm")?;
    let algorithm = SignatureAlgorithm::of_uri(&uri).ok_or_else(|| {
        UserRefused::algorithm(format!(
            "the signature's algorithm is not accepted: {uri:.100}"
        ))
    })?;
    if reader.child()?.is_some() {
        let why = "the signature's algorithm has parameters";
        return Err(UserRefused::algorithm(why).into());
    }
    Ok(algorithm)
}

/// Reads the transforms of the reference: gives the prefixes of the canonicalisation.
fn transforms(reader: &mut Reader<'_>) -> Result<Vec<String>, Wrong> {
    expect(reader, "Transforms")?;
    let enveloped = expect(reader, "Transform")?;
    let algorithm = reader.required(&enveloped, "Algorithm")?;
    if algorithm != ENVELOPED || reader.child()?.is_some() {
        let why = "the first transform of the signature is not that it is enveloped";
        return Err(UserRefused::algorithm(why).into());
    }
    let canonicalisation = expect(reader, "Transform")?;
    let prefixes = exclusive(reader, &canonicalisation)?;
    if reader.child()?.is_some() {
        let why = "the signature has more transforms than it may";
        return Err(UserRefused::algorithm(why).into());
    }
    Ok(prefixes)
}

fn digest(reader: &mut Reader<'_>) -> Result<(Digest, Vec<u8>), Wrong> {
    let method = expect(reader, "DigestMethod")?;
    let uri = reader.required(&method, "Algorithm")?;
    let digest = Digest::ALL.into_iter().find(|digest| digest.uri() == uri);
    let digest = digest.ok_or_else(|| {
        UserRefused::algorithm(format!(
            "the digest's algorithm is not accepted: {uri:.100}"
        ))
    })?;
    reader.skip()?;
    expect(reader, "DigestValue")?;
    let value = decoded(&reader.text()?);
    let value = value.ok_or_else(|| UserRefused::invalid("the digest is not base64"))?;
    Ok((digest, value))
}

/// Base64 with white space in it.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    BASE64.decode(text).ok()
}
