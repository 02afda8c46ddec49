//! The header `Accept` (RFC 9110, section 12.5.1): which media types are wanted, and how much.

use xds_schemas::mtom::ContentType;

/// Media ranges of one request that are read. Browsers send ten.
const RANGES: usize = 100;

/// What is wanted, the most wanted first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept(Vec<MediaRange>);

/// One media type or range of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRange {
    /// `type/subtype`, `type/*` or `*/*`, with its parameters.
    pub media: ContentType,
    /// How much it is wanted, in thousandths: 0 means not at all.
    pub quality: u16,
}

impl Accept {
    /// Reads the value of the header. What cannot be read is passed over: it is wanted by nobody.
    pub fn parse(value: &str) -> Self {
        let ranges = separated(value).filter_map(MediaRange::parse);
        let mut ranges: Vec<MediaRange> = ranges.take(RANGES).collect();
        // What stands first of the equally wanted is given first. This sort keeps the order.
        ranges.sort_by_key(|range| std::cmp::Reverse(range.quality));
        Self(ranges)
    }

    /// What is wanted, the most wanted first, and what is unwanted not at all.
    pub fn wanted(&self) -> impl Iterator<Item = &MediaRange> {
        self.0.iter().filter(|range| range.quality > 0)
    }

    /// Whether nothing was said.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much this media type is wanted, in thousandths, whatever its parameters: what the range
    /// that fits it most closely says.
    pub fn quality(&self, essence: &str) -> u16 {
        let fitting = self.0.iter().filter(|range| range.takes(essence));
        let closest = fitting.max_by_key(|range| (range.closeness(), range.quality));
        closest.map_or(0, |range| range.quality)
    }
}

impl MediaRange {
    fn parse(text: &str) -> Option<Self> {
        let media = ContentType::parse(text).ok()?;
        let quality = match media.parameter("q") {
            Some(value) => thousandths(value)?,
            None => 1000,
        };
        Some(Self { media, quality })
    }

    /// Whether this media type, given in lower case, is in the range.
    pub fn takes(&self, essence: &str) -> bool {
        match self.media.essence.strip_suffix("/*") {
            Some("*") => true,
            Some(kind) => essence.split_once('/').is_some_and(|(it, _)| it == kind),
            None => self.media.essence == essence,
        }
    }

    fn closeness(&self) -> u8 {
        match self.media.essence.strip_suffix("/*") {
            Some("*") => 0,
            Some(_) => 1,
            None => 2,
        }
    }
}

/// What stands between commas that are not quoted.
fn separated(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    let parts = list.split(move |character| {
        let separates = character == ',' && !quoted;
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        separates
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// `0.5` is 500. At most three digits follow the point.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, rest) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let digits = rest.bytes().all(|byte| byte.is_ascii_digit());
    let whole: u16 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    let rest = rest.get(..3).unwrap_or(rest);
    let rest: u16 = format!("{rest:0<3}").parse().ok().filter(|_| digits)?;
    Some((1000 * whole + rest).min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(value: &str) -> Vec<(String, u16)> {
        let accept = Accept::parse(value);
        let wanted = accept.wanted();
        wanted
            .map(|it| (it.media.essence.clone(), it.quality))
            .collect()
    }

    fn is(essence: &str, quality: u16) -> (String, u16) {
        (essence.to_owned(), quality)
    }

    #[test]
    fn the_most_wanted_comes_first() {
        assert_eq!(
            wanted("a/b;q=0.5, c/d , e/f;q=0.9;x=y,g/h;q=0,i/j;q=1.000"),
            [
                is("c/d", 1000),
                is("i/j", 1000),
                is("e/f", 900),
                is("a/b", 500)
            ]
        );
        assert_eq!(wanted(""), []);
        assert_eq!(
            wanted("nonsense, a/b;q=2, a/c;q=x, a/d;q=0.1234"),
            [is("a/d", 123)]
        );
    }

    #[test]
    fn commas_in_quotes_separate_nothing() {
        let accept = Accept::parse(
            "multipart/related; type=\"application/dicom\"; transfer-syntax=*, \
             multipart/related; type=\"a,\\\"b\"",
        );
        let all: Vec<_> = accept.wanted().collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].media.parameter("type"), Some("application/dicom"));
        assert_eq!(all[0].media.parameter("transfer-syntax"), Some("*"));
        assert_eq!(all[1].media.parameter("type"), Some("a,\"b"));
    }

    #[test]
    fn the_closest_range_decides() {
        let accept = Accept::parse("image/*;q=0.3, image/png, */*;q=0.1, image/gif;q=0");
        for (essence, quality) in [
            ("image/png", 1000),
            ("image/jpeg", 300),
            ("image/gif", 0),
            ("application/json", 100),
        ] {
            assert_eq!(accept.quality(essence), quality, "{essence}");
        }
        assert_eq!(Accept::parse("image/png").quality("image/jpeg"), 0);
        assert!(Accept::parse(" , ").is_empty());
    }
}
