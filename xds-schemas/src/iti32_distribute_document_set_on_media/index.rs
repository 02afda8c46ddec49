//! `INDEX.HTM` (ITI TF-2 3.32.4.1.2.2): what is on a medium, for people with a browser.
//!
//! XHTML Basic has no style sheets of its own and no head or body of tables, so the page is plain
//! on purpose. <https://www.w3.org/TR/2000/REC-xhtml-basic-20001219/>

use super::{Creator, README, ROOT};
use crate::ebrim::InternationalString;
use crate::metadata::{
    Author, Code, DocumentEntry, PatientId, Submission, SubmissionSet, Timestamp,
};
use crate::xml::Writer;

/// A submission set on a medium.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Its directory below [`ROOT`].
    pub directory: &'a str,
    /// What is in it. Each entry says by its URI where its document is.
    pub submission: &'a Submission,
}

/// `INDEX.HTM`.
pub fn index(creator: &Creator, made: &Timestamp, listed: &[Listed<'_>]) -> String {
    let mut page = Page(Writer::with_capacity(8 * 1024));
    page.0.raw(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML Basic 1.0//EN\" \
         \"http://www.w3.org/TR/xhtml-basic/xhtml-basic10.dtd\">\n",
    );
    page.0
        .open("html")
        .attribute("xmlns", "http://www.w3.org/1999/xhtml")
        .attribute("xml:lang", "en");
    page.0.open("head");
    page.0
        .open("meta")
        .attribute("http-equiv", "Content-Type")
        .attribute("content", "text/html; charset=UTF-8")
        .close("meta");
    page.0.element("title", "Medical documents").close("head");
    page.0.open("body");
    page.header(creator, made);
    for listed in listed {
        page.submission_set(listed);
    }
    page.text("h2", "Other content");
    page.text(
        "p",
        "There is nothing on this medium that a Portable Media Importer cannot take over.",
    );
    page.0.close("body").close("html");
    let mut xhtml = page.0.finish();
    xhtml.push('\n');
    xhtml
}

struct Page(Writer);

impl Page {
    fn text(&mut self, element: &str, text: &str) {
        self.0.element(element, text);
    }

    fn link(&mut self, to: &str, text: &str) {
        self.0.open("a").attribute("href", to).text(text).close("a");
    }

    fn header(&mut self, creator: &Creator, made: &Timestamp) {
        self.text("h1", "Medical documents");
        self.text(
            "p",
            &format!("Made by {} on {}.", creator.institution, readable(made)),
        );
        if let Some(contact) = &creator.contact {
            self.text("p", &format!("Contact: {contact}"));
        }
        self.text(
            "p",
            "These documents are confidential. They are meant for the patients named here and for \
             those who care for them.",
        );
        self.0.open("p").text("How this medium is laid out: ");
        self.link(README, README);
        self.0.close("p");
    }

    fn submission_set(&mut self, listed: &Listed<'_>) {
        let set = &listed.submission.submission_set;
        let title = text_of(set.title.as_ref());
        let title = title.unwrap_or("Documents that were submitted together");
        self.text("h2", title);
        self.0.open("dl");
        for (term, value) in about(set, listed.submission) {
            self.text("dt", term);
            self.text("dd", &value);
        }
        self.0.close("dl");
        self.0.open("table").open("tr");
        for head in ["Document", "Kind", "Made", "By", "Type", "Bytes"] {
            self.text("th", head);
        }
        self.0.close("tr");
        for entry in &listed.submission.document_entries {
            self.document(listed.directory, entry);
        }
        self.0.close("table");
    }

    fn document(&mut self, directory: &str, entry: &DocumentEntry) {
        let uri = entry.uri.as_deref().unwrap_or_default();
        let title = text_of(entry.title.as_ref());
        self.0.open("tr").open("td");
        self.link(&format!("{ROOT}/{directory}/{uri}"), title.unwrap_or(uri));
        self.0.close("td");
        let kind = entry.type_code.as_ref().or(entry.class_code.as_ref());
        let made = entry.creation_time.as_ref().map(readable);
        let size = entry.size.map(|size| size.to_string());
        for cell in [
            kind.map(display).unwrap_or_default(),
            made.unwrap_or_default(),
            authors(&entry.authors),
            entry.mime_type.clone(),
            size.unwrap_or_default(),
        ] {
            self.text("td", &cell);
        }
        self.0.close("tr");
    }
}

/// Patient, demographics and source facility.
fn about(set: &SubmissionSet, submission: &Submission) -> Vec<(&'static str, String)> {
    let entries = &submission.document_entries;
    let patient = set.patient_id.as_ref();
    let patient = patient.or_else(|| entries.iter().find_map(|entry| entry.patient_id.as_ref()));
    let field = |name: &str| {
        let mut values = entries.iter().flat_map(|entry| &entry.source_patient_info);
        let value = values.find_map(|value| value.strip_prefix(name)?.strip_prefix('|'));
        value.unwrap_or_default().to_owned()
    };
    let content = set.content_type_code.as_ref();
    let lines = [
        ("Patient", person(&field("PID-5"))),
        ("Patient ID", patient.map(patient_id).unwrap_or_default()),
        (
            "Birth date",
            Timestamp::parse(&field("PID-7"))
                .map_or_else(|_| String::new(), |time| readable(&time)),
        ),
        ("Sex", field("PID-8")),
        ("Submitted by", authors(&set.authors)),
        (
            "Submitted on",
            set.submission_time
                .as_ref()
                .map(readable)
                .unwrap_or_default(),
        ),
        ("Content", content.map(display).unwrap_or_default()),
        ("Source", set.source_id.clone()),
        (
            "Comments",
            text_of(set.comments.as_ref())
                .unwrap_or_default()
                .to_owned(),
        ),
    ];
    lines
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn patient_id(patient: &PatientId) -> String {
    format!("{} of {}", patient.id, patient.authority)
}

fn text_of(text: Option<&InternationalString>) -> Option<&str> {
    text.and_then(InternationalString::first)
        .filter(|text| !text.trim().is_empty())
}

fn display(code: &Code) -> String {
    let display = code.display.first().filter(|display| !display.is_empty());
    display.unwrap_or(&code.code).to_owned()
}

/// Persons and institutions.
fn authors(authors: &[Author]) -> String {
    let mut names = Vec::new();
    for author in authors {
        // XCN: the ID, then the name as XPN has it.
        let name = author.person.as_deref().map(|xcn| {
            let (id, name) = xcn.split_once('^').unwrap_or((xcn, ""));
            let name = person(name);
            if name.is_empty() { id.to_owned() } else { name }
        });
        names.extend(name.filter(|name| !name.is_empty()));
        let institutions = author.institutions.iter();
        names.extend(institutions.map(|xon| xon.split('^').next().unwrap_or_default().to_owned()));
    }
    names.dedup();
    names.join(", ")
}

/// An XPN as people write it: prefix, given names, family name, suffix.
fn person(xpn: &str) -> String {
    let parts: Vec<&str> = xpn.split('^').collect();
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    let order = [part(4), part(1), part(2), part(0), part(3)];
    let words: Vec<&str> = order.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// `20261125093000` as `2026-11-25 09:30:00 UTC`, as far as it goes.
fn readable(time: &Timestamp) -> String {
    let mut shown = String::new();
    for (at, digit) in time.as_str().chars().enumerate() {
        match at {
            4 | 6 => shown.push('-'),
            8 => shown.push(' '),
            10 | 12 => shown.push(':'),
            _ => {}
        }
        shown.push(digit);
    }
    if time.as_str().len() > 8 {
        shown.push_str(" UTC");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creator() -> Creator {
        Creator {
            institution: "A <Clinic> & \"Friends\"".to_owned(),
            contact: Some("<script>alert(1)</script>".to_owned()),
            application: "Program".to_owned(),
            vendor: "nobody".to_owned(),
        }
    }

    fn submission() -> Submission {
        let mut set = SubmissionSet::new("set", "1.2", "1.3");
        set.patient_id = Some(PatientId::new("P<1>", "1.4"));
        set.submission_time = Timestamp::parse("20261125093000").ok();
        let mut submission = Submission::new(set);
        let mut entry = DocumentEntry::new("a", "1.5", "text/plain");
        entry.title = Some(InternationalString::of("</td><img src=x onerror=y>"));
        entry.uri = Some("DOC00001.TXT".to_owned());
        entry.source_patient_info = vec![
            "PID-5|Doe^Jane^^^Dr".to_owned(),
            "PID-7|19500229".to_owned(),
            "PID-8|F".to_owned(),
        ];
        let author = Author {
            person: Some("7^Welby^Marcus".to_owned()),
            ..Author::default()
        };
        entry.authors = vec![author];
        submission.add_document(entry);
        submission
    }

    /// Every text is escaped: the page is well-formed, and what is in it are our own elements.
    #[test]
    fn the_page_is_ours_whatever_is_said_of_documents() {
        let submission = submission();
        let listed = Listed {
            directory: "SUBSET01",
            submission: &submission,
        };
        let page = index(&creator(), &Timestamp::from_unix(0), &[listed]);
        let (_, xhtml) = page.split_once(".dtd\">").unwrap();
        let tags = xhtml
            .split('<')
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap());
        let mut open = Vec::new();
        let mut names = Vec::new();
        let mut links = Vec::new();
        for tag in tags {
            let name = tag.trim_matches('/').split(' ').next().unwrap();
            names.push(name);
            let link = tag.split_once("href=\"").map(|(_, link)| link);
            links.extend(link.and_then(|link| link.strip_suffix('"')));
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
        // Modules of XHTML Basic: structure, text, hypertext, list, basic tables, metainformation.
        let basic = [
            "html", "head", "meta", "title", "body", "h1", "h2", "p", "a", "dl", "dt", "dd",
            "table", "tr", "th", "td",
        ];
        for name in &names {
            assert!(basic.contains(name), "{name}");
        }
        assert_eq!(links, ["README.TXT", "IHE_XDM/SUBSET01/DOC00001.TXT"]);
        for said in [
            "Dr Jane Doe",
            "P&lt;1&gt; of 1.4",
            "1950-02-29",
            "Marcus Welby",
            "2026-11-25 09:30:00 UTC",
        ] {
            assert!(page.contains(said), "{said}: {page}");
        }
    }
}
