//! Points in time as DICOM writes them: a local date and time, and how far that is from UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// How far local time is from UTC, as in Timezone Offset From UTC (0008,0201).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UtcOffset {
    minutes: i32,
}

/// Not an offset that DICOM allows.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an offset from UTC such as +0100 (between -1200 and +1400)")]
pub struct BadUtcOffset;

impl UtcOffset {
    /// Reads `&ZZXX`; a colon between hours and minutes is taken too.
    pub fn parse(text: &str) -> Result<Self, BadUtcOffset> {
        let digits = text.get(1..).unwrap_or_default().replace(':', "");
        if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadUtcOffset);
        }
        let number: i32 = digits.parse().map_err(|_| BadUtcOffset)?;
        let (hours, minutes) = (number / 100, number % 100);
        let minutes = match (&text[..1], minutes < 60) {
            ("+", true) => hours * 60 + minutes,
            ("-", true) => -(hours * 60 + minutes),
            _ => return Err(BadUtcOffset),
        };
        if (-12 * 60..=14 * 60).contains(&minutes) {
            Ok(Self { minutes })
        } else {
            Err(BadUtcOffset)
        }
    }
}

impl std::fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.minutes < 0 { '-' } else { '+' };
        write!(
            f,
            "{sign}{:02}{:02}",
            self.minutes.abs() / 60,
            self.minutes.abs() % 60
        )
    }
}

impl TryFrom<String> for UtcOffset {
    type Error = BadUtcOffset;

    fn try_from(text: String) -> Result<Self, BadUtcOffset> {
        Self::parse(&text)
    }
}

impl From<UtcOffset> for String {
    fn from(offset: UtcOffset) -> Self {
        offset.to_string()
    }
}

/// `YYYYMMDD` (DA) and `HHMMSS` (TM) of a point in time, local to `offset`.
pub fn date_and_time(at: SystemTime, offset: UtcOffset) -> (String, String) {
    let seconds = match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX / 2),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX / 2),
    };
    let local = seconds + i64::from(offset.minutes) * 60;
    let (year, month, day) = civil_from_days(local.div_euclid(86_400));
    let second = local.rem_euclid(86_400);
    let date = format!("{year:04}{month:02}{day:02}");
    (
        date,
        format!(
            "{:02}{:02}{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60
        ),
    )
}

/// The point in time of a DA and, if there is one, a TM value that are local to `offset`. `None` if
/// they do not say a time; fractions of a second are dropped.
pub fn point_in_time(date: &str, time: Option<&str>, offset: UtcOffset) -> Option<SystemTime> {
    // "1999.01.31" is how ACR-NEMA wrote dates, "10:15:00" times.
    let date = date.trim().replace('.', "");
    let time = time.unwrap_or_default().trim().replace(':', "");
    let number = |text: &str, from: usize, to: usize| -> Option<i64> {
        let part = text.get(from..to)?;
        part.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| part.parse().ok())?
    };
    if date.len() != 8 {
        return None;
    }
    let (year, month, day) = (
        number(&date, 0, 4)?,
        number(&date, 4, 6)?,
        number(&date, 6, 8)?,
    );
    let (hour, minute) = (
        number(&time, 0, 2).unwrap_or(0),
        number(&time, 2, 4).unwrap_or(0),
    );
    let second = number(&time, 4, 6).unwrap_or(0);
    let days = days_from_civil(year, month, day);
    if civil_from_days(days) != (year, month, day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds =
        days * 86_400 + hour * 3600 + minute * 60 + second - i64::from(offset.minutes) * 60;
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    }
}

/// Days since 1970 of a date in the Gregorian calendar, counting years from March so that the leap day
/// is a year's last.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets() {
        for (text, minutes) in [
            ("+0100", 60),
            ("-0330", -210),
            ("+05:45", 345),
            ("+0000", 0),
        ] {
            assert_eq!(UtcOffset::parse(text), Ok(UtcOffset { minutes }));
        }
        for bad in [
            "", "0100", "+1", "+0199", "-1300", "+1500", "Z", "+01000", "é0100",
        ] {
            assert_eq!(UtcOffset::parse(bad), Err(BadUtcOffset), "{bad}");
        }
        assert_eq!(UtcOffset { minutes: -210 }.to_string(), "-0330");
    }

    #[test]
    fn there_and_back() {
        let offset = UtcOffset::parse("+0100").unwrap();
        let at = point_in_time("20240229", Some("003000.25"), offset).unwrap();
        assert_eq!(
            date_and_time(at, UtcOffset::default()),
            ("20240228".into(), "233000".into())
        );
        assert_eq!(
            date_and_time(at, offset),
            ("20240229".into(), "003000".into())
        );
        let day = point_in_time("1955.12.24", None, UtcOffset::default()).unwrap();
        assert_eq!(
            date_and_time(day, UtcOffset::default()),
            ("19551224".into(), "000000".into())
        );
        for bad in ["20230229", "2023", "2023130１", "", "20231301"] {
            assert_eq!(point_in_time(bad, None, offset), None, "{bad}");
        }
    }
}
