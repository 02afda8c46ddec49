//! Anatomic regions and sides in SNOMED CT, from whatever a device writes of them: Body Part Examined
//! (PS3.16 annex L), SNOMED RT, or codes that an earlier edition of the standard had.
//!
//! What is not in the table is not guessed.

mod regions;

use std::collections::HashMap;
use std::sync::LazyLock;

use xds_schemas::metadata::Code;

use regions::{ROWS, Row};

/// The OID of SNOMED CT.
pub const SNOMED_CT: &str = "2.16.840.1.113883.6.96";

/// A region of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region(&'static Row);

impl Region {
    /// Its code in SNOMED CT in the current edition of PS3.16.
    pub fn code(self) -> Code {
        let first = self.codes().next();
        first.unwrap_or_else(|| Code::new("", SNOMED_CT, self.meaning()))
    }

    /// Its codes in SNOMED CT: the current one, then those of earlier editions.
    pub fn codes(self) -> impl Iterator<Item = Code> {
        let code = move |code| Code::new(code, SNOMED_CT, self.meaning());
        self.0.0.split(' ').map(code)
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        self.0.3
    }
}

struct Tables {
    by_word: HashMap<&'static str, Region>,
    by_snomed_rt: HashMap<&'static str, Region>,
    by_snomed_ct: HashMap<&'static str, Region>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let table = |column: fn(&'static Row) -> &'static str| {
        let words = ROWS.iter().flat_map(|row| {
            column(row)
                .split_whitespace()
                .map(|word| (word, Region(row)))
        });
        words.collect()
    };
    Tables {
        by_word: table(|row| row.2),
        by_snomed_rt: table(|row| row.1),
        by_snomed_ct: table(|row| row.0),
    }
});

/// The region that Body Part Examined (0018,0015) means. Case, spaces and punctuation do not matter:
/// `L-Spine`, `LSPINE` and `lumbar spine` mean the same.
pub fn by_word(body_part: &str) -> Option<Region> {
    // The longest word of the table has 23 letters; nobody may have a megabyte turned around.
    if body_part.len() > 64 {
        return None;
    }
    let letters = body_part.chars().filter(|c| c.is_alphanumeric());
    let word: String = letters.flat_map(char::to_uppercase).collect();
    TABLES.by_word.get(word.as_str()).copied()
}

/// The region of a code in SNOMED RT (schemes SRT, SNM3 and 99SDM), such as `T-D3000`.
pub fn by_snomed_rt(code: &str) -> Option<Region> {
    TABLES.by_snomed_rt.get(code).copied()
}

/// The region of a code in SNOMED CT, of any edition of PS3.16.
pub fn by_snomed_ct(code: &str) -> Option<Region> {
    TABLES.by_snomed_ct.get(code).copied()
}

/// The side that Laterality (0020,0060), Image Laterality (0020,0062) or Frame Laterality
/// (0020,9072) means, as in CID 244. `U` is unpaired and therefore no side.
pub fn side(laterality: &str) -> Option<Code> {
    let (code, meaning) = match laterality.trim().to_ascii_uppercase().as_str() {
        "L" | "LEFT" => ("7771000", "Left"),
        "R" | "RIGHT" => ("24028007", "Right"),
        "B" | "BOTH" | "BILATERAL" => ("51440002", "Bilateral"),
        _ => return None,
    };
    Some(Code::new(code, SNOMED_CT, meaning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_and_code_stands_once() {
        let all = |column: fn(&'static Row) -> &'static str| {
            ROWS.iter()
                .flat_map(|row| column(row).split_whitespace())
                .count()
        };
        assert_eq!(all(|row| row.2), TABLES.by_word.len());
        assert_eq!(all(|row| row.1), TABLES.by_snomed_rt.len());
        assert_eq!(all(|row| row.0), TABLES.by_snomed_ct.len());
        for row in ROWS {
            assert!(
                row.0
                    .split(' ')
                    .all(|code| code.bytes().all(|byte| byte.is_ascii_digit()))
            );
            assert!(!row.0.is_empty() && !row.3.is_empty());
            let words = row.2.split_whitespace();
            // Otherwise they would never be found.
            assert!(
                words.clone().all(|word| by_word(word) == Some(Region(row))),
                "{}",
                row.2
            );
        }
    }

    #[test]
    fn what_devices_send() {
        let word = |word| by_word(word).map(Region::meaning);
        for lumbar in ["LSPINE", "L-Spine", "L SPINE ", "l_spine", "Lumbar Spine"] {
            assert_eq!(word(lumbar), Some("Lumbar spine"), "{lumbar}");
        }
        assert_eq!(word("Schädel"), Some("Skull"));
        // PS3.16 annex L: the upper arm and the lower leg, not the limbs.
        assert_eq!(word("ARM"), Some("Upper arm"));
        assert_eq!(word("LEG"), Some("Lower leg"));
        for unknown in ["", " ", "HEADX", "SMITH JOHN", "CHEST2", &"X".repeat(100)] {
            assert_eq!(word(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn codes_of_all_editions_mean_the_same() {
        let chest = by_word("CHEST").unwrap();
        for code in ["51185008", "43799004", "816094009"] {
            assert_eq!(by_snomed_ct(code), Some(chest));
        }
        assert_eq!(by_snomed_rt("T-D3000"), Some(chest));
        assert_eq!(chest.code().code, "816094009");
        assert!(by_snomed_rt("T-99999").is_none());
    }

    #[test]
    fn sides() {
        assert_eq!(side(" r ").unwrap().code, "24028007");
        assert_eq!(side("L").unwrap().code, "7771000");
        assert_eq!(side("B").unwrap().code, "51440002");
        assert_eq!(side("U"), None);
        assert_eq!(side(""), None);
    }
}
