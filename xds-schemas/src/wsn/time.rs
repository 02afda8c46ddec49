//! When a subscription ends: `xs:dateTime` and `xs:duration` of XML Schema, to the second.

use crate::metadata::Timestamp;

const DAY: i64 = 24 * 60 * 60;
/// Numbers in durations have at most so many digits, so that nothing overflows.
const MOST_DIGITS: usize = 9;

/// Seconds since 1970 as `xs:dateTime` in UTC.
pub fn written(seconds: u64) -> String {
    let digits = Timestamp::from_unix(seconds);
    let part = |from: usize, to: usize| &digits.as_str()[from..to];
    format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(8, 10),
        part(10, 12),
        part(12, 14)
    )
}

/// Reads an `xs:dateTime`, or an `xs:duration` that is counted from `now`: seconds since 1970,
/// negative before. A time without a zone is in UTC, and what is less than a second is left out.
///
/// # Errors
/// If it is neither.
pub fn read(text: &str, now: u64) -> Result<i64, &'static str> {
    const NEITHER: &str = "neither an xs:dateTime nor an xs:duration";
    let text = text.trim();
    let now = i64::try_from(now).map_err(|_| NEITHER)?;
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    match unsigned.strip_prefix('P') {
        Some(duration) => {
            let (months, seconds) = read_duration(duration).ok_or(NEITHER)?;
            let sign = if negative { -1 } else { 1 };
            Ok(later_by_months(now, sign * months) + sign * seconds)
        }
        None if negative => Err(NEITHER),
        None => read_date_time(unsigned).ok_or(NEITHER),
    }
}

/// What stands behind `P`: months and seconds.
fn read_duration(text: &str) -> Option<(i64, i64)> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None => (text, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let [years, months, days] = read_numbers(date, ['Y', 'M', 'D'])?;
    let [hours, minutes, seconds] = read_numbers(time, ['H', 'M', 'S'])?;
    let months = 12 * years + months;
    Some((months, days * DAY + hours * 3_600 + minutes * 60 + seconds))
}

/// Numbers in front of these letters, each of which may be missing. Only seconds have fractions.
fn read_numbers(mut text: &str, letters: [char; 3]) -> Option<[i64; 3]> {
    let mut numbers = [0; 3];
    for (number, letter) in numbers.iter_mut().zip(letters) {
        let Some((written, rest)) = text.split_once(letter) else {
            continue;
        };
        let whole = match written.split_once('.') {
            Some((whole, fraction)) if letter == 'S' && is_number(fraction) => whole,
            Some(_) => return None,
            None => written,
        };
        if !is_number(whole) || whole.len() > MOST_DIGITS {
            return None;
        }
        *number = whole.parse().ok()?;
        text = rest;
    }
    text.is_empty().then_some(numbers)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Moves by calendar months; the 31st becomes the last day of a shorter month.
fn later_by_months(seconds: i64, months: i64) -> i64 {
    if months == 0 {
        return seconds;
    }
    let (year, month, day) = date_of(seconds.div_euclid(DAY));
    let month = 12 * year + month - 1 + months;
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    let day = day.min(days_in(year, month));
    days_until(year, month, day) * DAY + seconds.rem_euclid(DAY)
}

/// `YYYY-MM-DDThh:mm:ss[.s…][Z|±hh:mm]`.
fn read_date_time(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let mut date = date.split('-');
    let mut part = |digits: usize| -> Option<i64> {
        let text = date.next()?;
        (is_number(text) && text.len() == digits).then(|| text.parse().ok())?
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if date.next().is_some()
        || !(1..=12).contains(&month)
        || !(1..=days_in(year, month)).contains(&day)
    {
        return None;
    }
    let (time, offset) = split_zone(time)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if !is_number(fraction) {
        return None;
    }
    let mut clock = time.split(':');
    let mut part = || -> Option<i64> {
        let text = clock.next()?;
        (is_number(text) && text.len() == 2).then(|| text.parse().ok())?
    };
    let (hour, minute, second) = (part()?, part()?, part()?);
    let midnight = (hour, minute, second) == (24, 0, 0);
    if clock.next().is_some() || (hour > 23 && !midnight) || minute > 59 || second > 59 {
        return None;
    }
    let seconds = hour * 3_600 + minute * 60 + second;
    Some(days_until(year, month, day) * DAY + seconds - offset)
}

/// The time without its zone, and how many seconds that is ahead of UTC.
fn split_zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, 0));
    };
    let sign = if time[at..].starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = time[at + 1..].split_once(':')?;
    let sound = |text: &str, most: i64| {
        let number: i64 = (is_number(text) && text.len() == 2).then(|| text.parse().ok())??;
        (number <= most).then_some(number)
    };
    let (hours, minutes) = (sound(hours, 14)?, sound(minutes, 59)?);
    Some((&time[..at], sign * (hours * 3_600 + minutes * 60)))
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date, counted in eras of 400 years that begin on 1 March.
const fn days_until(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of a day counted from 1970-01-01.
const fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let day = day - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let next = if month <= 2 { 1 } else { 0 };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2024-01-31T12:00:00Z.
    const NOW: u64 = 1_706_702_400;

    fn after(text: &str) -> Option<String> {
        let seconds = read(text, NOW).ok()?;
        Some(written(u64::try_from(seconds).unwrap()))
    }

    #[test]
    fn moments() {
        for (text, expected) in [
            ("2010-05-31T00:00:00.00000Z", "2010-05-31T00:00:00Z"),
            ("2008-05-31T00:00:00", "2008-05-31T00:00:00Z"),
            ("2024-02-29T23:59:59+02:00", "2024-02-29T21:59:59Z"),
            ("2024-02-29T23:59:59-14:00", "2024-03-01T13:59:59Z"),
            (" 2024-02-29T24:00:00Z\n", "2024-03-01T00:00:00Z"),
        ] {
            assert_eq!(after(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("PT30S", "2024-01-31T12:00:30Z"),
            ("PT1M1.5S", "2024-01-31T12:01:01Z"),
            ("P1D", "2024-02-01T12:00:00Z"),
            ("P1M", "2024-02-29T12:00:00Z"),
            ("P1Y1M1DT1H", "2025-03-01T13:00:00Z"),
            ("P13M", "2025-02-28T12:00:00Z"),
            ("-P1M", "2023-12-31T12:00:00Z"),
        ] {
            assert_eq!(after(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn neither() {
        for text in [
            "",
            "P",
            "PT",
            "P1",
            "1D",
            "P1S",
            "PT1D",
            "P1.5D",
            "PT1.S",
            "P-1D",
            "P1D2Y",
            "P9999999999Y",
            "2024",
            "2024-02-30T00:00:00Z",
            "2024-2-3T00:00:00Z",
            "2024-01-01T25:00:00Z",
            "2024-01-01T00:00Z",
            "2024-01-01T00:00:00X",
            "2024-01-01T00:00:00+15:00",
            "2024-01-01",
            "-2024-01-01T00:00:00Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00Z0",
            "١-01-01T00:00:00Z",
        ] {
            assert!(read(text, NOW).is_err(), "{text}");
        }
    }

    proptest! {
        /// Whatever is written is read back.
        #[test]
        fn there_and_back(seconds in 0..253_402_300_799_u64) {
            prop_assert_eq!(read(&written(seconds), 0), Ok(i64::try_from(seconds).unwrap()));
        }

        /// Nothing that a peer can send makes this fail.
        #[test]
        fn no_text_is_a_trap(text in "[-P0-9YMDTHS:.Z+]{0,24}", now in 0..u64::from(u32::MAX)) {
            let _ = read(&text, now);
        }
    }
}
