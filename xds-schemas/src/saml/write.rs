//! Writing assertions, to be signed.

use super::{
    Assertion, Attribute, Authentication, Conditions, Confirmation, Subject, UNSPECIFIED_CONTEXT,
    Value,
};
use crate::wsn::time;
use crate::xml::{Writer, ns};

impl Assertion {
    /// Writes the assertion with a signature, which is XML or nothing.
    pub fn write(&self, signature: &str) -> String {
        let mut xml = Writer::with_capacity(4096 + signature.len());
        xml.open("saml:Assertion")
            .attribute("xmlns:saml", ns::SAML)
            .attribute("ID", &self.id)
            .attribute("IssueInstant", &written(self.issued))
            .attribute("Version", "2.0");
        xml.element("saml:Issuer", &self.issuer).raw(signature);
        if let Some(subject) = &self.subject {
            write_subject(&mut xml, subject);
        }
        if let Some(conditions) = &self.conditions {
            write_conditions(&mut xml, conditions);
        }
        for authentication in &self.authentications {
            write_authentication(&mut xml, authentication, &written(self.issued));
        }
        if !self.attributes.is_empty() {
            xml.open("saml:AttributeStatement");
            for attribute in &self.attributes {
                write_attribute(&mut xml, attribute);
            }
            xml.close("saml:AttributeStatement");
        }
        xml.close("saml:Assertion");
        xml.finish()
    }
}

fn written(seconds: i64) -> String {
    time::written(u64::try_from(seconds).unwrap_or_default())
}

fn write_subject(xml: &mut Writer, subject: &Subject) {
    xml.open("saml:Subject");
    if let Some(name) = &subject.name {
        xml.open("saml:NameID")
            .optional("SPProvidedID", subject.alias.as_deref())
            .text(name)
            .close("saml:NameID");
    }
    for confirmation in &subject.confirmations {
        write_confirmation(xml, confirmation);
    }
    xml.close("saml:Subject");
}

fn write_confirmation(xml: &mut Writer, confirmation: &Confirmation) {
    let (from, until) = (confirmation.not_before, confirmation.not_on_or_after);
    xml.open("saml:SubjectConfirmation")
        .attribute("Method", &confirmation.method);
    if from.is_some() || until.is_some() || !confirmation.certificates.is_empty() {
        xml.open("saml:SubjectConfirmationData")
            .optional("NotBefore", from.map(written).as_deref())
            .optional("NotOnOrAfter", until.map(written).as_deref());
        for certificate in &confirmation.certificates {
            xml.open("ds:KeyInfo").attribute("xmlns:ds", ns::DS);
            xml.open("ds:X509Data")
                .element("ds:X509Certificate", certificate)
                .close("ds:X509Data")
                .close("ds:KeyInfo");
        }
        xml.close("saml:SubjectConfirmationData");
    }
    xml.close("saml:SubjectConfirmation");
}

fn write_conditions(xml: &mut Writer, conditions: &Conditions) {
    let (from, until) = (conditions.not_before, conditions.not_on_or_after);
    xml.open("saml:Conditions")
        .optional("NotBefore", from.map(written).as_deref())
        .optional("NotOnOrAfter", until.map(written).as_deref());
    for audiences in &conditions.audiences {
        xml.open("saml:AudienceRestriction");
        for audience in audiences {
            xml.element("saml:Audience", audience);
        }
        xml.close("saml:AudienceRestriction");
    }
    if conditions.one_time_use {
        xml.open("saml:OneTimeUse").close("saml:OneTimeUse");
    }
    xml.close("saml:Conditions");
}

fn write_authentication(xml: &mut Writer, authentication: &Authentication, instant: &str) {
    let until = authentication.session_not_on_or_after.map(written);
    xml.open("saml:AuthnStatement")
        .attribute("AuthnInstant", instant)
        .optional("SessionNotOnOrAfter", until.as_deref());
    let context = authentication.context.as_deref();
    xml.open("saml:AuthnContext")
        .element(
            "saml:AuthnContextClassRef",
            context.unwrap_or(UNSPECIFIED_CONTEXT),
        )
        .close("saml:AuthnContext")
        .close("saml:AuthnStatement");
}

fn write_attribute(xml: &mut Writer, attribute: &Attribute) {
    xml.open("saml:Attribute")
        .attribute("Name", &attribute.name)
        .attribute(
            "NameFormat",
            "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
        );
    for value in &attribute.values {
        xml.open("saml:AttributeValue");
        write_value(xml, &attribute.name, value);
        xml.close("saml:AttributeValue");
    }
    xml.close("saml:Attribute");
}

fn write_value(xml: &mut Writer, attribute: &str, value: &Value) {
    let mut typed = |element: &str, kind: &str, attributes: [(&str, Option<&str>); 4]| {
        xml.open(element)
            .attribute("xmlns", ns::HL7V3)
            .attribute("xmlns:xsi", ns::XSI)
            .attribute("xsi:type", kind);
        for (name, value) in attributes {
            xml.optional(name, value);
        }
        xml.close(element);
    };
    match value {
        Value::Text(text) => drop(xml.text(text)),
        Value::Code {
            code,
            system,
            system_name,
            display,
        } => {
            let element = match attribute {
                super::PURPOSE_OF_USE => "PurposeOfUse",
                _ => "Role",
            };
            typed(
                element,
                "CE",
                [
                    ("code", Some(code)),
                    ("codeSystem", Some(system)),
                    ("codeSystemName", system_name.as_deref()),
                    ("displayName", display.as_deref()),
                ],
            );
        }
        Value::Identifier { root, extension } => typed(
            "id",
            "II",
            [
                ("root", Some(root)),
                ("extension", Some(extension)),
                ("", None),
                ("", None),
            ],
        ),
    }
}
