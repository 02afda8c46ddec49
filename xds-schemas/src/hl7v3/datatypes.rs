//! Data types of HL7 v3 that say something of people: PN, AD, TEL, `IVL<TS>` (ITI TF-2 Appendix E).

use crate::metadata::Timestamp;
use crate::person::{Address, PersonName, SEARCH, Telecom, birth_time, clean, push_text};
use crate::xml::{Element, Reader, Writer, XmlError};

/// EntityNameUse, as far as the schema knows it.
const NAME_USES: [&str; 13] = [
    SEARCH, "L", "C", "A", "I", "P", "R", "S", "ABC", "SYL", "IDE", "PHON", "SNDX",
];
/// PostalAddressUse.
const ADDRESS_USES: [&str; 13] = [
    "HP", "H", "HV", "WP", "DIR", "PUB", "BAD", "TMP", "PHYS", "PST", "ABC", "SYL", "IDE",
];
/// TelecommunicationAddressUse.
const TELECOM_USES: [&str; 12] = [
    "HP", "H", "HV", "WP", "DIR", "PUB", "BAD", "TMP", "MC", "PG", "AS", "EC",
];

/// The first code of `@use` that is known. It may hold several; the first known one in the order of the
/// table counts.
fn usage(element: &Element<'_>, known: &[&str]) -> Option<String> {
    let said = element.attribute("use")?;
    let known = known
        .iter()
        .find(|code| said.split(' ').any(|one| one == **code));
    known.map(|code| (*code).to_owned())
}

/// PN or EN; without parts, if it is a null.
pub(crate) fn read_name(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
) -> Result<PersonName, XmlError> {
    let mut name = PersonName {
        usage: usage(element, &NAME_USES),
        ..PersonName::default()
    };
    let mut around = String::new();
    while let Some(part) = reader.child_in_text(&mut around)? {
        let parts = match part.name() {
            "family" => &mut name.family,
            "given" => &mut name.given,
            "prefix" => &mut name.prefix,
            "suffix" => &mut name.suffix,
            _ => {
                reader.skip()?;
                continue;
            }
        };
        push_text(parts, &reader.text()?);
    }
    if name.is_empty() {
        name.text = clean(&around);
    }
    Ok(name)
}

/// Writes a name as the element `element`; one without parts as a null.
pub(crate) fn write_name(writer: &mut Writer, element: &str, name: &PersonName) {
    writer.open(element).optional("use", name.usage.as_deref());
    if name.is_empty() {
        writer.attribute("nullFlavor", "NASK").close(element);
        return;
    }
    for (part, values) in [
        ("prefix", &name.prefix),
        ("given", &name.given),
        ("family", &name.family),
        ("suffix", &name.suffix),
    ] {
        for value in values {
            writer.element(part, value);
        }
    }
    if let Some(text) = &name.text {
        writer.text(text);
    }
    writer.close(element);
}

/// AD. Street and house number become a line.
pub(crate) fn read_address(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
) -> Result<Address, XmlError> {
    let mut address = Address {
        usage: usage(element, &ADDRESS_USES),
        ..Address::default()
    };
    let (mut street, mut number) = (Vec::new(), Vec::new());
    let mut around = String::new();
    while let Some(part) = reader.child_in_text(&mut around)? {
        let one = match part.name() {
            "streetAddressLine" | "deliveryAddressLine" | "additionalLocator" => {
                push_text(&mut address.lines, &reader.text()?);
                continue;
            }
            "streetName" => {
                push_text(&mut street, &reader.text()?);
                continue;
            }
            "houseNumber" => {
                push_text(&mut number, &reader.text()?);
                continue;
            }
            "city" => &mut address.city,
            "state" => &mut address.state,
            "postalCode" => &mut address.postal_code,
            "country" => &mut address.country,
            _ => {
                reader.skip()?;
                continue;
            }
        };
        *one = clean(&reader.text()?);
    }
    street.append(&mut number);
    push_text(&mut address.lines, &street.join(" "));
    if address.is_empty() {
        address.text = clean(&around);
    }
    Ok(address)
}

/// Writes an address as the element `element`.
pub(crate) fn write_address(writer: &mut Writer, element: &str, address: &Address) {
    writer
        .open(element)
        .optional("use", address.usage.as_deref());
    for line in &address.lines {
        writer.element("streetAddressLine", line);
    }
    for (part, value) in [
        ("city", &address.city),
        ("state", &address.state),
        ("postalCode", &address.postal_code),
        ("country", &address.country),
    ] {
        if let Some(value) = value {
            writer.element(part, value);
        }
    }
    if let Some(text) = &address.text {
        writer.text(text);
    }
    writer.close(element);
}

/// TEL, if it has a value.
pub(crate) fn read_telecom(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
) -> Result<Option<Telecom>, XmlError> {
    reader.skip()?;
    let value = element.attribute("value").and_then(|value| clean(&value));
    Ok(value.map(|value| Telecom {
        value,
        usage: usage(element, &TELECOM_USES),
    }))
}

/// Writes TEL as the element `element`.
pub(crate) fn write_telecom(writer: &mut Writer, element: &str, telecom: &Telecom) {
    writer
        .open(element)
        .attribute("value", &telecom.value)
        .optional("use", telecom.usage.as_deref())
        .close(element);
}

/// The value of an attribute of an element that has nothing else of interest.
pub(crate) fn attribute(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
    name: &str,
) -> Result<Option<String>, XmlError> {
    reader.skip()?;
    Ok(element.attribute(name).and_then(|value| clean(&value)))
}

/// TS, as far as it can be understood.
pub(crate) fn read_time(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
) -> Result<Option<Timestamp>, XmlError> {
    let value = attribute(reader, element, "value")?;
    Ok(value.and_then(|value| birth_time(&value)))
}

/// Writes an element with one attribute.
pub(crate) fn write_attribute(writer: &mut Writer, element: &str, name: &str, value: &str) {
    writer.open(element).attribute(name, value).close(element);
}
