//! Patients across communities: what ITI-55 and ITI-56 have in common.

use crate::xml::{Writer, ns};

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;
/// Characters of a duration that are read.
const LONGEST: usize = 64;

/// A header block that recommends to keep what a message says of patients for so many seconds
/// (ITI TF-2 3.55.4.1.2). Without it, nothing is to be kept.
pub fn time_to_live(seconds: u64) -> String {
    let mut writer = Writer::default();
    writer
        .open("xcpd:CorrelationTimeToLive")
        .attribute("xmlns:xcpd", ns::XCPD)
        .text(&duration(seconds))
        .close("xcpd:CorrelationTimeToLive");
    writer.finish()
}

/// Seconds as `xs:duration`.
fn duration(seconds: u64) -> String {
    match (seconds / DAY, seconds % DAY) {
        (days, 0) => format!("P{days}D"),
        (0, seconds) => format!("PT{seconds}S"),
        (days, seconds) => format!("P{days}DT{seconds}S"),
    }
}

/// The seconds of an `xs:duration`; years have 365 days and months 30. What is less than nothing is
/// nothing, and parts of a second do not count.
///
/// # Errors
/// If it is no duration.
pub fn seconds(text: &str) -> Result<u64, &'static str> {
    const FORM: &str = "CorrelationTimeToLive is no xs:duration";
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(FORM);
    }
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let text = text.strip_prefix('P').ok_or(FORM)?;
    let (date, time) = match text.split_once('T') {
        Some((_, "")) => return Err(FORM),
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    if date.is_empty() && time.is_empty() {
        return Err(FORM);
    }
    let days = [('Y', 365 * DAY), ('M', 30 * DAY), ('D', DAY)];
    let clock = [('H', 3600), ('M', 60), ('S', 1)];
    let (days, clock) = (sum(date, &days), sum(time, &clock));
    let (days, clock) = (days.ok_or(FORM)?, clock.ok_or(FORM)?);
    match negative {
        true => Ok(0),
        false => Ok(days.saturating_add(clock)),
    }
}

/// Numbers, each with its unit, the units in their order.
fn sum(text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut rest = text;
    let mut sum: u64 = 0;
    let mut units = units.iter();
    while !rest.is_empty() {
        let end = rest.find(|it: char| it.is_ascii_alphabetic())?;
        let (number, behind) = rest.split_at(end);
        let mut characters = behind.chars();
        let unit = characters.next()?;
        let (_, seconds) = units.find(|(known, _)| *known == unit)?;
        // Seconds may have a fraction.
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || (number.contains('.') && unit != 'S') {
            return None;
        }
        let number: u64 = whole.parse().unwrap_or(u64::MAX);
        sum = sum.saturating_add(number.saturating_mul(*seconds));
        rest = characters.as_str();
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, expected) in [
            ("P0Y0M7D", 7 * DAY),
            (" P7D ", 7 * DAY),
            ("P1Y2M3DT4H5M6.7S", 428 * DAY + 4 * 3600 + 5 * 60 + 6),
            ("PT0S", 0),
            ("-P1D", 0),
            ("P99999999999999999999999D", u64::MAX),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for text in [
            "", "P", "PT", "7D", "P7", "P1DT", "P1M1Y", "P1H", "PT1D", "P1.5D", "P-1D", "PxD",
        ] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert!(seconds(&format!("P{}D", "1".repeat(100))).is_err());
    }

    #[test]
    fn what_was_written_is_read() {
        for length in [0, 1, DAY - 1, DAY, 7 * DAY, 7 * DAY + 1] {
            assert_eq!(seconds(&duration(length)), Ok(length));
        }
        let block = time_to_live(DAY);
        assert!(block.contains(">P1D<"), "{block}");
    }
}
