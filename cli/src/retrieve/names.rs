//! Names of files for what comes from elsewhere. A peer must not choose where we write.

use sha1::{Digest, Sha1};

use crate::submit::extension;

/// Characters of a name, extension aside.
const LONGEST: usize = 128;

/// The name of the file for a document: its uniqueId as far as it makes a name, and the extension
/// of its media type. What had to be changed gets a mark of its own, so that two documents never
/// have one name.
pub(super) fn of(unique_id: &str, mime_type: &str) -> String {
    let plain = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | '-' | '_');
    let replaced = |one: char| if plain(one) { one } else { '_' };
    let name: String = unique_id.chars().map(replaced).take(LONGEST).collect();
    let name = name.trim_start_matches(['.', '-']).to_owned();
    let extension = extension(mime_type);
    if name == unique_id && !name.is_empty() {
        return format!("{name}.{extension}");
    }
    let mark = Sha1::digest(unique_id.as_bytes());
    let mark: String = mark
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{name}-{mark}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn oids_stay_as_they_are() {
        assert_eq!(of("1.2.3", "application/pdf"), "1.2.3.pdf");
        assert_eq!(of("2.25.1", "text/plain; charset=utf-8"), "2.25.1.txt");
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        let hostile = [
            "../../etc/passwd",
            "/etc/passwd",
            "..",
            ".",
            "",
            "a/b",
            "a\\b",
            "-rf",
            "a\0b",
            ".ssh",
        ];
        let mut names = std::collections::BTreeSet::new();
        for unique_id in hostile.into_iter().chain(["a^b", "a_b", &"x".repeat(5000)]) {
            let name = of(unique_id, "../x");
            assert!(!name.contains(['/', '\\', '\0']), "{name}");
            assert!(!name.starts_with(['.']) && name.len() < 200, "{name}");
            assert!(names.insert(name), "{unique_id}");
        }
    }
}
