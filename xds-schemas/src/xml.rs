//! One reader and one writer for all XML that Hilum exchanges.
//!
//! Messages come from outside, so the reader has limits of its own: nesting, attributes and
//! namespace bindings are bounded, a document type declaration is refused (and with it every
//! entity but the five of XML itself), and each error says the line and column where it was found.
//! Whitespace is kept as it stands; line ends are normalised as XML 1.0 section 2.11 asks.
//!
//! The reader is a pull parser: an element that was entered is left again by reading its children
//! until there are none, by taking its text, or by skipping the rest of it.

mod copy;

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{QName, ResolveResult};
use quick_xml::reader::NsReader;
use thiserror::Error;

/// The namespaces of the messages, each written down once.
pub mod ns {
    /// SOAP 1.2 envelope.
    pub const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
    /// SOAP 1.1 envelope: recognised only to be refused by name.
    pub const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
    /// WS-Addressing 1.0.
    pub const WSA: &str = "http://www.w3.org/2005/08/addressing";
    /// WS-Security, where a SAML assertion travels (ITI-40).
    pub const WSSE: &str =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    /// WS-Security utilities, where a message says until when it is meant.
    pub const WSU: &str =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
    /// SAML 2.0 assertions (ITI-40).
    pub const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
    /// XML signatures.
    pub const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
    /// XML-binary Optimized Packaging.
    pub const XOP: &str = "http://www.w3.org/2004/08/xop/include";
    /// ebXML registry information model 3.0.
    pub const RIM: &str = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0";
    /// ebXML registry services 3.0.
    pub const RS: &str = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0";
    /// ebXML life cycle management 3.0.
    pub const LCM: &str = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0";
    /// ebXML query 3.0.
    pub const QUERY: &str = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0";
    /// XDS.b repository messages.
    pub const XDS: &str = "urn:ihe:iti:xds-b:2007";
    /// The header block of submissions that name a community (ITI-41, ITI-80).
    pub const XDR: &str = "urn:ihe:iti:xdr:2014";
    /// Patients across communities (XCPD).
    pub const XCPD: &str = "urn:ihe:iti:xcpd:2009";
    /// What a Document Recipient of ours answers about its inbox; not of IHE.
    pub const INBOX: &str = "urn:hilum:inbox";
    /// XDS-I.b imaging document source messages.
    pub const XDSI: &str = "urn:ihe:rad:xdsi-b:2009";
    /// HL7 v3 messages.
    pub const HL7V3: &str = "urn:hl7-org:v3";
    /// Removal of documents (RMD).
    pub const RMD: &str = "urn:ihe:iti:rmd:2017";
    /// WS-BaseNotification 1.3.
    pub const WSNT: &str = "http://docs.oasis-open.org/wsn/b-2";
    /// WS-BaseFaults 1.2, in which the faults of WS-BaseNotification are written.
    pub const WSRF_BF: &str = "http://docs.oasis-open.org/wsrf/bf-2";
    /// WS-Resource 1.2, whose fault says that something is not there.
    pub const WSRF_R: &str = "http://docs.oasis-open.org/wsrf/r-2";
    /// XML Schema instances: `xsi:nil`.
    pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
    /// Attributes like `xml:lang`.
    pub const XML: &str = "http://www.w3.org/XML/1998/namespace";

    pub(super) const KNOWN: [&str; 19] = [
        RIM, RS, SOAP, WSA, QUERY, LCM, XDS, XOP, XDSI, RMD, XML, WSSE, SOAP11, HL7V3, XDR, INBOX,
        WSNT, SAML, DS,
    ];
}

/// How deep elements may nest. A registry message needs about twelve.
pub const MAX_DEPTH: usize = 64;
/// How many attributes one element may have.
pub const MAX_ATTRIBUTES: usize = 64;
/// Room for the attributes of most elements that have any.
const USUAL_ATTRIBUTES: usize = 8;
/// How many namespace bindings may be in scope.
pub const MAX_NAMESPACE_BINDINGS: usize = 128;

/// What was wrong with the XML, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct XmlError {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What was expected, what was found. Never text content of the message.
    pub reason: String,
}

impl XmlError {
    fn at(text: &str, offset: usize, reason: impl Into<String>) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            reason: reason.into(),
        }
    }
}

/// A value that is read from an element.
pub trait FromXml: Sized {
    /// Reads the value from `element`, which the reader has just entered, and leaves it.
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError>;
}

/// A value that is written as an element.
pub trait ToXml {
    /// Writes the element.
    fn to_xml(&self, writer: &mut Writer);
}

/// An element that was entered: its name and its attributes.
#[derive(Debug)]
pub struct Element<'a> {
    /// Namespace URI, empty if the element is in none.
    pub namespace: Cow<'static, str>,
    name: &'a str,
    /// Qualified names and normalised values.
    attributes: Vec<(&'a str, Cow<'a, str>)>,
    offset: usize,
}

impl Element<'_> {
    /// The local name.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Whether this is the element `name` of `namespace`.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// The value of an attribute without a prefix.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let mut attributes = self.attributes.iter();
        let (_, value) = attributes.find(|(key, _)| *key == name)?;
        Some(value.as_ref().to_owned())
    }
}

/// What an element holds that may hold either.
#[derive(Debug)]
pub enum TextOrChild<'a> {
    /// Its text; the element was left.
    Text(Cow<'a, str>),
    /// Its first child, which was entered.
    Child(Element<'a>),
}

/// Reads one XML document from memory.
pub struct Reader<'a> {
    inner: NsReader<&'a [u8]>,
    text: &'a str,
    depth: usize,
    /// Where the event read last began.
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of a document in UTF-8, with or without a byte order mark.
    pub fn new(bytes: &'a [u8]) -> Result<Self, XmlError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
                return Err(XmlError::at(
                    valid,
                    valid.len(),
                    "the text is not UTF-8, the only character encoding read here",
                ));
            }
        };
        if let Some(at) = forbidden_character(text) {
            return Err(XmlError::at(text, at, FORBIDDEN));
        }
        let mut inner = NsReader::from_str(text);
        let config = inner.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        inner
            .resolver_mut()
            .set_max_namespace_bindings(MAX_NAMESPACE_BINDINGS);
        Ok(Self {
            inner,
            text,
            depth: 0,
            offset: 0,
        })
    }

    /// Enters the root element.
    pub fn root(&mut self) -> Result<Element<'a>, XmlError> {
        self.child()?
            .ok_or_else(|| self.error("expected an element, found the end of the document"))
    }

    /// Enters the root element, which must be `name` of `namespace`.
    pub fn root_named(&mut self, namespace: &str, name: &str) -> Result<Element<'a>, XmlError> {
        let root = self.root()?;
        if root.is(namespace, name) {
            Ok(root)
        } else {
            Err(self.unexpected(&root, &format!("{name} of namespace {namespace}")))
        }
    }

    /// Checks that nothing but comments and white space follows the root element.
    pub fn end(&mut self) -> Result<(), XmlError> {
        match self.child()? {
            None => Ok(()),
            Some(_) => Err(self.error("a second root element")),
        }
    }

    /// Enters the next child of the innermost open element; at its end leaves it and gives `None`.
    /// Text between the children is passed over if it is white space and refused otherwise.
    pub fn child(&mut self) -> Result<Option<Element<'a>>, XmlError> {
        loop {
            match self.event()? {
                Event::Start(start) => return self.enter(&start).map(Some),
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(None);
                }
                Event::Eof if self.depth == 0 => return Ok(None),
                Event::Eof => return Err(self.error("the document ends inside an element")),
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(self.error("text where only elements may stand"));
                }
                Event::DocType(_) => {
                    return Err(self.error("a document type declaration is not accepted"));
                }
                Event::Decl(declaration) => self.check_encoding(&declaration)?,
                Event::Comment(_) | Event::PI(_) => {}
                Event::Empty(_) => unreachable!("empty elements are expanded"),
            }
        }
    }

    /// The same where text may stand between the children, as in names and addresses of HL7 v3: the
    /// text that was passed over is added to `text`.
    pub fn child_in_text(&mut self, text: &mut String) -> Result<Option<Element<'a>>, XmlError> {
        loop {
            match self.event()? {
                Event::Start(start) => return self.enter(&start).map(Some),
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(None);
                }
                Event::Text(more) => text.push_str(&normalise_line_ends(more.into_inner())),
                Event::CData(more) => text.push_str(&normalise_line_ends(more.into_inner())),
                Event::GeneralRef(reference) => text.push(self.character(&reference)?),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => return Err(self.error("the document ends inside an element")),
                Event::DocType(_) | Event::Decl(_) | Event::Empty(_) => {
                    return Err(self.error("a declaration inside an element"));
                }
            }
        }
    }

    /// Takes the text of the innermost open element and leaves it.
    pub fn text(&mut self) -> Result<Cow<'a, str>, XmlError> {
        match self.text_or_child()? {
            TextOrChild::Text(text) => Ok(text),
            TextOrChild::Child(_) => Err(self.error("an element where only text may stand")),
        }
    }

    /// Takes what the innermost open element holds if that is either text or one child: its text,
    /// which leaves it, or else its child, which is entered. White space before the child is passed
    /// over.
    pub fn text_or_child(&mut self) -> Result<TextOrChild<'a>, XmlError> {
        let mut content: Cow<'a, str> = Cow::Borrowed("");
        loop {
            match self.event()? {
                Event::Text(text) => append(&mut content, normalise_line_ends(text.into_inner())),
                Event::CData(text) => append(&mut content, normalise_line_ends(text.into_inner())),
                Event::GeneralRef(reference) => {
                    let character = self.character(&reference)?;
                    content.to_mut().push(character);
                }
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(TextOrChild::Text(content));
                }
                Event::Start(start) if content.trim_ascii().is_empty() => {
                    return self.enter(&start).map(TextOrChild::Child);
                }
                Event::Start(_) => return Err(self.error("an element where only text may stand")),
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => return Err(self.error("the document ends inside an element")),
                Event::DocType(_) | Event::Decl(_) | Event::Empty(_) => {
                    return Err(self.error("a declaration inside an element"));
                }
            }
        }
    }

    /// Takes the text of the innermost open element and leaves it, and the white space around the
    /// text is not part of it.
    pub fn token(&mut self) -> Result<String, XmlError> {
        Ok(self.text()?.trim_ascii().to_owned())
    }

    /// Passes over the rest of the innermost open element and leaves it. What is passed over must
    /// be well-formed and within the limits like everything else.
    pub fn skip(&mut self) -> Result<(), XmlError> {
        let outside = self.depth - 1;
        while self.depth > outside {
            match self.event()? {
                Event::Start(start) => drop(self.enter(&start)?),
                Event::End(_) => self.depth -= 1,
                Event::Eof => return Err(self.error("the document ends inside an element")),
                Event::DocType(_) => {
                    return Err(self.error("a document type declaration is not accepted"));
                }
                Event::GeneralRef(reference) => drop(self.character(&reference)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// The value of an attribute that is in a namespace, like `mustUnderstand` of SOAP.
    pub fn attribute_in(
        &self,
        element: &Element<'_>,
        namespace: &str,
        name: &str,
    ) -> Option<String> {
        let mut attributes = element.attributes.iter();
        let (_, value) = attributes.find(|(key, _)| {
            let (resolved, local) = self.inner.resolver().resolve_attribute(QName(key));
            local.as_ref() == name
                && matches!(resolved, ResolveResult::Bound(found) if found.0 == namespace)
        })?;
        Some(value.as_ref().to_owned())
    }

    /// An attribute that must be there.
    pub fn required(&self, element: &Element<'_>, name: &str) -> Result<String, XmlError> {
        element.attribute(name).ok_or_else(|| {
            XmlError::at(
                self.text,
                element.offset,
                format!("{} has no attribute {name}", element.name()),
            )
        })
    }

    /// Namespace and local name of a qualified name that stands in the text just taken.
    pub fn resolve(&self, name: &str) -> (String, String) {
        match self.inner.resolver().resolve_element(QName(name)) {
            (ResolveResult::Bound(namespace), local) => {
                (namespace.0.to_owned(), local.as_ref().to_owned())
            }
            (_, local) => (String::new(), local.as_ref().to_owned()),
        }
    }

    /// An error at the place that was read last.
    pub fn error(&self, reason: impl Into<String>) -> XmlError {
        XmlError::at(self.text, self.offset, reason)
    }

    /// The error for an element that stands where another was expected.
    pub fn unexpected(&self, element: &Element<'_>, expected: &str) -> XmlError {
        XmlError::at(
            self.text,
            element.offset,
            format!("expected {expected}, found {}", describe(element)),
        )
    }

    fn event(&mut self) -> Result<Event<'a>, XmlError> {
        let before = usize::try_from(self.inner.buffer_position()).unwrap_or(usize::MAX);
        match self.inner.read_event() {
            Ok(event) => {
                self.offset = before;
                Ok(event)
            }
            Err(error) => {
                let at = usize::try_from(self.inner.error_position()).unwrap_or(before);
                Err(XmlError::at(self.text, at, error.to_string()))
            }
        }
    }

    fn enter(&mut self, start: &BytesStart<'a>) -> Result<Element<'a>, XmlError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("elements nest deeper than {MAX_DEPTH}")));
        }
        // What is between the brackets, borrowed from the document and not from the event.
        let tag = self
            .text
            .get(self.offset + 1..)
            .and_then(|text| text.get(..start.len()));
        let tag = tag.filter(|tag| *tag == &**start);
        let tag = tag.ok_or_else(|| self.error("a start tag that cannot be read"))?;
        let qualified = &tag[..start.name().0.len()];
        let mut attributes = Vec::new();
        for attribute in Attributes::new(tag, qualified.len()) {
            if attributes.len() >= MAX_ATTRIBUTES {
                return Err(self.error(format!(
                    "an element has more than {MAX_ATTRIBUTES} attributes"
                )));
            }
            let attribute = attribute.map_err(|error| self.error(error.to_string()))?;
            let value = attribute
                .normalized_value(XmlVersion::Explicit1_0)
                .map_err(|error| self.error(error.to_string()))?;
            if matches!(&value, Cow::Owned(value) if forbidden_character(value).is_some()) {
                return Err(self.error(FORBIDDEN));
            }
            if attributes.is_empty() {
                attributes.reserve(USUAL_ATTRIBUTES);
            }
            attributes.push((attribute.key.0, value));
        }
        let namespace = match self.inner.resolver().resolve_element(start.name()).0 {
            ResolveResult::Unbound => Cow::Borrowed(""),
            ResolveResult::Bound(namespace) => ns::KNOWN
                .iter()
                .find(|known| **known == namespace.0)
                .map_or_else(
                    || Cow::Owned(namespace.0.to_owned()),
                    |known| Cow::Borrowed(*known),
                ),
            ResolveResult::Unknown(prefix) => {
                return Err(self.error(format!("the namespace prefix {prefix} is not declared")));
            }
        };
        Ok(Element {
            namespace,
            name: qualified
                .rsplit_once(':')
                .map_or(qualified, |(_, local)| local),
            attributes,
            offset: self.offset,
        })
    }

    fn check_encoding(
        &self,
        declaration: &quick_xml::events::BytesDecl<'_>,
    ) -> Result<(), XmlError> {
        match declaration.encoding() {
            Some(Ok(name))
                if !name.eq_ignore_ascii_case("utf-8")
                    && !name.eq_ignore_ascii_case("us-ascii") =>
            {
                Err(self.error("the declaration names another encoding than UTF-8"))
            }
            Some(Err(error)) => Err(self.error(error.to_string())),
            _ => Ok(()),
        }
    }

    fn character(&self, reference: &quick_xml::events::BytesRef<'_>) -> Result<char, XmlError> {
        if let Some(character) = reference
            .resolve_char_ref()
            .map_err(|error| self.error(error.to_string()))?
        {
            return match is_forbidden(character) {
                true => Err(self.error(FORBIDDEN)),
                false => Ok(character),
            };
        }
        match &**reference {
            "amp" => Ok('&'),
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "quot" => Ok('"'),
            "apos" => Ok('\''),
            _ => Err(self.error("an entity that XML itself does not define")),
        }
    }
}

/// What is said of [`forbidden_character`]s.
const FORBIDDEN: &str = "a character that XML does not allow";

/// Where the first character stands that a document must not have, not even as a reference
/// (XML 1.0, production 2). Whoever let it in could not give it back.
fn forbidden_character(text: &str) -> Option<usize> {
    // One quick look at every byte is enough for nearly all documents.
    let suspicious =
        |byte: u8| (byte < 0x20) & !matches!(byte, b'\t' | b'\n' | b'\r') | (byte == 0xef);
    if !text
        .bytes()
        .fold(false, |found, byte| found | suspicious(byte))
    {
        return None;
    }
    let mut characters = text.char_indices();
    let (at, _) = characters.find(|(_, character)| is_forbidden(*character))?;
    Some(at)
}

fn is_forbidden(character: char) -> bool {
    matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

fn describe(element: &Element<'_>) -> String {
    if element.namespace.is_empty() {
        format!("{} without a namespace", element.name())
    } else {
        format!("{} of namespace {}", element.name(), element.namespace)
    }
}

fn append<'a>(content: &mut Cow<'a, str>, more: Cow<'a, str>) {
    if content.is_empty() {
        *content = more;
    } else {
        content.to_mut().push_str(&more);
    }
}

fn normalise_line_ends(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        text
    }
}

/// Writes XML into one buffer. Names and prefixes are the caller's; text and attribute values are
/// escaped here.
#[derive(Debug, Default)]
pub struct Writer {
    out: String,
    start_tag_open: bool,
}

impl Writer {
    /// A writer that will need about `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            out: String::with_capacity(capacity),
            start_tag_open: false,
        }
    }

    /// Opens an element, whose attributes follow.
    pub fn open(&mut self, name: &str) -> &mut Self {
        self.finish_start_tag();
        self.out.push('<');
        self.out.push_str(name);
        self.start_tag_open = true;
        self
    }

    /// Adds an attribute to the element opened last.
    pub fn attribute(&mut self, name: &str, value: &str) -> &mut Self {
        debug_assert!(self.start_tag_open, "attribute {name} after content");
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        escape(&mut self.out, value, true);
        self.out.push('"');
        self
    }

    /// Adds an attribute if it has a value.
    pub fn optional(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.attribute(name, value),
            None => self,
        }
    }

    /// Writes text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.finish_start_tag();
        escape(&mut self.out, text, false);
        self
    }

    /// Writes XML that was written before, as it stands.
    pub fn raw(&mut self, xml: &str) -> &mut Self {
        self.finish_start_tag();
        self.out.push_str(xml);
        self
    }

    /// Closes the element `name`, which must be the innermost open one.
    pub fn close(&mut self, name: &str) -> &mut Self {
        if self.start_tag_open {
            self.out.push_str("/>");
            self.start_tag_open = false;
        } else {
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
        self
    }

    /// Writes an element that holds only text.
    pub fn element(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name).text(text).close(name)
    }

    /// What was written.
    pub fn finish(mut self) -> String {
        self.finish_start_tag();
        self.out
    }

    fn finish_start_tag(&mut self) {
        if self.start_tag_open {
            self.out.push('>');
            self.start_tag_open = false;
        }
    }
}

/// Bytes at which [`escape`] looks closer: few, and to find them is what writing costs.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < special.len() {
        special[byte] = byte < 0x20 || byte == 0xef;
        byte += 1;
    }
    special[b'&' as usize] = true;
    special[b'<' as usize] = true;
    special[b'>' as usize] = true;
    special[b'"' as usize] = true;
    special
};

/// Escapes what XML would misread. Line ends and tabs in attributes are written as references, so
/// that attribute value normalisation gives them back; characters that XML 1.0 cannot carry at all
/// are replaced by U+FFFD.
pub fn escape(out: &mut String, text: &str, in_attribute: bool) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    let special = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| SPECIAL[usize::from(**byte)]);
    for (at, byte) in special {
        let (replacement, length) = match byte {
            b'&' => ("&amp;", 1),
            b'<' => ("&lt;", 1),
            b'>' => ("&gt;", 1),
            b'"' if in_attribute => ("&quot;", 1),
            b'\n' if in_attribute => ("&#10;", 1),
            b'\t' if in_attribute => ("&#9;", 1),
            b'\r' => ("&#13;", 1),
            b'\n' | b'\t' => continue,
            0..=0x1f => ("\u{fffd}", 1),
            // U+FFFE and U+FFFF.
            0xef if matches!(bytes.get(at + 1..at + 3), Some([0xbf, 0xbe | 0xbf])) => {
                ("\u{fffd}", 3)
            }
            _ => continue,
        };
        out.push_str(&text[copied..at]);
        out.push_str(replacement);
        copied = at + length;
    }
    out.push_str(&text[copied..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(xml: &str) -> XmlError {
        fn read(xml: &str) -> Result<(), XmlError> {
            let mut reader = Reader::new(xml.as_bytes())?;
            reader.root()?;
            reader.skip()?;
            reader.end()
        }
        read(xml).expect_err("the document should be refused")
    }

    #[test]
    fn reads_children_text_and_attributes() {
        let xml =
            "<a:r xmlns:a='urn:x' b='1&amp;2'><a:c> t &lt;<![CDATA[<]]>&#65;\r\n</a:c><d/></a:r>";
        let mut reader = Reader::new(xml.as_bytes()).unwrap();
        let root = reader.root_named("urn:x", "r").unwrap();
        assert_eq!(root.attribute("b").as_deref(), Some("1&2"));
        assert!(reader.child().unwrap().unwrap().is("urn:x", "c"));
        assert_eq!(reader.text().unwrap(), " t <<A\n");
        assert!(reader.child().unwrap().unwrap().is("", "d"));
        assert!(reader.child().unwrap().is_none());
        assert!(reader.child().unwrap().is_none());
        reader.end().unwrap();
    }

    #[test]
    fn an_error_names_line_and_column() {
        let error = reason("<a>\n  <b></c></a>");
        assert_eq!((error.line, error.column), (2, 6), "{error}");
    }

    #[test]
    fn hostile_documents_are_refused() {
        assert!(
            reason("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")
                .reason
                .contains("document type")
        );
        assert!(reason("<a>&b;</a>").reason.contains("entity"));
        assert!(reason(&"<a>".repeat(100_000)).reason.contains("deeper"));
        let many: String = (0..100).map(|n| format!(" a{n}=''")).collect();
        assert!(reason(&format!("<a{many}/>")).reason.contains("attributes"));
        assert!(reason("<a x='1' x='2'/>").reason.contains("duplicate"));
        assert!(reason("<p:a/>").reason.contains("not declared"));
        assert!(reason("<a/><b/>").reason.contains("second root"));
        assert!(reason("<a>").reason.contains("ends"));
        assert!(
            reason("<?xml version='1.0' encoding='latin1'?><a/>")
                .reason
                .contains("UTF-8")
        );
    }

    #[test]
    fn characters_that_xml_does_not_allow_are_refused() {
        for xml in [
            "<a>\u{1}</a>",
            "<a b='\u{1f}'/>",
            "<a>&#1;</a>",
            "<a b='&#x8;'/>",
            "<a><![CDATA[\u{c}]]></a>",
            "<a>\u{ffff}</a>",
            "<a b='&#xFFFE;'/>",
        ] {
            assert!(reason(xml).reason.contains("character"), "{xml:?}");
        }
        let error = reason("<a>\n \u{feff}\u{1}</a>");
        assert_eq!((error.line, error.column), (2, 3), "{error}");
        let allowed = "<a b='&#9;\u{feff}&#x10FFFF;'>\t\r\n\u{7f}\u{fffd}&#10;</a>";
        let mut reader = Reader::new(allowed.as_bytes()).unwrap();
        reader.root().unwrap();
        reader.text().unwrap();
        reader.end().unwrap();
    }

    #[test]
    fn what_is_written_is_read_again() {
        let value = "a<b>&\"'\n\r\t \u{1}é\u{ffff}ﾟ\u{feff}";
        let mut writer = Writer::default();
        writer
            .open("r")
            .attribute("v", value)
            .text(value)
            .close("r");
        let xml = writer.finish();
        let mut reader = Reader::new(xml.as_bytes()).unwrap();
        let root = reader.root().unwrap();
        let expected = value.replace(['\u{1}', '\u{ffff}'], "\u{fffd}");
        assert_eq!(root.attribute("v"), Some(expected.clone()));
        assert_eq!(reader.text().unwrap(), expected);
    }
}
