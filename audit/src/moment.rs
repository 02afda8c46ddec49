//! A point in time as audit messages and syslog write it.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
