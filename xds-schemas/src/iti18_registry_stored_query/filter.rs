//! What a parameter's values let pass.

/// One value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    wildcards: bool,
}

impl Pattern {
    /// Matches this very text.
    pub fn exact(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            wildcards: false,
        }
    }

    /// Matches as SQL's LIKE does: `%` stands for any characters, `_` for one. There is no escape.
    pub fn like(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            wildcards: true,
        }
    }

    /// As it was asked.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `%` and `_` stand for others.
    pub const fn has_wildcards(&self) -> bool {
        self.wildcards
    }

    /// What every value that passes begins with.
    pub fn beginning(&self) -> &str {
        match self.wildcards {
            true => self.text.split(['%', '_']).next().unwrap_or_default(),
            false => &self.text,
        }
    }

    /// Whether the value passes. Case counts.
    pub fn matches(&self, value: &str) -> bool {
        if self.wildcards {
            is_like(&self.text, value)
        } else {
            self.text == value
        }
    }
}

/// LIKE without recursion: on a mismatch the last `%` takes one more character, so that the time
/// is bounded by the product of the lengths.
fn is_like(pattern: &str, value: &str) -> bool {
    let (mut pattern, mut value) = (pattern.chars(), value.chars());
    let mut retry = None;
    loop {
        let (mut rest_of_pattern, mut rest_of_value) = (pattern.clone(), value.clone());
        match (rest_of_pattern.next(), rest_of_value.next()) {
            (None, None) => return true,
            (Some('%'), _) => {
                pattern = rest_of_pattern;
                retry = Some((pattern.clone(), value.clone()));
                continue;
            }
            (Some(expected), Some(character)) if expected == '_' || expected == character => {
                (pattern, value) = (rest_of_pattern, rest_of_value);
                continue;
            }
            _ => {}
        }
        let Some((after_percent, taken)) = &mut retry else {
            return false;
        };
        if taken.next().is_none() {
            return false;
        }
        (pattern, value) = (after_percent.clone(), taken.clone());
    }
}

/// Values of which one must match: those of one slot. None at all let everything pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnyOf(pub Vec<Pattern>);

impl AnyOf {
    /// Whether one of an object's values passes.
    pub fn accepts<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> bool {
        self.0.is_empty()
            || values
                .into_iter()
                .any(|value| self.0.iter().any(|pattern| pattern.matches(value)))
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Several slots of one name, all of which must accept (ITI TF-2 3.18.4.1.2.3.5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllOf(pub Vec<AnyOf>);

impl AllOf {
    /// Whether an object's values pass all of them.
    pub fn accepts<'v>(&self, values: impl IntoIterator<Item = &'v str> + Clone) -> bool {
        self.0.iter().all(|any| any.accepts(values.clone()))
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(AnyOf::is_empty)
    }
}
