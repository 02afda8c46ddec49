//! Reading assertions.

use super::{
    Assertion, Attribute, Authentication, Conditions, Confirmation, Seconds, Subject, Value,
};
use crate::wsn::time;
use crate::xml::{Element, FromXml, Reader, TextOrChild, XmlError, ns};

/// Values that all attributes together may have.
const MAX_VALUES: usize = 512;
/// Audiences, confirmations and the like.
const MAX_ITEMS: usize = 64;

impl Assertion {
    /// Reads an assertion that is a document of its own.
    ///
    /// # Errors
    /// If it is no assertion of SAML 2.0.
    pub fn read(bytes: &[u8]) -> Result<Self, XmlError> {
        let mut reader = Reader::new(bytes)?;
        let root = reader.root_named(ns::SAML, "Assertion")?;
        let assertion = Self::from_xml(&mut reader, &root)?;
        reader.end()?;
        Ok(assertion)
    }
}

impl FromXml for Assertion {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if element.attribute("Version").as_deref() != Some("2.0") {
            return Err(reader.error("the assertion is not of SAML 2.0"));
        }
        let issued = reader.required(element, "IssueInstant")?;
        let mut assertion = Self {
            id: reader.required(element, "ID")?,
            issued: moment(reader, &issued)?,
            ..Self::default()
        };
        let mut values = 0;
        let mut issuers = 0;
        while let Some(child) = reader.child()? {
            if child.namespace != ns::SAML {
                reader.skip()?;
                continue;
            }
            let again = match child.name() {
                "Issuer" => {
                    issuers += 1;
                    assertion.issuer = reader.token()?;
                    issuers > 1
                }
                "Subject" => assertion.subject.replace(subject(reader)?).is_some(),
                "Conditions" => {
                    let conditions = conditions(reader, &child)?;
                    assertion.conditions.replace(conditions).is_some()
                }
                "AuthnStatement" => {
                    let authentication = authentication(reader, &child)?;
                    assertion.authentications.push(authentication);
                    assertion.authentications.len() > MAX_ITEMS
                }
                "AttributeStatement" => {
                    attributes(reader, &mut assertion.attributes, &mut values)?;
                    false
                }
                _ => {
                    reader.skip()?;
                    false
                }
            };
            if again {
                return Err(reader.error(format!("too many {} elements", child.name())));
            }
        }
        match assertion.issuer.is_empty() {
            true => Err(reader.error("the assertion does not say who issued it")),
            false => Ok(assertion),
        }
    }
}

fn moment(reader: &Reader<'_>, text: &str) -> Result<Seconds, XmlError> {
    // Durations are for subscriptions only.
    let is_date = text
        .trim()
        .starts_with(|first: char| first.is_ascii_digit());
    let moment = is_date.then(|| time::read(text, 0).ok()).flatten();
    moment.ok_or_else(|| reader.error("this is no xs:dateTime"))
}

fn optional_moment(
    reader: &Reader<'_>,
    element: &Element<'_>,
    name: &str,
) -> Result<Option<Seconds>, XmlError> {
    let text = element.attribute(name);
    text.map(|text| moment(reader, &text)).transpose()
}

fn subject(reader: &mut Reader<'_>) -> Result<Subject, XmlError> {
    let mut subject = Subject::default();
    while let Some(child) = reader.child()? {
        if child.is(ns::SAML, "NameID") {
            if subject.name.is_some() {
                return Err(reader.error("the subject has two names"));
            }
            subject.alias = child.attribute("SPProvidedID");
            subject.name = Some(reader.token()?);
        } else if child.is(ns::SAML, "SubjectConfirmation") {
            let method = reader.required(&child, "Method")?;
            subject.confirmations.push(confirmation(reader, method)?);
            if subject.confirmations.len() > MAX_ITEMS {
                return Err(reader.error("too many confirmations"));
            }
        } else {
            reader.skip()?;
        }
    }
    Ok(subject)
}

fn confirmation(reader: &mut Reader<'_>, method: String) -> Result<Confirmation, XmlError> {
    let mut confirmation = Confirmation {
        method,
        ..Confirmation::default()
    };
    while let Some(child) = reader.child()? {
        if !child.is(ns::SAML, "SubjectConfirmationData") {
            reader.skip()?;
            continue;
        }
        confirmation.not_before = optional_moment(reader, &child, "NotBefore")?;
        confirmation.not_on_or_after = optional_moment(reader, &child, "NotOnOrAfter")?;
        while let Some(child) = reader.child()? {
            match child.is(ns::DS, "KeyInfo") {
                true => certificates(reader, &mut confirmation.certificates)?,
                false => reader.skip()?,
            }
        }
    }
    Ok(confirmation)
}

/// What `ds:KeyInfo` says in certificates.
fn certificates(reader: &mut Reader<'_>, found: &mut Vec<String>) -> Result<(), XmlError> {
    while let Some(child) = reader.child()? {
        if !child.is(ns::DS, "X509Data") {
            reader.skip()?;
            continue;
        }
        while let Some(child) = reader.child()? {
            if !child.is(ns::DS, "X509Certificate") {
                reader.skip()?;
                continue;
            }
            let text = reader.text()?;
            let white = |character: char| character.is_ascii_whitespace();
            found.push(text.chars().filter(|it| !white(*it)).collect());
            if found.len() > MAX_ITEMS {
                return Err(reader.error("too many certificates"));
            }
        }
    }
    Ok(())
}

fn conditions(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Conditions, XmlError> {
    let mut conditions = Conditions {
        not_before: optional_moment(reader, element, "NotBefore")?,
        not_on_or_after: optional_moment(reader, element, "NotOnOrAfter")?,
        ..Conditions::default()
    };
    while let Some(child) = reader.child()? {
        match (child.namespace.as_ref(), child.name()) {
            (ns::SAML, "AudienceRestriction") => {
                let mut audiences = Vec::new();
                while let Some(child) = reader.child()? {
                    match child.is(ns::SAML, "Audience") {
                        true => audiences.push(reader.token()?),
                        false => reader.skip()?,
                    }
                }
                conditions.audiences.push(audiences);
                if conditions.audiences.iter().map(Vec::len).sum::<usize>() > MAX_ITEMS
                    || conditions.audiences.len() > MAX_ITEMS
                {
                    return Err(reader.error("too many audiences"));
                }
            }
            (ns::SAML, "OneTimeUse") => {
                conditions.one_time_use = true;
                reader.skip()?;
            }
            // It limits whoever issues further assertions, which we do not.
            (ns::SAML, "ProxyRestriction") => reader.skip()?,
            _ => {
                conditions.others = true;
                reader.skip()?;
            }
        }
    }
    Ok(conditions)
}

fn authentication(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
) -> Result<Authentication, XmlError> {
    let mut authentication = Authentication {
        session_not_on_or_after: optional_moment(reader, element, "SessionNotOnOrAfter")?,
        ..Authentication::default()
    };
    while let Some(child) = reader.child()? {
        if !child.is(ns::SAML, "AuthnContext") {
            reader.skip()?;
            continue;
        }
        while let Some(child) = reader.child()? {
            let is_class = child.is(ns::SAML, "AuthnContextClassRef");
            if is_class || child.is(ns::SAML, "AuthnContextDeclRef") {
                let context = reader.token()?;
                if is_class || authentication.context.is_none() {
                    authentication.context = Some(context);
                }
            } else {
                reader.skip()?;
            }
        }
    }
    Ok(authentication)
}

fn attributes(
    reader: &mut Reader<'_>,
    attributes: &mut Vec<Attribute>,
    count: &mut usize,
) -> Result<(), XmlError> {
    while let Some(child) = reader.child()? {
        if !child.is(ns::SAML, "Attribute") {
            reader.skip()?;
            continue;
        }
        let mut attribute = Attribute {
            name: reader.required(&child, "Name")?,
            values: Vec::new(),
        };
        *count += 1;
        while let Some(child) = reader.child()? {
            if !child.is(ns::SAML, "AttributeValue") {
                reader.skip()?;
                continue;
            }
            *count += 1;
            attribute.values.extend(value(reader)?);
            if *count > MAX_VALUES {
                return Err(reader.error("too many attributes"));
            }
        }
        attributes.push(attribute);
    }
    Ok(())
}

/// A value, or nothing if it is of a kind that is not known.
fn value(reader: &mut Reader<'_>) -> Result<Option<Value>, XmlError> {
    let child = match reader.text_or_child()? {
        TextOrChild::Text(text) => {
            let text = text.trim();
            return Ok((!text.is_empty()).then(|| Value::Text(text.to_owned())));
        }
        TextOrChild::Child(child) => child,
    };
    let attribute = |name: &str| child.attribute(name).map(|text| text.trim().to_owned());
    let value = match (attribute("code"), attribute("root"), attribute("extension")) {
        _ if child.namespace != ns::HL7V3 => None,
        (Some(code), _, _) => Some(Value::Code {
            code,
            system: attribute("codeSystem").unwrap_or_default(),
            system_name: attribute("codeSystemName"),
            display: attribute("displayName"),
        }),
        (None, Some(root), Some(extension)) => Some(Value::Identifier { root, extension }),
        _ => None,
    };
    reader.skip()?;
    // Of several children, only the first counts.
    while reader.child()?.is_some() {
        reader.skip()?;
    }
    Ok(value)
}
