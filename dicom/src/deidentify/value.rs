//! Values that stand for others: dummies by value representation, shifted dates, capped ages.

use dicom_core::VR;

use crate::moment::{civil_from_days, days_from_civil};

/// What stands where a text must stand.
pub(super) const REMOVED: &str = "REMOVED";
/// Ages above this are said of so few people that they identify.
const HIGHEST_AGE: u32 = 90;

/// A value that says nothing and is valid for its VR; `length` is that of the value it stands for.
pub(super) fn dummy(vr: VR, length: usize) -> Vec<u8> {
    let text = match vr {
        VR::DA => "19000101",
        VR::DT => "19000101000000",
        VR::TM => "000000",
        VR::AS => "000D",
        VR::DS | VR::IS => "0",
        VR::UR => "urn:removed",
        VR::AE | VR::CS | VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UT => REMOVED,
        VR::US | VR::SS => return vec![0; 2.max(length.min(64) & !1)],
        VR::UL | VR::SL | VR::FL | VR::AT => return vec![0; 4.max(length.min(64) & !3)],
        VR::FD | VR::SV | VR::UV => return vec![0; 8.max(length.min(64) & !7)],
        _ => return vec![0; 2],
    };
    text.as_bytes().to_vec()
}

/// A date, or a date and time, `days` later; `None` if it is none. What follows the day is kept. Of a
/// month or a year alone the first day is shifted.
pub(super) fn shifted(text: &str, days: i64) -> Option<String> {
    let text = text.trim_matches([' ', '\0']);
    // "1999.01.31" is how ACR-NEMA wrote dates.
    let joined = text.replace('.', "");
    let text = match text.as_bytes() {
        [_, _, _, _, b'.', _, _, b'.', _, _] => joined.as_str(),
        _ => text,
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let known = match digits {
        4 | 6 => digits,
        8.. => 8,
        _ => return None,
    };
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let year = number(0, 4)?;
    let month = if known >= 6 { number(4, 6)? } else { 1 };
    let day = if known == 8 { number(6, 8)? } else { 1 };
    let at = days_from_civil(year, month, day);
    if civil_from_days(at) != (year, month, day) {
        return None;
    }
    let (year, month, day) = civil_from_days(at + days);
    if !(1..=9999).contains(&year) {
        return None;
    }
    let date = format!("{year:04}{month:02}{day:02}");
    Some(format!("{}{}", &date[..known], &text[known..]))
}

/// An age (AS) that is at most 90 years; `None` if it is none.
pub(super) fn capped_age(text: &str) -> Option<String> {
    let text = text.trim_matches([' ', '\0']);
    let number: u32 = text.get(..3)?.parse().ok()?;
    let unit = text
        .get(3..)
        .filter(|unit| matches!(*unit, "D" | "W" | "M" | "Y"))?;
    let number = if unit == "Y" {
        number.min(HIGHEST_AGE)
    } else {
        number
    };
    Some(format!("{number:03}{unit}"))
}

/// Numbers and times as text (DS, IS, TM) hold nothing but numbers.
pub(super) fn is_numeric(bytes: &[u8]) -> bool {
    let mut bytes = bytes.iter();
    bytes.all(|byte| byte.is_ascii_digit() || b"+-.:eE\\ \0".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_move_and_times_stay() {
        for (text, days, expected) in [
            ("20240301", -1, Some("20240229")),
            ("20240229235959.5+0100", 366, Some("20250301235959.5+0100")),
            ("1999.01.31", 1, Some("19990201")),
            ("202403", -1, Some("202402")),
            ("2024", -1, Some("2023")),
            ("20240230", 1, None),
            ("yesterday", 1, None),
            ("", 1, None),
            ("00010101", -1, None),
        ] {
            assert_eq!(shifted(text, days).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn nobody_is_older_than_ninety() {
        for (text, expected) in [
            ("034Y", Some("034Y")),
            ("097Y", Some("090Y")),
            ("120D", Some("120D")),
            ("34", None),
            ("é34Y", None),
        ] {
            assert_eq!(capped_age(text).as_deref(), expected);
        }
    }

    #[test]
    fn dummies_fit_their_representation() {
        assert_eq!(dummy(VR::US, 6).len(), 6);
        assert_eq!(dummy(VR::FD, 0).len(), 8);
        assert_eq!(dummy(VR::OB, 9000).len(), 2);
        assert_eq!(dummy(VR::DA, 0), b"19000101");
    }
}
