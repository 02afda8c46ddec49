//! The messages of ITI-52 on the wire.

use super::{AdhocQuery, Filter, Subscribe, SubscribeResponse, TerminationTime};
use crate::soap::QName;
use crate::wsn::{EndpointReference, TopicExpression, write_reference};
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

impl FromXml for Subscribe {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::WSNT, "Subscribe") {
            return Err(reader.unexpected(element, "wsnt:Subscribe"));
        }
        let mut subscribe = Self::default();
        let mut consumer = None;
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::WSNT, "ConsumerReference") if consumer.is_none() => {
                    consumer = Some(EndpointReference::read(reader)?);
                }
                (ns::WSNT, "Filter") => subscribe.filter = Filter::read(reader)?,
                (ns::WSNT, "InitialTerminationTime") => {
                    subscribe.initial_termination_time = Some(read_time(reader, &child)?);
                }
                (ns::WSNT, "SubscriptionPolicy") => {
                    while let Some(policy) = reader.child()? {
                        subscribe.policies.push(named(&policy));
                        reader.skip()?;
                    }
                }
                // The schema allows anything more of other namespaces.
                (ns::WSNT, _) => {
                    return Err(reader.unexpected(&child, "a part of wsnt:Subscribe"));
                }
                _ => reader.skip()?,
            }
        }
        subscribe.consumer =
            consumer.ok_or_else(|| reader.error("wsnt:Subscribe has no wsnt:ConsumerReference"))?;
        Ok(subscribe)
    }
}

impl Filter {
    /// Reads the filter, whose start was just read.
    fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut filter = Self::default();
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::WSNT, "TopicExpression") => {
                    filter.topics.push(TopicExpression::read(reader, &child)?);
                }
                (ns::RIM, "AdhocQuery") => {
                    filter.queries.push(AdhocQuery::from_xml(reader, &child)?);
                }
                _ => {
                    filter.others.push(named(&child));
                    reader.skip()?;
                }
            }
        }
        Ok(filter)
    }
}

fn read_time(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<TerminationTime, XmlError> {
    let nil = reader.attribute_in(element, ns::XSI, "nil");
    let text = reader.token()?;
    Ok(match nil.as_deref().map(str::trim) {
        Some("true" | "1") => TerminationTime::Never,
        _ => TerminationTime::At(text),
    })
}

fn named(element: &Element<'_>) -> QName {
    QName {
        namespace: element.namespace.to_string(),
        name: element.name().to_owned(),
    }
}

impl ToXml for Subscribe {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("wsnt:Subscribe")
            .attribute("xmlns:wsnt", ns::WSNT)
            .attribute("xmlns:wsa", ns::WSA)
            .attribute("xmlns:rim", ns::RIM);
        write_reference(writer, "wsnt:ConsumerReference", &self.consumer.address);
        writer.open("wsnt:Filter");
        for topic in &self.filter.topics {
            topic.write(writer, "wsnt:TopicExpression");
        }
        for query in &self.filter.queries {
            query.to_xml(writer);
        }
        write_empty(writer, &self.filter.others);
        writer.close("wsnt:Filter");
        match &self.initial_termination_time {
            None => {}
            Some(TerminationTime::At(text)) => {
                writer.element("wsnt:InitialTerminationTime", text);
            }
            Some(TerminationTime::Never) => {
                writer
                    .open("wsnt:InitialTerminationTime")
                    .attribute("xmlns:xsi", ns::XSI)
                    .attribute("xsi:nil", "true")
                    .close("wsnt:InitialTerminationTime");
            }
        }
        if !self.policies.is_empty() {
            writer.open("wsnt:SubscriptionPolicy");
            write_empty(writer, &self.policies);
            writer.close("wsnt:SubscriptionPolicy");
        }
        writer.close("wsnt:Subscribe");
    }
}

/// Elements that are known by their names only.
fn write_empty(writer: &mut Writer, names: &[QName]) {
    for name in names {
        let element = format!("o:{}", name.name);
        writer
            .open(&element)
            .attribute("xmlns:o", &name.namespace)
            .close(&element);
    }
}

impl FromXml for SubscribeResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::WSNT, "SubscribeResponse") {
            return Err(reader.unexpected(element, "wsnt:SubscribeResponse"));
        }
        let mut subscription = None;
        let (mut current_time, mut termination_time) = (None, None);
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::WSNT, "SubscriptionReference") => {
                    subscription = Some(EndpointReference::read(reader)?.address);
                }
                (ns::WSNT, "CurrentTime") => current_time = said(reader.token()?),
                (ns::WSNT, "TerminationTime") => termination_time = said(reader.token()?),
                _ => reader.skip()?,
            }
        }
        let subscription = subscription.ok_or_else(|| {
            reader.error("wsnt:SubscribeResponse has no wsnt:SubscriptionReference")
        })?;
        Ok(Self {
            subscription,
            current_time,
            termination_time,
        })
    }
}

/// A time that is nil has no text.
fn said(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

impl ToXml for SubscribeResponse {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("wsnt:SubscribeResponse")
            .attribute("xmlns:wsnt", ns::WSNT)
            .attribute("xmlns:wsa", ns::WSA);
        write_reference(writer, "wsnt:SubscriptionReference", &self.subscription);
        for (element, time) in [
            ("wsnt:CurrentTime", &self.current_time),
            ("wsnt:TerminationTime", &self.termination_time),
        ] {
            if let Some(time) = time {
                writer.element(element, time);
            }
        }
        writer.close("wsnt:SubscribeResponse");
    }
}
