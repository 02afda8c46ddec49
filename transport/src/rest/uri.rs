//! Paths and queries without their percent-encoding (RFC 3986).

use http::StatusCode;

use crate::wire::Trouble;

/// Parameters of one query. Nobody asks for more attributes than DICOM has in a study.
const PARAMETERS: usize = 1000;

/// The segments of a path that begins with a slash. One slash at its end means nothing.
pub(super) fn segments(path: &str) -> Result<Vec<String>, Trouble> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments = path.split('/').map(|segment| decoded(segment, false));
    segments.collect()
}

/// Names and values in their order. A name without a value has an empty one.
pub(super) fn parameters(query: &str) -> Result<Vec<(String, String)>, Trouble> {
    let mut parameters = Vec::new();
    for parameter in query.split('&').filter(|it| !it.is_empty()) {
        if parameters.len() >= PARAMETERS {
            return Err(Trouble::new(
                StatusCode::URI_TOO_LONG,
                format!("the query has more than {PARAMETERS} parameters"),
            ));
        }
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        parameters.push((decoded(name, true)?, decoded(value, true)?));
    }
    Ok(parameters)
}

/// In queries, a plus sign is a space, as forms have it.
fn decoded(text: &str, plus_is_space: bool) -> Result<String, Trouble> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let (high, low) = (digit(after.first()), digit(after.get(1)));
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(Trouble::bad("a percent sign in the URL encodes nothing"));
                };
                bytes.push(16 * high + low);
                rest = &after[2..];
            }
            b'+' if plus_is_space => bytes.push(b' '),
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| Trouble::bad("the URL is not UTF-8"))
}

fn digit(byte: Option<&u8>) -> Option<u8> {
    let digit = char::from(*byte?).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_nothing_else() {
        let names = |path| segments(path).unwrap();
        assert_eq!(names("/a/b%2Fc/%C3%A4"), ["a", "b/c", "ä"]);
        assert_eq!(names("/a/"), ["a"]);
        assert_eq!(names("/a+b//c"), ["a+b", "", "c"]);
        let pairs = |query| parameters(query).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            pairs("a=b+c&&d&e=%2B%3d=&a="),
            [
                pair("a", "b c"),
                pair("d", ""),
                pair("e", "+=="),
                pair("a", "")
            ]
        );
        assert_eq!(pairs(""), []);
        for wrong in ["%", "%4", "%zz", "%ff", "%C3", "%-1"] {
            assert_eq!(parameters(wrong).unwrap_err().status(), 400, "{wrong}");
            assert_eq!(segments(wrong).unwrap_err().status(), 400, "{wrong}");
        }
        let many = "a&".repeat(PARAMETERS + 1);
        assert_eq!(parameters(&many).unwrap_err().status(), 414);
    }
}
