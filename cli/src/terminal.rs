//! What people see: tables and progress, without anything that a terminal would obey.
//!
//! All that the command writes on standard output and standard error goes through here: `println!` and
//! its like panic when nobody reads any more.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use thiserror::Error;

/// Characters of a column of a table; longer texts are cut.
const WIDEST: usize = 72;

/// The text with control characters made harmless: a peer's text must not move the cursor or
/// begin a line.
pub(crate) fn printable(text: &str) -> String {
    let harmless = |character: char| {
        let bidirectional = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || bidirectional {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    };
    text.chars().map(harmless).collect()
}

/// Standard output did not take what was to be said. It is what the [`io::Error`] holds, so that its reader
/// is not taken for a peer.
#[derive(Debug, Error)]
#[error("standard output: {0}")]
pub(crate) struct Unsaid(io::Error);

/// Standard output, for much at once. A reader that went away, as `head` does, is an error and no panic.
pub(crate) fn output() -> Output {
    Output(BufWriter::new(io::stdout().lock()))
}

/// See [`output`]. Its errors hold [`Unsaid`].
#[derive(Debug)]
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(unsaid)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(unsaid)
    }
}

fn unsaid(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), Unsaid(error))
}

/// Prints on standard output.
pub(crate) fn say(text: &str) -> io::Result<()> {
    let mut out = output();
    out.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Prints JSON on standard output.
pub(crate) fn say_json(value: &serde_json::Value) -> anyhow::Result<()> {
    Ok(say(&serde_json::to_string_pretty(value)?)?)
}

/// Prints a remark on standard error, which may have more than one line. If nobody reads it, nobody is left to
/// be told, and the exit status says how the command ended.
pub(crate) fn tell(text: &str) {
    let text = format!("hilum: {text}\n");
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Rows under a head, in columns.
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; empty cells become a dash.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        let cell = |text: String| match text.is_empty() {
            true => "-".to_owned(),
            false => printable(&text),
        };
        self.rows.push(cells.into_iter().map(cell).collect());
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, with a line for each row. The last column is never cut.
    pub(crate) fn text(&self) -> String {
        let last = self.head.len().saturating_sub(1);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            widest.min(WIDEST).max(self.head[column].chars().count())
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = String::new();
        let head = self.head.iter().map(|&name| name.to_owned()).collect();
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                if column == last {
                    line.push_str(cell);
                } else {
                    line.push_str(&format!("{:<1$}  ", cut(cell), widths[column]));
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn cut(cell: &str) -> String {
    if cell.chars().count() <= WIDEST {
        return cell.to_owned();
    }
    let mut cut: String = cell.chars().take(WIDEST - 1).collect();
    cut.push('…');
    cut
}

/// A bar for so many bytes; nothing is drawn unless standard error is a terminal.
pub(crate) fn bytes_bar(bytes: u64, doing: &str) -> ProgressBar {
    bar(bytes, doing, "{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
}

/// A bar for so many things; nothing is drawn unless standard error is a terminal.
pub(crate) fn count_bar(count: u64, doing: &str) -> ProgressBar {
    bar(count, doing, "{msg} {wide_bar} {pos}/{len} {eta}")
}

/// What moves while something takes its time; nothing is drawn unless standard error is a terminal.
pub(crate) fn waiting(doing: &str) -> ProgressBar {
    let waiting = ProgressBar::new_spinner().with_message(doing.to_owned());
    waiting.enable_steady_tick(Duration::from_millis(100));
    waiting
}

fn bar(length: u64, doing: &str, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length)
        .with_style(style)
        .with_message(doing.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_their_heads() {
        let mut table = Table::new(&["TITLE", "SIZE", "UNIQUE ID"]);
        table.row(vec![
            "Brief".to_owned(),
            "12".to_owned(),
            "1.2.3".to_owned(),
        ]);
        table.row(vec![String::new(), "1234567".to_owned(), "1".repeat(100)]);
        let expected = format!(
            "TITLE  SIZE     UNIQUE ID\nBrief  12       1.2.3\n-      1234567  {}\n",
            "1".repeat(100)
        );
        assert_eq!(table.text(), expected);
    }

    #[test]
    fn nothing_a_terminal_obeys_is_left() {
        assert_eq!(printable("a\u{1b}[31m\r\nb\u{202e}"), "a�[31m��b�");
        let mut table = Table::new(&["A", "B"]);
        table.row(vec!["é".repeat(200), "x\ty".to_owned()]);
        let text = table.text();
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains(&format!("{}…  x�y", "é".repeat(WIDEST - 1))));
    }
}
