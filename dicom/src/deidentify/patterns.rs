//! What in a text looks as if it named somebody: found by its form, where no word list can help.

use super::identity::tidy;

/// Words after which a name follows.
const TITLES: [&str; 24] = [
    "dr",
    "dra",
    "prof",
    "professor",
    "doctor",
    "doktor",
    "mr",
    "mrs",
    "ms",
    "miss",
    "mister",
    "herr",
    "herrn",
    "frau",
    "mme",
    "mlle",
    "monsieur",
    "madame",
    "signor",
    "signora",
    "sr",
    "sra",
    "sir",
    "nurse",
];
/// Words after which, with a colon, an identity follows.
const LABELS: [&str; 30] = [
    "name",
    "patient",
    "pat",
    "pt",
    "mrn",
    "id",
    "pid",
    "ssn",
    "dob",
    "born",
    "birth",
    "birthdate",
    "accession",
    "acc",
    "phone",
    "tel",
    "fax",
    "mobile",
    "email",
    "mail",
    "address",
    "physician",
    "radiologist",
    "operator",
    "tech",
    "technologist",
    "referred",
    "by",
    "contact",
    "insurance",
];
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
/// So many digits in a row are a number by which somebody or something is known.
const TELLING_DIGITS: usize = 6;

/// The text without names behind titles and labels, dates, long numbers, telephone numbers, UIDs and
/// addresses. It rather takes too much.
pub(super) fn without_identifiers(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let mut kept = Vec::with_capacity(words.len());
        let mut at = 0;
        while at < words.len() {
            match telling(&words[at..]) {
                0 => {
                    kept.push(words[at]);
                    at += 1;
                }
                count => at += count,
            }
        }
        if kept.len() == words.len() {
            line.to_owned()
        } else {
            tidy(&kept.join(" "))
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How many of the next words tell an identity.
fn telling(words: &[&str]) -> usize {
    let word = bare(words[0]);
    let lower = word.to_lowercase();
    if is_address(&lower) || is_date(word) || is_number(word) {
        return 1;
    }
    if TITLES.contains(&lower.as_str()) {
        let names = names(&words[1..], 3);
        return if names > 0 { names + 1 } else { 0 };
    }
    if LABELS.contains(&lower.as_str()) && words[0].ends_with([':', '=', '#']) {
        return 1 + names(&words[1..], 4).max(usize::from(words.len() > 1));
    }
    if let Some((label, value)) = word.split_once([':', '=', '#'])
        && LABELS.contains(&label.to_lowercase().as_str())
        && !value.is_empty()
    {
        return 1 + names(&words[1..], 2);
    }
    written_date(words).max(spaced_number(words))
}

/// Words in capitals or with one, up to the first of another kind.
fn names(words: &[&str], most: usize) -> usize {
    let named = words.iter().take(most).take_while(|word| {
        let word = bare(word);
        word.chars().next().is_some_and(char::is_uppercase)
            && !word.chars().any(|c| c.is_ascii_digit())
    });
    named.count()
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric() && c != '+')
}

fn is_address(word: &str) -> bool {
    let mail = word
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    mail || word.contains("://") || word.starts_with("www.")
}

/// Groups of digits with one kind of separator that can be a day, a month and a year.
fn is_date(word: &str) -> bool {
    ['.', '/', '-'].into_iter().any(|separator| {
        let parts: Vec<&str> = word.split(separator).collect();
        let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        let shaped = matches!(
            lengths.as_slice(),
            [1 | 2, 1 | 2, 2 | 4] | [4, 1 | 2, 1 | 2]
        );
        let month = |part: &&str| is_month(part);
        // 1.2.3 is a version; a date has a year of four digits or two of everything.
        let versioned = separator == '.' && matches!(lengths.as_slice(), [1, 1, _]);
        (shaped && parts.iter().all(digits) && !versioned)
            || (parts.len() == 3
                && parts.iter().any(month)
                && parts.iter().filter(|part| digits(part)).count() == 2)
    })
}

/// Many digits in a row, or in groups that hyphens, points or slashes join.
fn is_number(word: &str) -> bool {
    let mut run = 0;
    let mut longest = 0;
    for byte in word.bytes() {
        run = if byte.is_ascii_digit() { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let grouped = word
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"-/.()+".contains(&byte));
    let groups = word
        .split(|c: char| !c.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .count();
    // 0.9765625 is a measurement.
    let decimal = groups == 2
        && word.matches('.').count() == 1
        && grouped
        && !word.contains(['-', '/', '(', '+']);
    (longest >= TELLING_DIGITS && !decimal)
        || (grouped && groups >= 2 && digits >= 7 && !decimal)
        || (word.starts_with('+') && digits >= 7)
}

/// "12 Mar 1961", "March 12, 1961", "Mar 1961".
fn written_date(words: &[&str]) -> usize {
    let number = |word: &&str, most: usize| {
        let word = bare(word);
        let word = word
            .strip_suffix("th")
            .or_else(|| word.strip_suffix("st"))
            .unwrap_or(word);
        !word.is_empty() && word.len() <= most && word.bytes().all(|byte| byte.is_ascii_digit())
    };
    let year = |word: &&str| bare(word).len() == 4 && number(word, 4);
    let month = |word: &&str| is_month(bare(word));
    match words {
        [day, m, y, ..] if number(day, 4) && month(m) && number(y, 4) => 3,
        [m, day, y, ..] if month(m) && number(day, 4) && year(y) => 3,
        [m, y, ..] if month(m) && year(y) => 2,
        [day, m, ..] if number(day, 2) && month(m) => 2,
        _ => 0,
    }
}

fn is_month(word: &str) -> bool {
    let lower = word.to_lowercase();
    let known = [
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "sept",
        "october",
        "november",
        "december",
        "januar",
        "februar",
        "märz",
        "mai",
        "juni",
        "juli",
        "oktober",
        "dezember",
        "okt",
        "dez",
    ];
    MONTHS.contains(&lower.as_str()) || known.contains(&lower.as_str())
}

/// A telephone number or number of an insurance in groups: "+49 30 123 4567", "(030) 1234 567".
fn spaced_number(words: &[&str]) -> usize {
    let group = |word: &&&str| {
        let word = word.trim_end_matches([',', ';', '.']);
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"-/()+".contains(&byte))
    };
    let groups: Vec<&str> = words.iter().take_while(group).copied().collect();
    let digits: usize = groups
        .iter()
        .map(|word| word.bytes().filter(u8::is_ascii_digit).count())
        .sum();
    let first = groups.first();
    let dialled = first.is_some_and(|first| first.starts_with(['+', '(', '0']) && first.len() > 1);
    if dialled && groups.len() >= 2 && digits >= 7 {
        groups.len()
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_an_identity_goes() {
        for (text, left) in [
            (
                "seen by Dr. Anne Miller for follow-up",
                "seen by for follow-up",
            ),
            ("Patient: John Q Public, chest", "chest"),
            ("MRN:471108 axial", "axial"),
            ("call +49 30 1234567 please", "call please"),
            ("call (617) 555-0142", "call"),
            ("call +49 390 1234567.", "call"),
            ("call 617-555-0142 today", "call today"),
            ("mail to anne.miller@example.org", "mail to"),
            ("see https://pacs.example.org/4711", "see"),
            ("prior 12.04.1961 and 1961-04-12", "prior and"),
            ("on 12 Mar 1961", "on"),
            ("on March 12, 1961 again", "on again"),
            ("12-Apr-2019 prior", "prior"),
            ("number 00471108", "number"),
            ("uid 1.2.840.113619.2.5.1762583153", "uid"),
        ] {
            assert_eq!(without_identifiers(text), left, "{text}");
        }
    }

    #[test]
    fn what_an_examination_says_stays() {
        for text in [
            "CT thorax without contrast",
            "T1 MPRAGE sag p2 iso 1.0 mm",
            "FOV 512 512 256 TR 5000 TE 90.5",
            "0.9765625",
            "Software VB17 1.2.3",
            "Dr",
            "10 rows of (255,0,0), 10 rows of (0,255,128)",
            "2 nodules, 12 mm and 8 mm",
            "may be normal",
            "patient in prone position",
            "  two  spaces",
        ] {
            assert_eq!(without_identifiers(text), text);
        }
    }
}
