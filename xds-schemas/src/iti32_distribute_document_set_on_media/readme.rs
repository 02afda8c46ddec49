//! `README.TXT` (ITI TF-2 3.32.4.1.2.2): for whoever has a medium and trouble with it.

/// Columns of a line, so that every viewer shows it whole.
const COLUMNS: usize = 72;

/// Who makes a medium, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creator {
    /// The institution.
    pub institution: String,
    /// How to reach it: address, telephone, e-mail.
    pub contact: Option<String>,
    /// The program, and its version.
    pub application: String,
    /// How to reach those who make the program.
    pub vendor: String,
}

/// `README.TXT`. It says nothing of patients, so that it may be the same on every medium.
pub fn readme(creator: &Creator) -> String {
    let none = "none was given; ask the institution";
    let contact = creator.contact.as_deref().unwrap_or(none);
    let paragraphs = [
        "MEDICAL DOCUMENTS".to_owned(),
        "This medium holds medical documents of patients. If you have found it, please give it \
         back to the institution that made it."
            .to_owned(),
        format!("Institution: {}", creator.institution),
        format!("Contact: {contact}"),
        format!("Made with: {}", creator.application),
        format!("Contact of the vendor: {}", creator.vendor),
        "HOW IT IS LAID OUT".to_owned(),
        "Open INDEX.HTM in a browser: it lists what is here, with a link to each document."
            .to_owned(),
        "The directory IHE_XDM is laid out as the profile Cross-enterprise Document Media \
         Interchange (XDM) of IHE IT Infrastructure says, transaction ITI-32. It has one directory \
         for each submission set; in it, METADATA.XML describes the documents, which lie beside \
         it. Systems with a Portable Media Importer can take them over."
            .to_owned(),
        "No viewer is on this medium, and nothing starts by itself. The documents are shown by \
         the programs of your own computer."
            .to_owned(),
    ];
    let mut text = String::new();
    for paragraph in paragraphs {
        wrap(&mut text, &paragraph);
        text.push_str("\r\n");
    }
    text
}

/// Writes a paragraph in lines that end as those of every system do.
fn wrap(out: &mut String, paragraph: &str) {
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > COLUMNS {
            out.push_str("\r\n");
            column = 0;
        }
        if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ITI TF-2 3.32.4.1.2.2: what README.TXT shall contain.
    #[test]
    fn it_says_who_made_the_medium_and_how_it_is_laid_out() {
        let creator = Creator {
            institution: "Hôpital\r\nGénéral".to_owned(),
            contact: Some("+1 555 0100".to_owned()),
            application: "Program 1.2".to_owned(),
            vendor: "somebody".to_owned(),
        };
        let text = readme(&creator);
        for said in [
            "Hôpital Général",
            "+1 555 0100",
            "Program 1.2",
            "somebody",
            "METADATA.XML",
        ] {
            assert!(text.contains(said), "{text}");
        }
        for line in text.split("\r\n") {
            assert!(
                line.chars().count() <= COLUMNS && !line.contains(['\r', '\n']),
                "{line}"
            );
        }
    }
}
