//! `hilum query parameters`: what `--acquisition` can be about.

use serde_json::{Value, json};
use xds_schemas::imaging::acquisition::{self, Kind, Parameter};

use crate::terminal::{Table, say, say_json, tell};

/// Lists the parameters, or those whose name or meaning has a word in it.
pub(super) fn list(word: Option<&str>, as_json: bool) -> anyhow::Result<()> {
    let word = word.unwrap_or_default().to_lowercase();
    let has_word = |it: &&Parameter| {
        let described = format!("{} {}", it.keyword, it.means);
        described.to_lowercase().contains(&word)
    };
    let mut found: Vec<&Parameter> = acquisition::parameters().filter(has_word).collect();
    found.sort_by_key(|it| it.keyword.to_lowercase());
    if as_json {
        let all = found.iter().map(|it| {
            let (keyword, values, means) = (it.keyword, values(it.kind), it.means);
            json!({ "keyword": keyword, "values": values, "means": means })
        });
        return say_json(&Value::from_iter(all));
    }
    if found.is_empty() {
        tell("no parameter has this in its name or meaning");
        return Ok(());
    }
    let mut table = Table::new(&["KEYWORD", "VALUES", "MEANS"]);
    for it in &found {
        table.row(vec![
            it.keyword.to_owned(),
            values(it.kind).to_owned(),
            it.means.to_owned(),
        ]);
    }
    Ok(say(&table.text())?)
}

/// The unit of numbers, or what the values are instead.
const fn values(kind: Kind) -> &'static str {
    match kind {
        Kind::Number(unit) => unit,
        Kind::Text => "text",
        Kind::Code => "code",
    }
}
