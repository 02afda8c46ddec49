//! How values of parameters are written (ITI TF-2 3.18.4.1.2.3.5 and 3.18.4.1.2.3.6).

/// Reads the values of one slot. `'text'` has quotes, doubled inside; a list has parentheses and
/// may be spread over several `rim:Value` elements. Values without quotes, in double quotes and
/// lists of one without parentheses are in use and understood.
pub(crate) fn read(written: &[String]) -> Result<Vec<String>, &'static str> {
    let mut values = Vec::new();
    for text in written {
        let text = text.trim();
        match text.strip_prefix('(') {
            Some(list) => read_list(list, &mut values)?,
            None if text.is_empty() => {}
            None => {
                let (value, rest) = read_value(text, "")?;
                if !rest.is_empty() {
                    return Err("something follows the closing quote; a list needs parentheses");
                }
                values.push(value);
            }
        }
    }
    Ok(values)
}

fn read_list(list: &str, values: &mut Vec<String>) -> Result<(), &'static str> {
    let mut rest = list.trim_start();
    if let Some(behind) = rest.strip_prefix(')') {
        return ended(behind);
    }
    loop {
        let (value, behind) = read_value(rest, ",)")?;
        values.push(value);
        let behind = behind.trim_start();
        if let Some(behind) = behind.strip_prefix(')') {
            return ended(behind);
        }
        let next = behind.strip_prefix(',');
        rest = next
            .ok_or("the list has no closing parenthesis")?
            .trim_start();
    }
}

fn ended(behind: &str) -> Result<(), &'static str> {
    match behind.trim().is_empty() {
        true => Ok(()),
        false => Err("something follows the closing parenthesis"),
    }
}

/// One value and what follows it. Without quotes it goes on to one of `ends` or to the end.
fn read_value<'t>(text: &'t str, ends: &str) -> Result<(String, &'t str), &'static str> {
    let Some(quote) = text
        .chars()
        .next()
        .filter(|first| matches!(first, '\'' | '"'))
    else {
        let end = text
            .find(|character| ends.contains(character))
            .unwrap_or(text.len());
        let value = text[..end].trim();
        if value.is_empty() {
            return Err("a value of the list is missing");
        }
        return Ok((value.to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut rest = &text[1..];
    loop {
        let end = rest.find(quote).ok_or("a quote is not closed")?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix(quote) {
            Some(behind) => {
                value.push(quote);
                rest = behind;
            }
            None => return Ok((value, rest)),
        }
    }
}

/// Writes one value in quotes.
pub(crate) fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// Writes a list.
pub(crate) fn list<'v>(values: impl IntoIterator<Item = &'v str>) -> String {
    let quoted: Vec<String> = values.into_iter().map(quoted).collect();
    format!("({})", quoted.join(","))
}
