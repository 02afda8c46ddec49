//! A node, as a configuration names it by its certificate.

use crate::caller::NodeName;

/// A node, by what its certificate says or by the certificate itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateWord {
    /// The whole subject, or one part of it. Every authority that is trusted can issue one with it.
    Subject(String),
    /// SHA-256 of the certificate, in lower case hexadecimal.
    Fingerprint(String),
}

impl CertificateWord {
    /// Reads `CN=NAME`, a whole subject, or the SHA-256 of a certificate, in capitals, with colons and with
    /// `sha256:` in front too.
    ///
    /// # Errors
    /// If no certificate can be meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let digits: String = digits.chars().filter(|digit| *digit != ':').collect();
        if digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(Self::Fingerprint(digits.to_ascii_lowercase()));
        }
        let is_part = text.split_once('=').is_some_and(|(kind, value)| {
            let is_kind = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | ' ');
            !kind.is_empty() && kind.chars().all(is_kind) && !value.is_empty()
        });
        match is_part && text.trim() == text {
            true => Ok(Self::Subject(text.to_owned())),
            false => Err(format!(
                "{text:?}: it is neither CN=NAME nor the SHA-256 of a certificate"
            )),
        }
    }

    /// Whether this is the node.
    pub fn is(&self, node: &NodeName) -> bool {
        match self {
            Self::Subject(subject) => node.is_called(subject),
            Self::Fingerprint(fingerprint) => node.fingerprint == *fingerprint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Shown;

    #[test]
    fn a_node_is_named_by_subject_or_certificate() {
        let node = NodeName {
            subject: "CN=north.example, O=North".to_owned(),
            fingerprint: "0a".repeat(32),
            certificate: Shown::default(),
        };
        let names = |text: &str| CertificateWord::parse(text).unwrap().is(&node);
        for text in [
            "CN=north.example",
            "O=North",
            "CN=north.example, O=North",
            &"0a".repeat(32),
            &"0A:".repeat(32),
            &format!("sha256:{}", "0a".repeat(32)),
        ] {
            assert!(names(text), "{text}");
        }
        assert!(!names("CN=south.example") && !names(&"0b".repeat(32)));
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for text in [
            "",
            "north.example",
            "CN=",
            "=north.example",
            " CN=north.example",
            "/CN=north.example",
            "sha256:00",
            &"0a".repeat(31),
        ] {
            let refused = CertificateWord::parse(text).unwrap_err();
            assert!(refused.contains("SHA-256"), "{refused}");
        }
    }
}
