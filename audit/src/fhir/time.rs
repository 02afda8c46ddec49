//! Points in time and spans of it, in milliseconds since 1970.

use std::time::{Duration, UNIX_EPOCH};

use crate::moment::Moment;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A span of time: from the first millisecond to before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// A point in time as FHIR's `instant` has it.
pub(crate) fn instant(milliseconds: i64) -> String {
    let since = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    Moment::of(UNIX_EPOCH + since).to_string()
}

/// When that was: an `xs:dateTime`, an `instant`, a timestamp of RFC 5424. One without a zone is taken
/// to be in UTC, since nobody knows better.
pub(crate) fn point(text: &str) -> Option<i64> {
    let span = span(text)?;
    text.contains(['T', 't']).then_some(span.from)
}

/// What a date of FHIR means: a year, a month, a day, or a time with minutes and perhaps more.
pub(crate) fn span(text: &str) -> Option<Span> {
    let text = text.trim();
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts
        .next()
        .map(|it| digits(it, 2))
        .map_or(Some(None), |it| it.map(Some))?;
    let day = parts
        .next()
        .map(|it| digits(it, 2))
        .map_or(Some(None), |it| it.map(Some))?;
    if parts.next().is_some() || year == 0 {
        return None;
    }
    let first = midnight(year, month.unwrap_or(1), day.unwrap_or(1))?;
    match (month, day, time) {
        (_, Some(_), Some(time)) => clock(first, time),
        (_, _, Some(_)) => None,
        (None, _, None) => until(first, midnight(year + 1, 1, 1)?),
        (Some(12), None, None) => until(first, midnight(year + 1, 1, 1)?),
        (Some(month), None, None) => until(first, midnight(year, month + 1, 1)?),
        (Some(_), Some(_), None) => until(first, first + DAY),
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "every arm of `span` may have none"
)]
const fn until(from: i64, to: i64) -> Option<Span> {
    Some(Span { from, to })
}

/// `09:30`, `09:30:15`, `09:30:15.25`, with a zone or without.
fn clock(day: i64, time: &str) -> Option<Span> {
    let zone = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at(zone);
    let mut parts = time.split(':');
    let hour = digits(parts.next()?, 2).filter(|it| *it < 24)?;
    let minute = digits(parts.next()?, 2).filter(|it| *it < 60)?;
    let (mut milliseconds, mut length) = (0, 60_000);
    if let Some(seconds) = parts.next() {
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
        // A leap second is the one before it.
        milliseconds = 1000 * digits(whole, 2).filter(|it| *it <= 60)?.min(59);
        length = 1000;
        if seconds.contains('.') {
            if fraction.is_empty() || !fraction.bytes().all(|it| it.is_ascii_digit()) {
                return None;
            }
            let precise = fraction.len().min(3);
            let scale = [1000, 100, 10, 1][precise];
            milliseconds += scale * fraction[..precise].parse::<i64>().ok()?;
            length = scale;
        }
    }
    if parts.next().is_some() {
        return None;
    }
    let offset = match zone {
        "" | "Z" | "z" => 0,
        zone => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let hours = digits(hours, 2).filter(|it| *it <= 14)?;
            let minutes = digits(minutes, 2).filter(|it| *it < 60)?;
            let offset = 60_000 * (60 * hours + minutes);
            if zone.starts_with('-') {
                -offset
            } else {
                offset
            }
        }
    };
    let from = day + 60_000 * (60 * hour + minute) + milliseconds - offset;
    until(from, from + length)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let plain = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// The first millisecond of a day, counting from 1 March in eras of 400 years.
fn midnight(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted_year.div_euclid(400), shifted_year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(DAY * (146_097 * era + day_of_era - 719_468))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans() {
        let lasts = |text: &str| span(text).map(|it| (it.from, it.to - it.from));
        assert_eq!(lasts("1970"), Some((0, 365 * DAY)));
        assert_eq!(lasts("1970-02"), Some((31 * DAY, 28 * DAY)));
        assert_eq!(lasts("1970-12").unwrap().1, 31 * DAY);
        assert_eq!(lasts("2000-02-29"), Some((951_782_400_000, DAY)));
        assert_eq!(lasts("1970-01-01T00:01Z"), Some((60_000, 60_000)));
        assert_eq!(lasts("1970-01-01T01:00:01+01:00"), Some((1000, 1000)));
        assert_eq!(lasts("1970-01-01T00:00:01.25Z"), Some((1250, 10)));
        assert_eq!(lasts("1970-01-01T00:00:01.250999Z"), Some((1250, 1)));
        assert_eq!(lasts("1969-12-31T23:00:00-01:00"), Some((0, 1000)));
        for wrong in [
            "",
            "x",
            "70",
            "1970-1",
            "1970-13",
            "2001-02-29",
            "1970-01-01T",
            "1970-01T00:00",
            "1970-01-01T24:00",
            "1970-01-01T00:60",
            "1970-01-01T00:00:00.",
            "0000",
            "1970-01-01-01",
            "1970-01-01T00:00:00+1",
            "1970-01-01T00:00:00Zx",
            "19700101",
            "+970",
        ] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
        assert_eq!(point("1970-01-01"), None);
        assert_eq!(point("1970-01-01T00:00:01"), Some(1000));
        assert_eq!(instant(1250), "1970-01-01T00:00:01.250Z");
        assert_eq!(instant(-5), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn what_is_written_is_read() {
        for milliseconds in [0, 951_782_400_123, 1_767_225_599_999, 4_107_542_400_000] {
            assert_eq!(point(&instant(milliseconds)), Some(milliseconds));
        }
    }
}
