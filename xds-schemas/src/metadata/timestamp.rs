//! DTM: a moment in UTC, as precisely as it is known (ITI TF-3 Table 4.2.3.1.7-2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `YYYY[MM[DD[hh[mm[ss]]]]]` in UTC: the digits, which were checked.
///
/// There is no order between timestamps of different precision; [`TimeRange`] says what a query
/// means by before and after.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(pub(crate) String);

const PROBLEM: &str = "is not a DTM (YYYY[MM[DD[hh[mm[ss]]]]], UTC)";

impl Timestamp {
    /// Reads a DTM. Fractions of a second and offsets from UTC are not allowed.
    ///
    /// # Errors
    /// Says that it is none; never quotes it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = text.as_bytes();
        let in_range =
            |(at, range): (usize, std::ops::RangeInclusive<u8>)| match bytes.get(at..at + 2) {
                Some(pair) => range.contains(&((pair[0] - b'0') * 10 + (pair[1] - b'0'))),
                None => true,
            };
        let sound = matches!(bytes.len(), 4 | 6 | 8 | 10 | 12 | 14)
            && bytes.iter().all(u8::is_ascii_digit)
            && [
                (4, 1..=12),
                (6, 1..=31),
                (8, 0..=23),
                (10, 0..=59),
                (12, 0..=59),
            ]
            .into_iter()
            .all(in_range);
        match sound {
            true => Ok(Self(text.to_owned())),
            false => Err(PROBLEM.to_owned()),
        }
    }

    /// The moment `seconds` after 1970-01-01T00:00:00Z, to the second. Moments after the year 9999
    /// are given as its end.
    pub fn from_unix(seconds: u64) -> Self {
        let seconds = seconds.min(253_402_300_799);
        let (days, time) = (seconds / 86_400, seconds % 86_400);
        // Civil date from days: eras of 400 years that begin on 1 March.
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year + u64::from(month <= 2);
        let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
        Self(format!(
            "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}"
        ))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first second that it may mean, as 14 digits.
    pub fn earliest(&self) -> String {
        self.padded("00000101000000")
    }

    /// The last second that it may mean, as 14 digits. Months are taken to have 31 days, which
    /// suits comparison as text.
    pub fn latest(&self) -> String {
        self.padded("99991231235959")
    }

    fn padded(&self, filling: &str) -> String {
        format!("{}{}", self.0, &filling[self.0.len()..])
    }

    /// Whether this is certainly after `other`, as far as both are known.
    pub fn is_after(&self, other: &Self) -> bool {
        let shared = self.0.len().min(other.0.len());
        self.0[..shared] > other.0[..shared]
    }
}

impl TryFrom<String> for Timestamp {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

/// `from <= value < to` of a stored query; either end may be open (ITI TF-2 3.18.4.1.2.3.3.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TimeRange {
    /// The first moment.
    pub from: Option<Timestamp>,
    /// The moment before which it ends.
    pub to: Option<Timestamp>,
}

impl TimeRange {
    /// Whether both ends are open.
    pub fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// Whether `value` lies in the range. An object without the value is not filtered by it.
    ///
    /// Bound and value are compared as far as both are known, and then a match includes the end:
    /// a less precise `to` means all of its year or day, and a less precise value matches if it
    /// may lie in the range. Only `to` of the same precision excludes itself.
    pub fn matches(&self, value: Option<&Timestamp>) -> bool {
        let Some(Timestamp(value)) = value else {
            return true;
        };
        let after_start = self.from.as_ref().is_none_or(|Timestamp(from)| {
            let shared = from.len().min(value.len());
            value[..shared] >= from[..shared]
        });
        let before_end = self.to.as_ref().is_none_or(|Timestamp(to)| {
            let shared = to.len().min(value.len());
            match to.len() == value.len() {
                true => value < to,
                false => value[..shared] <= to[..shared],
            }
        });
        after_start && before_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ITI TF-3 4.2.3.1.7.
    #[test]
    fn only_dtm_is_read() {
        for good in [
            "2021",
            "202112",
            "20211231",
            "2021123123",
            "202112312359",
            "20211231235959",
        ] {
            assert_eq!(Timestamp::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "21",
            "20211",
            "2021-12",
            "202113",
            "202100",
            "20211232",
            "20211200",
            "2021123124",
            "202112312360",
            "20211231235960",
            "20211231235959.1",
            "20211231235959+0100",
            "２０２１",
            " 2021",
        ] {
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn from_unix_follows_the_calendar() {
        for (seconds, text) in [
            (0, "19700101000000"),
            (951_782_400, "20000229000000"),
            (1_709_251_199, "20240229235959"),
            (1_735_689_599, "20241231235959"),
            (u64::MAX, "99991231235959"),
        ] {
            let moment = Timestamp::from_unix(seconds);
            assert_eq!(moment.as_str(), text);
            assert_eq!(Timestamp::parse(text), Ok(moment));
        }
    }

    /// The rows of the table in ITI TF-2 3.18.4.1.2.3.3.2: from, value, to, result.
    /// ITI TF-2 3.18.4.1.2.3.3.
    #[test]
    fn partial_precision() {
        let table = [
            ("20210101", "20210527", "20211231", true),
            ("20210527", "20210527", "20211231", true),
            ("20210101", "20210527", "20210527", false),
            ("2021", "20210527", "2021", true),
            ("2020", "20210527", "2020", false),
            ("2020", "20210527", "2022", true),
            ("20210701", "2021", "20210701", true),
            ("20211231", "2021", "20221231", true),
            ("20200101", "2021", "20210101", true),
            ("20100101", "2021", "20201231", false),
            ("20220101", "2021", "20301231", false),
        ];
        for (from, value, to, expected) in table {
            let [from, value, to] = [from, value, to].map(|text| Timestamp::parse(text).unwrap());
            let range = TimeRange {
                from: Some(from),
                to: Some(to),
            };
            assert_eq!(
                range.matches(Some(&value)),
                expected,
                "{value} in {range:?}"
            );
        }
        let range = TimeRange {
            from: Timestamp::parse("2030").ok(),
            to: None,
        };
        assert!(
            range.matches(None),
            "an object without the time is not filtered"
        );
    }

    #[test]
    fn the_seconds_that_a_timestamp_covers() {
        let may = Timestamp::parse("202105").unwrap();
        assert_eq!(
            (may.earliest().as_str(), may.latest().as_str()),
            ("20210501000000", "20210531235959")
        );
        let year = Timestamp::parse("2021").unwrap();
        assert_eq!(
            (year.earliest().as_str(), year.latest().as_str()),
            ("20210101000000", "20211231235959")
        );
        assert!(!may.is_after(&year) && !year.is_after(&may));
        assert!(Timestamp::parse("2022").unwrap().is_after(&may));
    }
}
