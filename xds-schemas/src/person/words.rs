//! Words of names and addresses, as they are compared: what people write in different ways is the same.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The words of a text in small letters without diacritics. Apostrophes are left out, other punctuation
/// separates words. Umlauts and their transcriptions are the same: `Müller`, `Mueller` and `MULLER` are
/// `muller`.
pub fn words(text: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut word = String::new();
    for character in text.nfkd().filter(|it| !is_combining_mark(*it)) {
        match character {
            '\'' | '\u{2019}' | '\u{2018}' | '`' | '\u{b4}' => {}
            _ if character.is_alphanumeric() => word.extend(folded(character)),
            _ => finish(&mut words, &mut word),
        }
    }
    finish(&mut words, &mut word);
    words
}

/// The words of several texts together.
pub fn words_of<'t>(texts: impl IntoIterator<Item = &'t String>) -> BTreeSet<String> {
    texts.into_iter().flat_map(|text| words(text)).collect()
}

/// Letters that decomposition leaves as they are, and capitals.
fn folded(character: char) -> impl Iterator<Item = char> {
    let text: String = character.to_lowercase().collect();
    let text = match text.as_str() {
        "ß" => "ss",
        "æ" => "ae",
        "œ" => "oe",
        "ø" => "o",
        "đ" | "ð" => "d",
        "ł" => "l",
        "þ" => "th",
        "ı" => "i",
        other => other,
    };
    // A capital may become a letter with a mark of its own.
    let text: String = text.nfkd().filter(|it| !is_combining_mark(*it)).collect();
    text.chars().collect::<Vec<char>>().into_iter()
}

fn finish(words: &mut BTreeSet<String>, word: &mut String) {
    let mut plain = String::with_capacity(word.len());
    let mut characters = word.chars().peekable();
    while let Some(character) = characters.next() {
        plain.push(character);
        // ae, oe and ue are how umlauts are written where there are none.
        if matches!(character, 'a' | 'o' | 'u') {
            while characters.next_if_eq(&'e').is_some() {}
        }
    }
    word.clear();
    if !plain.is_empty() {
        words.insert(plain);
    }
}

/// The digits by which two telephone numbers can be compared: without zeros in front.
pub fn digits(number: &str) -> String {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').to_owned()
}
