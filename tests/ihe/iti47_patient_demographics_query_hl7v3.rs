//! ITI-47 over SOAP, in messages as others write them, and on the command line.

use hilum_tests::words::{self, PATIENT_AUTHORITY};
use hilum_tests::{Setup, Town, feed, raw};
use xds_schemas::hl7v3::Found;
use xds_schemas::hl7v3::find_candidates::FindCandidatesResponse;
use xds_schemas::soap::{self, BodyOrFault};

/// A node that keeps what feeds say of patients.
pub(crate) fn town() -> Town {
    Town::found(Setup {
        plain: true,
        environment: vec![("HILUM_REGISTRY__DEMOGRAPHICS".to_owned(), "true".to_owned())],
        // The command records what it asks, too.
        uncounted: true,
        ..Setup::default()
    })
}

/// Says who P-1 is, with an identifier in another domain.
pub(crate) async fn announce(town: &Town) {
    let mut source = feed::Source::of(town).await;
    let known = feed::add("A04", "P-1").replace("^^^HOSPITAL~", "^^^&1.2.3.77&ISO~");
    assert_eq!(source.tell(&known).await.code, "AA");
}

/// The wrappers of a question, as others write them.
pub(crate) fn question(interaction: &str, parameters: &str) -> String {
    let trigger = interaction.replace("_IN", "_TE");
    format!(
        r#"<h:{interaction} xmlns:h="urn:hl7-org:v3" ITSVersion="XML_1.0">
        <h:id root="2.16.840.1.113883.3.933.1" extension="Q-1"/><h:creationTime value="20260101120000"/>
        <h:interactionId root="2.16.840.1.113883.1.6" extension="{interaction}"/>
        <h:processingCode code="P"/><h:processingModeCode code="T"/><h:acceptAckCode code="AL"/>
        <h:receiver typeCode="RCV"><h:device classCode="DEV" determinerCode="INSTANCE"><h:id root="1.2.840.1"/></h:device></h:receiver>
        <h:sender typeCode="SND"><h:device classCode="DEV" determinerCode="INSTANCE"><h:id root="1.2.840.2"/></h:device></h:sender>
        <h:controlActProcess classCode="CACT" moodCode="EVN"><h:code code="{trigger}" codeSystem="2.16.840.1.113883.1.6"/>
        <h:queryByParameter><h:queryId root="1.2.840.3" extension="18204"/><h:statusCode code="new"/>
        <h:responseModalityCode code="R"/><h:responsePriorityCode code="I"/>
        <h:parameterList>{parameters}</h:parameterList></h:queryByParameter></h:controlActProcess></h:{interaction}>"#
    )
}

fn ask(town: &Town, parameters: &str) -> FindCandidatesResponse {
    let interaction = "PRPA_IN201305UV02";
    let action = format!("urn:hl7-org:v3:{interaction}");
    let envelope = words::envelope(&action, &question(interaction, parameters));
    let answer = raw::soap(town.port(1), "/registry", &envelope);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("urn:hl7-org:v3:PRPA_IN201306UV02"));
    match soap::read_answer::<FindCandidatesResponse>(answer.text().as_bytes()) {
        Ok(BodyOrFault::Body(response)) => response,
        other => panic!("{other:?}: {}", answer.text()),
    }
}

/// ITI TF-2 3.47.4.2.3.
#[tokio::test]
async fn patients_are_found() {
    let town = town();
    announce(&town).await;
    let name = "<h:livingSubjectName><h:value><h:given>JANE</h:given><h:family>Doe</h:family></h:value>\
                <h:semanticsText>LivingSubject.name</h:semanticsText></h:livingSubjectName>";
    let birth = "<h:livingSubjectBirthTime><h:value value=\"19700101120000-0500\"/>\
                 <h:semanticsText>LivingSubject..birthTime</h:semanticsText></h:livingSubjectBirthTime>";
    let answer = ask(&town, &format!("{birth}{name}"));
    let [jane] = answer.candidates.as_slice() else {
        panic!("{answer:?}");
    };
    assert_eq!(answer.found, Found::Data);
    assert_eq!(
        (jane.ids[0].id.as_str(), jane.ids[0].authority.as_str()),
        ("P-1", PATIENT_AUTHORITY)
    );
    assert_eq!(jane.person.ids_of("1.2.3.77").count(), 1);
    assert_eq!(jane.degree, Some(80));
    assert_eq!(answer.query.id.extension.as_deref(), Some("18204"));
    let nobody = ask(&town, &name.replace("Doe", "Roe"));
    assert_eq!((nobody.found, nobody.candidates.len()), (Found::Nothing, 0));
    let records = town.messages();
    let queries: Vec<_> = records
        .iter()
        .filter(|it| it.contains(r#"csd-code="ITI-47""#))
        .collect();
    assert_eq!(queries.len(), 2, "{records:?}");
}

/// A birth that is no date is said to be none.
#[tokio::test]
async fn what_is_no_date_is_refused() {
    let town = town();
    announce(&town).await;
    for value in [
        r#"<h:value value="19739999"/>"#,
        r#"<h:value><h:low value="01.01.1973"/></h:value>"#,
    ] {
        let born = format!("<h:livingSubjectBirthTime>{value}</h:livingSubjectBirthTime>");
        let name = "<h:livingSubjectName><h:value><h:family>Doe</h:family></h:value></h:livingSubjectName>";
        let response = ask(&town, &format!("{born}{name}"));
        assert!(response.candidates.is_empty());
        let told = response.acknowledgement.details[0].text.clone().unwrap();
        assert!(
            told.contains("LivingSubjectBirthTime is not a date"),
            "{told}"
        );
    }
}

/// What the command says, and how it ends.
#[tokio::test]
async fn the_command_finds_patients() {
    let town = town();
    announce(&town).await;
    let run = |arguments: &[&str]| {
        let output = town.run(&[&["patients"][..], arguments].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said, error)
    };
    let (status, said, error) = run(&["--family", "doe", "--birth-date", "1970"]);
    assert_eq!(status, Some(0), "{error}");
    assert!(
        said.contains("P-1") && said.contains("1970-01-01") && said.contains("Jane Doe"),
        "{said}"
    );
    let (status, said, error) = run(&["--id", "L-P-1^^^&1.2.3.77&ISO", "--json"]);
    assert_eq!(status, Some(0), "{error}");
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        json["patients"][0]["person"]["names"][0]["family"][0],
        "Doe"
    );
    assert_eq!(json["total"], 1);
    let (status, said, error) = run(&["--identifiers", "P-1"]);
    assert_eq!(status, Some(0), "{error}");
    assert!(
        said.contains("L-P-1") && said.contains("1.2.3.77"),
        "{said}"
    );
    let (status, _, error) = run(&["--identifiers", "P-9"]);
    assert_eq!(status, Some(1), "{error}");
    assert!(error.contains("not known"), "{error}");
    let (status, _, error) = run(&["--domain", "1.2.3"]);
    assert_eq!(status, Some(2), "{error}");
    // What would fit everybody is refused.
    for name in ["-", ".", "%", "***"] {
        for how in [&["--family", name][..], &["--family", name, "--search"]] {
            let (status, said, error) = run(how);
            assert_eq!((status, said.as_str()), (Some(1), ""), "{name}: {error}");
            assert!(error.contains("nothing to find by"), "{error}");
        }
    }
    let (status, said, error) = run(&["--family", "Nobody"]);
    assert_eq!((status, said.as_str()), (Some(0), ""), "{error}");
}
