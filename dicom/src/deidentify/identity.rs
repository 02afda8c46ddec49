//! The words by which an object names people and places, and their removal from text that is kept.
//!
//! An object says itself whom it is about: the values that the profile takes away are looked for in
//! all the text that it leaves.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use super::patterns;

/// Words of addresses, institutions and departments that name none.
const GENERIC: &str = "
    abteilung address admin anstalt area bldg building campus care center central centre centro
    children childrens city clinic clinica clinical clinique college county department dept diagnostic
    diagnostics district division east emergency europe faculty first floor foundation general group
    gmbh health healthcare heart hopital hospital hospitals image images imaging institut institute
    institution international klinik klinikum krankenhaus lab laboratory level main medical medicine
    memorial national north northern nuclear oncology outpatient pavilion practice praxis private
    public radiologie radiology regional research road room saint school science sciences second
    section service services south southern specialist state station street surgery system test
    trust unit university universitat universitatsklinikum west women chest head neck brain abdomen
    pelvis spine breast knee hand foot lung liver thorax none unknown other removed anonymous
    physician doctor nurse operator technician technologist name text here info number exam example
    modality ct mr us pt nm cr dr dx mg xa rf rt ob sc sr ot ax cor sag";

/// What must not be left in any text.
#[derive(Debug, Default)]
pub(super) struct Identity {
    /// Single words, folded.
    words: BTreeSet<String>,
    /// Whole values, folded: numbers, names of institutions, UIDs.
    phrases: BTreeSet<String>,
}

impl Identity {
    /// A person's name as PN writes it: every part of every spelling.
    pub(super) fn person(&mut self, name: &str) {
        let parts = name.split(|c: char| !c.is_alphanumeric());
        for part in parts {
            let folded = fold(part);
            // One letter is an initial; removing it would leave no text at all.
            if folded.chars().count() < 2 || is_generic(&folded) {
                continue;
            }
            if !part.is_ascii() {
                self.words.extend(without_umlauts(part));
            }
            self.words.insert(folded);
        }
    }

    /// An identifier, an institution, an address.
    pub(super) fn value(&mut self, value: &str) {
        let value = value.trim();
        let has_digit = value.chars().any(|c| c.is_ascii_digit());
        let folded = fold(value);
        let length = folded.chars().count();
        if is_generic(&folded) || length < if has_digit { 3 } else { 4 } {
            return;
        }
        // A short number would be found in every measurement.
        if value.chars().all(|c| c.is_ascii_digit()) && length < 4 {
            return;
        }
        for word in value.split(|c: char| !c.is_alphanumeric()) {
            let word = fold(word);
            let digits = word.chars().filter(char::is_ascii_digit).count();
            let telling = if digits > 0 {
                digits >= 4
            } else {
                word.chars().count() >= 4
            };
            if telling && !is_generic(&word) {
                self.words.insert(word);
            }
        }
        self.phrases.insert(folded);
    }

    /// A date, YYYYMMDD, in the ways in which people write it.
    pub(super) fn date(&mut self, date: &str) {
        let (Some(year), Some(month), Some(day)) = (date.get(..4), date.get(4..6), date.get(6..8))
        else {
            return;
        };
        if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
            return;
        }
        let short = &year[2..];
        self.phrases.extend([
            date.to_owned(),
            format!("{day}{month}{year}"),
            format!("{month}{day}{year}"),
        ]);
        for separator in ["-", ".", "/"] {
            let joined = |parts: [&str; 3]| parts.join(separator);
            self.phrases.extend([
                joined([year, month, day]),
                joined([day, month, year]),
                joined([month, day, year]),
                joined([day, month, short]),
                joined([month, day, short]),
            ]);
        }
    }

    /// The text without any of these words. Words of two letters stay: as names they are rare, and as
    /// abbreviations they are everywhere.
    pub(super) fn without(&self, text: &str) -> String {
        self.without_words(text, 3)
    }

    fn without_words(&self, text: &str, shortest: usize) -> String {
        let kept = self.without_phrases(text);
        let mut out = String::with_capacity(kept.len());
        let mut from = 0;
        for (at, c) in kept.char_indices().chain([(kept.len(), ' ')]) {
            if c.is_alphanumeric() {
                continue;
            }
            let word = &kept[from..at];
            if !self.names(word, shortest) {
                out.push_str(word);
            }
            let end = (at + c.len_utf8()).min(kept.len());
            out.push_str(&kept[at..end]);
            from = end;
        }
        if out == text { out } else { tidy(&out) }
    }

    /// The text without whole values, wherever they stand between other things than letters and digits.
    fn without_phrases(&self, text: &str) -> String {
        let folded = Folded::of(text);
        let mut gone: Vec<(usize, usize)> = Vec::new();
        for phrase in &self.phrases {
            gone.extend(folded.places(phrase));
        }
        gone.sort_unstable();
        let mut out = String::with_capacity(text.len());
        let mut kept = 0;
        for (start, end) in gone {
            if start > kept {
                out.push_str(&text[kept..start]);
            }
            kept = kept.max(end);
        }
        out.push_str(&text[kept..]);
        out
    }

    /// The text without these words and without what looks like a name, a date, a number by which
    /// somebody is known, a telephone number or an address of the Internet.
    pub(super) fn cleaned(&self, text: &str) -> String {
        // First what a whole number or sentence looks like, before words are taken out of it.
        self.without_words(&patterns::without_identifiers(text), 2)
    }

    /// Whether raw bytes hold one of the words, in ASCII.
    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        self.without(&text) != text
    }

    fn names(&self, word: &str, shortest: usize) -> bool {
        if word.is_empty() {
            return false;
        }
        let folded = fold(word);
        if self.words.contains(&folded)
            && (folded.chars().count() >= shortest || !folded.is_ascii())
        {
            return true;
        }
        // "SmithJohn", "PAT4711A", and scripts that put nothing between words.
        let hidden = |name: &String| {
            let long = name.chars().count() >= 5;
            let unspaced = name.chars().any(|c| c as u32 >= 0x2E80);
            (long || unspaced) && folded.contains(name.as_str())
        };
        let mut candidates = self.words.iter().chain(&self.phrases);
        candidates.any(hidden)
    }
}

/// What devices make of a name that they cannot write: "Mueller", "Mller".
fn without_umlauts(name: &str) -> Vec<String> {
    let lower = name.to_lowercase();
    let mut spelled = lower.clone();
    for (umlaut, letters) in [
        ("ä", "ae"),
        ("ö", "oe"),
        ("ü", "ue"),
        ("ø", "oe"),
        ("å", "aa"),
        ("æ", "ae"),
    ] {
        spelled = spelled.replace(umlaut, letters);
    }
    let dropped: String = lower.chars().filter(char::is_ascii).collect();
    let mut spellings = vec![fold(&spelled)];
    // Of a name in another script nothing is left.
    if dropped.len() >= 4 {
        spellings.push(dropped);
    }
    spellings
}

fn is_generic(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> =
        LazyLock::new(|| GENERIC.split_ascii_whitespace().collect());
    WORDS.contains(word)
}

/// A text folded, which knows where in the text each byte comes from.
struct Folded {
    flat: String,
    origin: Vec<usize>,
}

impl Folded {
    fn of(text: &str) -> Self {
        let mut flat = String::with_capacity(text.len());
        let mut origin = Vec::with_capacity(text.len() + 1);
        for (at, c) in text.char_indices() {
            fold_into(c, &mut flat);
            origin.resize(flat.len(), at);
        }
        origin.push(text.len());
        Self { flat, origin }
    }

    /// First byte and end of each place of the phrase, in the text.
    fn places(&self, phrase: &str) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        for (start, found) in self.flat.match_indices(phrase) {
            let end = start + found.len();
            let before = self.flat[..start].chars().next_back();
            let after = self.flat[end..].chars().next();
            if !inside(before) && !inside(after) {
                places.push((self.origin[start], self.origin[end]));
            }
        }
        places
    }
}

/// Lower case without accents, so that spellings with and without them are the same.
pub(super) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| fold_into(c, &mut out));
    out
}

fn fold_into(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c.to_ascii_lowercase());
        return;
    }
    for c in c.to_lowercase() {
        match c {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ą' => out.push('a'),
            'ç' | 'ć' | 'č' => out.push('c'),
            'ď' | 'đ' => out.push('d'),
            'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => out.push('e'),
            'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ı' => out.push('i'),
            'ł' => out.push('l'),
            'ñ' | 'ń' | 'ň' => out.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ő' => out.push('o'),
            'ř' => out.push('r'),
            'ś' | 'š' | 'ş' => out.push('s'),
            'ß' => out.push_str("ss"),
            'ť' => out.push('t'),
            'ù' | 'ú' | 'û' | 'ü' | 'ű' | 'ů' | 'ū' => out.push('u'),
            'ý' | 'ÿ' => out.push('y'),
            'ź' | 'ż' | 'ž' => out.push('z'),
            // Accents written as characters of their own.
            '\u{300}'..='\u{36F}' => {}
            c => out.push(c),
        }
    }
}

/// No double spaces, no separators that nothing is left to separate.
pub(super) fn tidy(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let words: Vec<&str> = line
            .split([' ', '\t', '\0'])
            .filter(|word| !word.is_empty())
            .collect();
        let line = words.join(" ");
        line.trim_matches([' ', ',', ';', ':', '-', '_', '/', '^', '='])
            .to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        let mut identity = Identity::default();
        identity.person("Müller^Anna Maria^^Dr=山田^太郎");
        identity.value("MRN-0047110815");
        identity.value("Sankt Elisabeth Hospital");
        identity.date("19610412");
        identity
    }

    #[test]
    fn words_go_in_every_spelling() {
        let identity = identity();
        for (text, left) in [
            ("CT thorax of MULLER, anna", "CT thorax of"),
            ("Muller_T1 axial", "T1 axial"),
            ("Mueller Mller axial", "axial"),
            ("AnnaMuller2 T2", "T2"),
            ("number mrn-0047110815 axial", "number axial"),
            ("id 0047110815", "id"),
            ("born 12.04.1961, f", "born , f"),
            ("born 1961-04-12", "born"),
            ("Sankt Elisabeth Hospital CT", "CT"),
            ("Elisabeth protocol", "protocol"),
            ("頭部CT 山田太郎様", "頭部CT"),
            ("T1 MPRAGE sag p2 iso", "T1 MPRAGE sag p2 iso"),
            ("Hospital", "Hospital"),
            ("Anna", ""),
        ] {
            assert_eq!(identity.without(text), left, "{text}");
        }
        assert!(identity.is_in(b"\x00\x01MULLER\x02"));
        assert!(!identity.is_in(b"\x00\x01\x02"));
    }

    #[test]
    fn unchanged_text_is_not_tidied() {
        let text = "  two  spaces -";
        assert_eq!(identity().without(text), text);
    }
}
