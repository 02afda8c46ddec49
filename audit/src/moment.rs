//! A point in time as audit messages and syslog write it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 60 * 60;

/// A point in time. It is displayed in UTC with milliseconds and zone, `2026-11-24T09:29:01.250Z`:
/// valid as `xs:dateTime` and in RFC 5424.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    seconds: u64,
    milliseconds: u32,
}

impl Moment {
    /// This point in time; everything before 1970 is 1970.
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            seconds: since.as_secs(),
            milliseconds: since.subsec_millis(),
        }
    }

    /// Reads what [`Display`](fmt::Display) writes, in UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('Z')?;
        let (date, time) = text.split_once('T')?;
        let mut date = date.splitn(3, '-').map(str::parse::<u64>);
        let mut next = || date.next()?.ok();
        let (year, month, day) = (next()?, next()?, next()?);
        let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
        let mut time = time.splitn(3, ':').map(str::parse::<u64>);
        let mut next = || time.next()?.ok();
        let (hour, minute, second) = (next()?, next()?, next()?);
        let sane = (1970..10_000).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60
            && fraction.bytes().all(|byte| byte.is_ascii_digit());
        if !sane {
            return None;
        }
        let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
        Some(Self {
            seconds: days(year, month, day) * DAY + hour * 3600 + minute * 60 + second,
            milliseconds: digits.fold(0, |all, digit| 10 * all + u32::from(digit - b'0')),
        })
    }

    /// The same as the system has it.
    pub fn time(self) -> SystemTime {
        let since = Duration::new(self.seconds, self.milliseconds * 1_000_000);
        UNIX_EPOCH + since
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.seconds / DAY);
        let second = self.seconds % DAY;
        write!(
            out,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            second / 3600,
            second / 60 % 60,
            second % 60,
            self.milliseconds
        )
    }
}

/// The date of a day counted from 1970-01-01, by counting from 1 March in eras of 400 years, so
/// that the leap day is the last of its year.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let january_or_february = if month <= 2 { 1 } else { 0 };
    (era * 400 + year_of_era + january_or_february, month, day)
}

/// The opposite of [`date`]: days since 1970-01-01.
const fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let shifted = (month + 9) % 12;
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for seconds in (0..4_200_000_000).step_by(12_345_678) {
            let moment = Moment::of(UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 42));
            let text = moment.to_string();
            assert_eq!(Moment::parse(&text), Some(moment), "{text}");
            assert_eq!(Moment::of(moment.time()), moment);
        }
        for wrong in [
            "",
            "-",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-13-01T00:00:00Z",
            "1969-01-01T00:00:00Z",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00.é0Z",
            "99999999999999999999-01-01T00:00:00Z",
        ] {
            assert_eq!(Moment::parse(wrong), None, "{wrong}");
        }
        let short = Moment::parse("2026-01-01T00:00:00Z").unwrap();
        assert_eq!(short.to_string(), "2026-01-01T00:00:00.000Z");
    }

    proptest::proptest! {
        #[test]
        fn anything_can_be_read(text in "(?s).{0,40}", fraction in "(?s).{0,5}") {
            let _ = Moment::parse(&text);
            let _ = Moment::parse(&format!("2026-01-01T00:00:00.{fraction}Z"));
        }
    }

    #[test]
    fn dates() {
        let written = |seconds: u64| {
            Moment::of(UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 7)).to_string()
        };
        assert_eq!(written(0), "1970-01-01T00:00:00.007Z");
        assert_eq!(written(951_782_400), "2000-02-29T00:00:00.007Z");
        assert_eq!(written(1_709_251_199), "2024-02-29T23:59:59.007Z");
        assert_eq!(written(1_767_225_599), "2025-12-31T23:59:59.007Z");
        assert_eq!(written(4_107_542_400), "2100-03-01T00:00:00.007Z");
    }
}
