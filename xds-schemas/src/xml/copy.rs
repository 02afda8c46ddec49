//! An element taken as it stands, for messages that must give it back.

use quick_xml::name::PrefixDeclaration;

use super::{Element, Reader, XmlError, escape};

impl Reader<'_> {
    /// Takes the innermost open element, which was just entered, as text, and leaves it. It
    /// declares every namespace prefix that is in scope, so that it means the same wherever it is
    /// put.
    pub fn copy(&mut self, element: &Element<'_>) -> Result<String, XmlError> {
        self.copy_with(element, None)
    }

    /// The same, and it gets one more attribute, `name` of `namespace`, unless it has it already.
    pub fn copy_marked(
        &mut self,
        element: &Element<'_>,
        mark: (&str, &str, &str),
    ) -> Result<String, XmlError> {
        let (namespace, name, _) = mark;
        let has_it = self.attribute_in(element, namespace, name).is_some();
        self.copy_with(element, (!has_it).then_some(mark))
    }

    fn copy_with(
        &mut self,
        element: &Element<'_>,
        wanted: Option<(&str, &str, &str)>,
    ) -> Result<String, XmlError> {
        let declared = |prefix: &str| element.attributes.iter().any(|(key, _)| *key == prefix);
        let mut added = String::new();
        let mut prefixes = Vec::new();
        let mut mark = None;
        for (prefix, bound) in self.inner.resolver().bindings() {
            let attribute = match prefix {
                PrefixDeclaration::Default => "xmlns".to_owned(),
                PrefixDeclaration::Named(prefix) => {
                    prefixes.push(prefix.to_owned());
                    if wanted.is_some_and(|(namespace, ..)| bound.0 == namespace) {
                        mark = Some(prefix.to_owned());
                    }
                    format!("xmlns:{prefix}")
                }
            };
            if !declared(&attribute) {
                push_attribute(&mut added, &attribute, bound.0);
            }
        }
        if let Some((namespace, name, value)) = wanted {
            let mark = mark.unwrap_or_else(|| {
                let mut free = (0..).map(|number| format!("p{number}"));
                let free = free.find(|prefix| !prefixes.contains(prefix));
                let free = free.expect("there are more numbers than prefixes");
                push_attribute(&mut added, &format!("xmlns:{free}"), namespace);
                free
            });
            push_attribute(&mut added, &format!("{mark}:{name}"), value);
        }
        let start = element.offset;
        self.skip()?;
        let end = usize::try_from(self.inner.buffer_position()).unwrap_or(usize::MAX);
        let text = self.text.get(start..end).unwrap_or_default();
        let ends_name =
            |character: char| character.is_ascii_whitespace() || "/>".contains(character);
        let name = text.find(ends_name).unwrap_or(text.len());
        let (opening, rest) = text.split_at(name);
        Ok(format!("{opening}{added}{rest}"))
    }
}

fn push_attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    escape(out, value, true);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: (&str, &str, &str) = ("urn:mark", "is", "true");

    /// Copies the one child of the root.
    fn copied(xml: &str) -> String {
        let mut reader = Reader::new(xml.as_bytes()).unwrap();
        reader.root().unwrap();
        let child = reader.child().unwrap().unwrap();
        let copied = reader.copy_marked(&child, MARK).unwrap();
        assert!(reader.child().unwrap().is_none(), "the root was left");
        reader.end().unwrap();
        copied
    }

    /// What a reader finds in it: namespace, name, mark, attribute `q` and text.
    fn found(xml: &str) -> (String, String, Option<String>, Option<String>, String) {
        let mut reader = Reader::new(xml.as_bytes()).unwrap();
        let root = reader.root().unwrap();
        let mark = reader.attribute_in(&root, MARK.0, MARK.1);
        let found = (
            root.namespace.to_string(),
            root.name().to_owned(),
            mark,
            root.attribute("q"),
            reader.text().unwrap().into_owned(),
        );
        reader.end().unwrap();
        found
    }

    #[test]
    fn an_element_is_taken_as_it_is() {
        let xml =
            "<a xmlns='urn:a' xmlns:m='urn:m'> <x q='1' xmlns:m='urn:n'>\r\n&lt;<m:y/></x></a>";
        let mut reader = Reader::new(xml.as_bytes()).unwrap();
        reader.root().unwrap();
        let child = reader.child().unwrap().unwrap();
        let expected = "<x xmlns=\"urn:a\" q='1' xmlns:m='urn:n'>\r\n&lt;<m:y/></x>";
        assert_eq!(reader.copy(&child).unwrap(), expected);
        assert!(reader.child().unwrap().is_none());
    }

    #[test]
    fn an_element_means_the_same_elsewhere() {
        for xml in [
            "<r xmlns='urn:a' xmlns:m='urn:mark'> <x q='1'>&lt;t</x> </r>",
            "<r xmlns:b='urn:a'><b:x q='1'>&lt;t</b:x></r>",
            "<r xmlns:b='urn:b' xmlns:m='urn:other'><b:x q='1' xmlns:b='urn:a'\n>&lt;t</b:x></r>",
            "<r xmlns:p0='urn:a'><p0:x m:is='true' q='1' xmlns:m='urn:mark'>&lt;t</p0:x></r>",
        ] {
            let (namespace, name, mark, attribute, text) = found(&copied(xml));
            assert_eq!((&*namespace, &*name, &*text), ("urn:a", "x", "<t"), "{xml}");
            assert_eq!(mark.as_deref(), Some("true"), "{xml}");
            assert_eq!(attribute.as_deref(), Some("1"), "{xml}");
        }
        assert_eq!(
            copied("<r><x/></r>"),
            "<x xmlns:p0=\"urn:mark\" p0:is=\"true\"/>"
        );
        assert_eq!(
            copied("<r xmlns:m='urn:mark'><x><y>z</y></x></r>"),
            "<x xmlns:m=\"urn:mark\" m:is=\"true\"><y>z</y></x>"
        );
    }
}
