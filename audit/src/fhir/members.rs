//! A JSON object as it was written: its members, and where each stands. What is answered as it was
//! sent keeps its numbers and spaces this way.

use std::ops::Range;

/// The members of an object that was found to be JSON: names (without their escapes undone) and where
/// the values stand. Nothing if it is no object.
pub(crate) fn members(json: &str) -> Option<Vec<(&str, Range<usize>)>> {
    let bytes = json.as_bytes();
    let mut at = space(bytes, 0);
    if bytes.get(at) != Some(&b'{') {
        return None;
    }
    at = space(bytes, at + 1);
    let mut members = Vec::new();
    while bytes.get(at) == Some(&b'"') {
        let end = string(bytes, at)?;
        let name = json.get(at + 1..end - 1)?;
        at = space(bytes, end);
        if bytes.get(at) != Some(&b':') {
            return None;
        }
        let start = space(bytes, at + 1);
        let end = value(bytes, start)?;
        members.push((name, start..end));
        at = space(bytes, end);
        if bytes.get(at) == Some(&b',') {
            at = space(bytes, at + 1);
        }
    }
    (bytes.get(at) == Some(&b'}')).then_some(members)
}

/// The values of an array that was found to be JSON.
pub(crate) fn items(json: &str) -> Option<Vec<Range<usize>>> {
    let bytes = json.as_bytes();
    let mut at = space(bytes, 0);
    if bytes.get(at) != Some(&b'[') {
        return None;
    }
    at = space(bytes, at + 1);
    let mut items = Vec::new();
    while let Some(byte) = bytes.get(at) {
        if *byte == b']' {
            return Some(items);
        }
        let end = value(bytes, at)?;
        items.push(at..end);
        at = space(bytes, end);
        if bytes.get(at) == Some(&b',') {
            at = space(bytes, at + 1);
        }
    }
    None
}

fn space(bytes: &[u8], from: usize) -> usize {
    let spaces = bytes.get(from..).unwrap_or_default().iter();
    from + spaces.take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Where a string ends that begins here.
fn string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Where a value ends that begins here.
fn value(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => at = string(bytes, at)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            byte if depth == 0 && (byte.is_ascii_whitespace() || b",:".contains(byte)) => {
                return (at > start).then_some(at);
            }
            _ => {
                at += 1;
                // A number or a word ends where something else begins.
                let next = bytes.get(at);
                if depth == 0 && next.is_none_or(|next| b",]} \t\r\n".contains(next)) {
                    return Some(at);
                }
                continue;
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn check(json: &str) {
        let value: Value = serde_json::from_str(json).unwrap();
        match &value {
            Value::Object(object) => {
                let members = members(json).expect(json);
                assert_eq!(members.len(), object.len(), "{json}");
                for (name, range) in members {
                    let name: String = serde_json::from_str(&format!("\"{name}\"")).unwrap();
                    let found: Value = serde_json::from_str(&json[range]).unwrap();
                    assert_eq!(&found, &object[&name], "{json}");
                }
            }
            Value::Array(array) => {
                let items = items(json).expect(json);
                let items: Vec<Value> = items
                    .into_iter()
                    .map(|it| serde_json::from_str(&json[it]).unwrap())
                    .collect();
                assert_eq!(&items, array);
            }
            _ => {}
        }
    }

    #[test]
    fn members_are_found() {
        check(r#" {"a" : 1.10 ,"b":[1,{"c":"]}\"\\"}], "d":{} ,"e":null,"\u0041":"x","g":true}"#);
        check("{}");
        check("[ ]");
        check(r#"[1 , "a,]", {"b":[2]}, [] ]"#);
        assert_eq!(members("[]"), None);
        assert_eq!(items("{}"), None);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 30, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_the_json_is(value in json()) {
            check(&value.to_string());
            check(&serde_json::to_string_pretty(&value).unwrap());
        }

        #[test]
        fn nonsense_ends(text: String) {
            members(&text);
            items(&text);
            members(&format!("{{{text}"));
            items(&format!("[{text}"));
        }
    }
}
