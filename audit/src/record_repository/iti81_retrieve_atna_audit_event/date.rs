//! Dates as searches write them: `ge2026-11-01`.
//! <https://hl7.org/fhir/R4/search.html#date>

use crate::fhir::time::{self, Span};
use crate::record_repository::index::DateTest;

/// How much earlier or later "approximately" is.
const APPROXIMATELY: i64 = 24 * 60 * 60 * 1000;

/// What one value of a date asks for.
pub(in crate::record_repository) fn date(value: &str) -> Option<DateTest> {
    let value = value.trim();
    // A plus sign before a zone that was not encoded.
    let value = value.replace(' ', "+");
    let letters = value.bytes().take_while(u8::is_ascii_lowercase).count();
    let (prefix, date) = value.split_at(letters);
    let span = time::span(date)?;
    Some(match prefix {
        "" | "eq" => DateTest::Within(span),
        "ne" => DateTest::Outside(span),
        "ge" => DateTest::From(span.from),
        "gt" | "sa" => DateTest::From(span.to),
        "lt" | "eb" => DateTest::Before(span.from),
        "le" => DateTest::Before(span.to),
        "ap" => DateTest::Within(Span {
            from: span.from - APPROXIMATELY,
            to: span.to + APPROXIMATELY,
        }),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        let day = Span {
            from: 0,
            to: 86_400_000,
        };
        assert_eq!(date("1970-01-01"), Some(DateTest::Within(day)));
        assert_eq!(date("ne1970-01-01"), Some(DateTest::Outside(day)));
        assert_eq!(date("ge1970-01-01"), Some(DateTest::From(0)));
        assert_eq!(date("gt1970-01-01"), Some(DateTest::From(86_400_000)));
        assert_eq!(date("lt1970-01-01"), Some(DateTest::Before(0)));
        assert_eq!(date("le1970-01-01"), Some(DateTest::Before(86_400_000)));
        assert_eq!(date("ge1970-01-01T01:00:00 01:00"), Some(DateTest::From(0)));
        for wrong in ["", "xx1970", "ge", "1970-99", "ge 1970"] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }
}
