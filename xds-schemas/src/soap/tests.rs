use super::*;

const WSA: &str = "xmlns:a='http://www.w3.org/2005/08/addressing'";

struct Words(String);

impl FromXml for Words {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        assert!(element.is("urn:x", "words"));
        Ok(Self(reader.text()?.into_owned()))
    }
}

impl ToXml for Words {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("words")
            .attribute("xmlns", "urn:x")
            .text(&self.0)
            .close("words");
    }
}

fn message(header: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='{}' {WSA}><s:Header>{header}</s:Header>\
         <s:Body><words xmlns='urn:x'>hello</words></s:Body></s:Envelope>",
        ns::SOAP
    )
}

fn refused(header: &str) -> RefusedHeader {
    *read_header(message(header).as_bytes()).unwrap_err()
}

#[test]
fn reads_header_and_body() {
    let message = message(
        "<a:Action s:mustUnderstand='true'> urn:do </a:Action><a:MessageID>uuid:1</a:MessageID>\
         <a:To>http://here</a:To><a:From><a:Address>urn:me</a:Address></a:From>\
         <a:ReplyTo s:mustUnderstand='1'><a:ReferenceParameters><x xmlns='urn:y'/>\
         </a:ReferenceParameters><a:Address>http://www.w3.org/2005/08/addressing/anonymous\
         </a:Address></a:ReplyTo><a:FaultTo><a:Address>urn:f</a:Address></a:FaultTo>\
         <b:homeCommunityBlock xmlns:b='urn:ihe:iti:xdr:2014'><x/></b:homeCommunityBlock>\
         <a:RelatesTo RelationshipType='urn:other'>uuid:0</a:RelatesTo>",
    );
    let header = read_header(message.as_bytes()).unwrap();
    assert_eq!(header.action, "urn:do");
    assert_eq!(header.message_id.as_deref(), Some("uuid:1"));
    assert_eq!(header.reply_to.unwrap().address, wsa::ANONYMOUS);
    assert_eq!(header.from.as_deref(), Some("urn:me"));
    assert_eq!(header.relates_to, None);
    assert_eq!(header.fault_to.unwrap().address, "urn:f");
    assert_eq!(read_body::<Words>(message.as_bytes()).unwrap().0, "hello");
}

#[test]
fn header_blocks_that_must_be_understood_are_named() {
    let refused = refused(
        "<x:Security xmlns:x='urn:sec' s:mustUnderstand='1'/><a:MessageID>uuid:7</a:MessageID>\
         <y xmlns='urn:y' s:mustUnderstand=' true ' s:role='http://www.w3.org/2003/05/soap-envelope/role/next'/>\
         <z xmlns='urn:z' s:mustUnderstand='1' s:role='urn:somebody/else'/><a:Action>urn:do</a:Action>",
    );
    assert_eq!(refused.message_id.as_deref(), Some("uuid:7"));
    assert_eq!(refused.fault.code, FaultCode::MustUnderstand);
    let header = Header::answer(refused.fault.action(), "urn:uuid:8".into(), Some("uuid:7"));
    let xml = write_fault(&header, &refused.fault);
    assert!(
        xml.contains("<env:NotUnderstood qname=\"q:Security\" xmlns:q=\"urn:sec\"/>"),
        "{xml}"
    );
    assert!(xml.contains("qname=\"q:y\""));
    assert!(!xml.contains("q:z"));
}

#[test]
fn addressing_faults_are_those_of_the_binding() {
    let missing = refused("<a:MessageID>uuid:7</a:MessageID>").fault;
    assert!(missing.is("MessageAddressingHeaderRequired"));
    assert_eq!(missing.action(), wsa::FAULT_ACTION);
    let twice = refused("<a:Action>urn:a</a:Action><a:Action>urn:b</a:Action>").fault;
    assert!(twice.is("InvalidCardinality"));
    assert_eq!(twice.subcodes[0].name, "InvalidAddressingHeader");
    let twice = refused("<a:Action>urn:a</a:Action><a:To>b</a:To><a:To>b</a:To>").fault;
    assert_eq!(
        twice.about,
        Some(About::Header(QName {
            namespace: ns::WSA.into(),
            name: "To".into()
        }))
    );
    let nowhere = refused("<a:Action>urn:a</a:Action><a:ReplyTo/>").fault;
    assert!(nowhere.is("MissingAddressInEPR"));
    let none = read_header(
        format!("<s:Envelope xmlns:s='{}'><s:Body/></s:Envelope>", ns::SOAP).as_bytes(),
    );
    assert!(
        none.unwrap_err()
            .fault
            .is("MessageAddressingHeaderRequired")
    );

    let header = Header::answer(missing.action(), "urn:uuid:8".into(), Some("uuid:7"));
    let xml = write_fault(&header, &missing);
    assert!(xml.contains(
        "<env:Detail><wsa:ProblemHeaderQName>wsa:Action</wsa:ProblemHeaderQName></env:Detail>"
    ));
    let xml = write_fault(&header, &Fault::action_not_supported("urn:a&b"));
    assert!(xml.contains("<env:Value>wsa:ActionNotSupported</env:Value>"));
    assert!(
        xml.contains("<wsa:ProblemAction><wsa:Action>urn:a&amp;b</wsa:Action></wsa:ProblemAction>")
    );
}

#[test]
fn other_versions_of_soap_are_told_which_one_is_spoken() {
    let soap11 = format!(
        "<s:Envelope xmlns:s='{}'><s:Body/></s:Envelope>",
        ns::SOAP11
    );
    let fault = read_header(soap11.as_bytes()).unwrap_err().fault;
    assert_eq!(fault.code, FaultCode::VersionMismatch);
    let xml = write_fault(&Header::default(), &fault);
    assert!(xml.contains("<faultcode>env:VersionMismatch</faultcode>"));
    assert!(xml.contains(ns::SOAP11));
    let future = read_header(b"<Envelope xmlns='urn:soap13'/>")
        .unwrap_err()
        .fault;
    assert_eq!(
        (future.code, &future.about),
        (FaultCode::VersionMismatch, &None)
    );
    let xml = write_fault(&Header::answer("urn:a", "urn:b".into(), None), &future);
    assert!(
        xml.contains("<env:SupportedEnvelope qname=\"env:Envelope\"/>"),
        "{xml}"
    );
    let other = read_header(b"<html/>").unwrap_err().fault;
    assert_eq!(other.code, FaultCode::Sender);
}

#[test]
fn nothing_hides_behind_the_body() {
    let envelope = |inside: &str, after: &str| {
        format!(
            "<s:Envelope xmlns:s='{}'><s:Header/><s:Body>{inside}</s:Body>{after}</s:Envelope>",
            ns::SOAP
        )
    };
    let words = "<words xmlns='urn:x'>a</words>";
    let wrong = |xml: String| {
        read_body::<Words>(xml.as_bytes())
            .err()
            .map(|error| error.reason)
    };
    assert_eq!(wrong(envelope(words, " <!-- fine -->")), None);
    assert!(wrong(envelope("", "")).unwrap().contains("empty"));
    assert!(
        wrong(envelope(&words.repeat(2), ""))
            .unwrap()
            .contains("second child")
    );
    assert!(
        wrong(envelope(words, "<s:Body/>"))
            .unwrap()
            .contains("follows")
    );
    assert!(
        wrong(envelope(words, "") + "<x/>")
            .unwrap()
            .contains("second root")
    );
    assert!(
        wrong(envelope(words, "").replace("Body", "body"))
            .unwrap()
            .contains("Body")
    );
}

#[test]
fn what_is_written_is_read_again() {
    let header = Header::request("urn:do", "urn:uuid:1".into(), "https://there/x?a&b");
    let xml = write(&header, &Words("a<b".into()));
    assert_eq!(read_header(xml.as_bytes()).unwrap(), header);
    assert!(xml.contains("<wsa:Action env:mustUnderstand=\"1\">urn:do</wsa:Action>"));
    assert_eq!(read_body::<Words>(xml.as_bytes()).unwrap().0, "a<b");
    let same = write_around(&header, "<words xmlns=\"urn:x\">a&lt;b</words>");
    assert_eq!(xml, same);
    let unnamed = Header::answer("urn:done", "urn:uuid:2".into(), None);
    assert_eq!(unnamed.relates_to.as_deref(), Some(wsa::UNSPECIFIED));
}

#[test]
fn faults_are_read_again() {
    let mut fault = Fault::not_permitted("no <entry>");
    fault.subcodes.push(QName {
        namespace: ns::WSA.into(),
        name: "Deep".into(),
    });
    let header = Header::answer(fault.action(), "urn:uuid:2".into(), None);
    let xml = write_fault(&header, &fault);
    match read_answer::<Words>(xml.as_bytes()).unwrap() {
        BodyOrFault::Fault(read) => assert_eq!(read, fault),
        BodyOrFault::Body(_) => panic!("a fault was taken for an answer"),
    }
    assert_eq!(
        fault.to_string(),
        "Sender/FailedAuthentication/Deep: no <entry>"
    );
    let soap = write(&header, &Words("x".into()));
    assert!(matches!(
        read_answer::<Words>(soap.as_bytes()),
        Ok(BodyOrFault::Body(_))
    ));
}

/// WS-Addressing 1.0 SOAP Binding, section 2.3: reference parameters become header blocks of the
/// answer, which say what they are.
#[test]
fn an_answer_carries_the_reference_parameters_of_its_endpoint() {
    let asked = message(
        "<a:Action>urn:do</a:Action><a:ReplyTo xmlns:t='urn:ticket'><a:Address> http://there/x \
         </a:Address><a:ReferenceParameters><t:Number kind='t:x'>4&amp;2</t:Number>\
         <Empty xmlns='urn:e'/></a:ReferenceParameters><a:Metadata><x/></a:Metadata></a:ReplyTo>",
    );
    let asked = read_header(asked.as_bytes()).unwrap();
    let endpoint = asked.reply_to.unwrap();
    assert_eq!(endpoint.address, "http://there/x");
    let answer = Header::answer("urn:done", "urn:uuid:2".into(), Some("uuid:1")).sent_to(&endpoint);
    let xml = write(&answer, &Words("hi".into()));
    let read = read_header(xml.as_bytes()).unwrap();
    assert_eq!(read.to.as_deref(), Some("http://there/x"));
    assert_eq!(read.relates_to.as_deref(), Some("uuid:1"));
    let mut reader = Reader::new(xml.as_bytes()).unwrap();
    reader.root().unwrap();
    reader.child().unwrap();
    let mut parameters = Vec::new();
    while let Some(block) = reader.child().unwrap() {
        let marked = reader.attribute_in(&block, ns::WSA, "IsReferenceParameter");
        if marked.as_deref() == Some("true") {
            parameters.push((
                block.namespace.to_string(),
                block.name().to_owned(),
                reader.text().unwrap().into_owned(),
            ));
        } else {
            reader.skip().unwrap();
        }
    }
    let parameter = |namespace: &str, name: &str, text: &str| {
        (namespace.to_owned(), name.to_owned(), text.to_owned())
    };
    assert_eq!(
        parameters,
        [
            parameter("urn:ticket", "Number", "4&2"),
            parameter("urn:e", "Empty", "")
        ]
    );
}

#[test]
fn endpoint_references_that_cannot_be_followed_are_refused() {
    let two = "<a:Action>urn:a</a:Action><a:ReplyTo><a:Address>http://a</a:Address>\
               <a:Address>http://b</a:Address></a:ReplyTo>";
    let fault = refused(two).fault;
    assert!(fault.is("InvalidEPR"), "{fault}");
    assert_eq!(fault.subcodes[0].name, "InvalidAddressingHeader");
    let long = "x".repeat(70_000);
    let long = format!(
        "<a:Action>urn:a</a:Action><a:FaultTo><a:Address>http://a</a:Address>\
         <a:ReferenceParameters><p>{long}</p></a:ReferenceParameters></a:FaultTo>"
    );
    assert!(refused(&long).fault.is("InvalidEPR"));
}

/// ITI TF-2 3.41 and ITI-80: a submission may insist that the community is understood that it is
/// meant for; elsewhere nobody understands it.
#[test]
fn the_community_of_a_submission_is_understood() {
    let block = "<b:homeCommunityBlock xmlns:b='urn:ihe:iti:xdr:2014' s:mustUnderstand='true'>\
         <b:homeCommunityId> urn:oid:1.2.3 </b:homeCommunityId></b:homeCommunityBlock>";
    let submission = ProvideAndRegisterDocumentSet::ACTION;
    for header in [
        format!("<a:Action>{submission}</a:Action>{block}"),
        format!("{block}<a:Action>{submission}</a:Action>"),
    ] {
        let header = read_header(message(&header).as_bytes()).unwrap();
        assert_eq!(header.home_community_id.as_deref(), Some("urn:oid:1.2.3"));
        let written = write(&header, &Words("hello".to_owned()));
        assert_eq!(read_header(written.as_bytes()).unwrap(), header);
    }
    let refused = refused(&format!("{block}<a:Action>urn:do</a:Action>"));
    assert_eq!(refused.fault.code, FaultCode::MustUnderstand);
    let unsaid = block.replace(" s:mustUnderstand='true'", "");
    let header = message(&format!("{unsaid}<a:Action>urn:do</a:Action>"));
    assert!(read_header(header.as_bytes()).is_ok());
}
