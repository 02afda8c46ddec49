//! Dates and times as consents and rules write them. What is less precise than a second means all the
//! moments within.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A date, perhaps with a time, as far as it is known: year, month, day, hour, minute, second.
#[derive(Debug, Clone, Copy)]
struct Written {
    fields: [u32; 6],
    /// How many of them are known.
    known: usize,
    /// Seconds by which local time is ahead of UTC.
    ahead: i64,
}

/// The first moment that a text may mean, and the first after those: `2026`, `2026-11`, `2026-11-27`,
/// `2026-11-27T18:00:00.5+01:00` as FHIR writes it.
pub fn fhir(text: &str) -> Option<(SystemTime, SystemTime)> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut written = Written {
        fields: [1; 6],
        known: 0,
        ahead: 0,
    };
    let digits = |text: &str, of: usize| {
        let all = text.len() == of && text.bytes().all(|digit| digit.is_ascii_digit());
        all.then(|| text.parse::<u32>().ok()).flatten()
    };
    for (at, part) in date.split('-').enumerate() {
        let of = match at {
            0 => 4,
            1 | 2 => 2,
            _ => return None,
        };
        written.fields[at] = digits(part, of)?;
        written.known = at + 1;
    }
    if let Some(time) = time {
        if written.known != 3 {
            return None;
        }
        let (clock, ahead) = offset(time)?;
        written.ahead = ahead;
        let whole = clock.split('.').next().unwrap_or_default();
        let fraction = clock[whole.len()..].trim_start_matches('.');
        if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        for (at, part) in whole.split(':').enumerate() {
            *written.fields.get_mut(3 + at)? = digits(part, 2)?;
            written.known = 4 + at;
        }
        if written.known < 5 {
            return None;
        }
    }
    written.span()
}

/// The same of a text of HL7: `2026`, `202611`, … `20261127180000`, in UTC.
pub(super) fn hl7(text: &str) -> Option<(SystemTime, SystemTime)> {
    let mut written = Written {
        fields: [1; 6],
        known: 0,
        ahead: 0,
    };
    if !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let length = if written.known == 0 { 4 } else { 2 };
        let (field, behind) = rest.split_at_checked(length)?;
        *written.fields.get_mut(written.known)? = field.parse().ok()?;
        written.known += 1;
        rest = behind;
    }
    written.span()
}

/// Takes `Z` or `+01:00` off a time.
fn offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (clock, offset) = time.split_at(at);
    let (hours, minutes) = offset[1..].split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..=14).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    Some((
        clock,
        if offset.starts_with('-') {
            -seconds
        } else {
            seconds
        },
    ))
}

impl Written {
    fn span(self) -> Option<(SystemTime, SystemTime)> {
        let mut first = [1, 1, 1, 0, 0, 0];
        first[..self.known].copy_from_slice(&self.fields[..self.known]);
        let mut next = first;
        let begins = self.moment(first)?;
        let ends = match self.known {
            0 => return None,
            1 => {
                next[0] += 1;
                self.moment(next)?
            }
            2 => {
                let december = next[1] == 12;
                next[0] += u32::from(december);
                next[1] = if december { 1 } else { next[1] + 1 };
                self.moment(next)?
            }
            3 => begins + Duration::from_secs(86_400),
            4 => begins + Duration::from_secs(3_600),
            5 => begins + Duration::from_secs(60),
            _ => begins + Duration::from_secs(1),
        };
        Some((begins, ends))
    }

    fn moment(&self, fields: [u32; 6]) -> Option<SystemTime> {
        let [year, month, day, hour, minute, second] = fields;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        // A leap second is the one before it.
        if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 || year > 9999 {
            return None;
        }
        let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
        // Days from civil: eras of 400 years that begin on 1 March.
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second.min(59));
        let seconds = days * 86_400 + of_day - self.ahead;
        let distance = Duration::from_secs(seconds.unsigned_abs());
        match seconds < 0 {
            true => UNIX_EPOCH.checked_sub(distance),
            false => UNIX_EPOCH.checked_add(distance),
        }
    }
}

/// As FHIR writes an instant: to the second, in UTC.
pub(super) fn written(moment: SystemTime) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let digits = xds_schemas::metadata::Timestamp::from_unix(since.as_secs());
    let digits = digits.as_str();
    format!(
        "{}-{}-{}T{}:{}:{}Z",
        &digits[..4],
        &digits[4..6],
        &digits[6..8],
        &digits[8..10],
        &digits[10..12],
        &digits[12..14]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(moment: SystemTime) -> u64 {
        moment.duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn less_precise_times_are_longer() {
        let span = |text| fhir(text).map(|(from, until)| (seconds(from), seconds(until)));
        assert_eq!(span("1970"), Some((0, 365 * 86_400)));
        assert_eq!(span("2024-02"), Some((1_706_745_600, 1_709_251_200)));
        assert_eq!(span("2024-12"), Some((1_733_011_200, 1_735_689_600)));
        assert_eq!(span("2026-11-27"), Some((1_795_737_600, 1_795_824_000)));
        assert_eq!(
            span("2026-11-27T01:00:00.25+01:00"),
            Some((1_795_737_600, 1_795_737_601))
        );
        for wrong in [
            "",
            "26",
            "2026-13",
            "2026-02-30",
            "2026-11-27T",
            "2026T10:00Z",
            "2026-11-27T10:00:00",
            "2026-11-27T10Z",
            "2026-11-27T10:00:00:00Z",
            "2026-11-27T10:00:00+99:00",
            "2026-11-27-1",
        ] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn hl7_says_the_same() {
        assert_eq!(hl7("2026"), fhir("2026"));
        assert_eq!(hl7("20261127"), fhir("2026-11-27"));
        assert_eq!(hl7("20261127180000"), fhir("2026-11-27T18:00:00Z"));
        for wrong in ["202", "20261", "2026112718000000", "2026-1", "20260230"] {
            assert_eq!(hl7(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let (from, _) = fhir("2026-11-27T18:00:01Z").unwrap();
        assert_eq!(written(from), "2026-11-27T18:00:01Z");
    }
}
