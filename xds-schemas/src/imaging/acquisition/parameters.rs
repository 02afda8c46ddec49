//! The parameters that are known here, and where each stands in the standard.

mod contrast_and_dose;
mod general;
mod geometry;
mod magnetic_resonance;
mod nuclear;
mod ultrasound;
mod x_ray;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Kind, Parameter};

const TABLES: [&[Parameter]; 7] = [
    general::PARAMETERS,
    geometry::PARAMETERS,
    magnetic_resonance::PARAMETERS,
    x_ray::PARAMETERS,
    contrast_and_dose::PARAMETERS,
    nuclear::PARAMETERS,
    ultrasound::PARAMETERS,
];

static BY_KEYWORD: LazyLock<HashMap<&str, &Parameter>> =
    LazyLock::new(|| parameters().map(|it| (it.keyword, it)).collect());

/// All parameters that are known here, by what they are about.
pub fn parameters() -> impl Iterator<Item = &'static Parameter> {
    TABLES.into_iter().flatten()
}

/// The parameter with this keyword.
pub fn parameter(keyword: &str) -> Option<&'static Parameter> {
    BY_KEYWORD.get(keyword).copied()
}

const fn number(keyword: &'static str, unit: &'static str, means: &'static str) -> Parameter {
    Parameter {
        keyword,
        kind: Kind::Number(unit),
        means,
    }
}

const fn count(keyword: &'static str, means: &'static str) -> Parameter {
    number(keyword, "1", means)
}

const fn text(keyword: &'static str, means: &'static str) -> Parameter {
    Parameter {
        keyword,
        kind: Kind::Text,
        means,
    }
}

const fn code(keyword: &'static str, means: &'static str) -> Parameter {
    Parameter {
        keyword,
        kind: Kind::Code,
        means,
    }
}
