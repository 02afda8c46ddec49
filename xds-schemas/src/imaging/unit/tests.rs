use proptest::prelude::*;

use super::*;

fn factor(from: &str, to: &str) -> Option<f64> {
    Unit::parse(from)
        .unwrap_or_else(|| panic!("{from}"))
        .factor_to(&Unit::parse(to).unwrap_or_else(|| panic!("{to}")))
}

#[test]
fn units_that_measure_the_same() {
    for (from, to, expected) in [
        ("s", "ms", 1000.0),
        ("cm", "mm", 10.0),
        ("uGy", "mGy", 1e-3),
        ("ml", "mm3", 1000.0),
        ("cm3", "mL", 1.0),
        ("dGy.cm2", "uGy.m2", 10.0),
        ("mGy.cm", "Gy.m", 1e-5),
        ("mA.s", "uA.s", 1000.0),
        ("kV", "V", 1000.0),
        ("um2/s", "mm2/s", 1e-6),
        ("10*-6.mm2/s", "mm2/s", 1e-6),
        ("/min", "Hz", 1.0 / 60.0),
        ("1/s", "s-1", 1.0),
        ("deg", "rad", std::f64::consts::PI / 180.0),
        ("%", "1", 0.01),
        ("mm[Hg]", "kPa", 0.133_322_387_415),
        ("mT/m", "uT/mm", 1.0),
        ("mCi", "MBq", 37.0),
        ("ml/(min.kg)", "l/s/g", 1e-6 / 60.0),
        ("keV", "eV", 1000.0),
        ("[hnsf'U]", "[hnsf'U]", 1.0),
        ("g/ml{SUVbw}", "{SUVbw}g/ml", 1.0),
        ("{counts}", "1", 1.0),
    ] {
        let found = factor(from, to).unwrap_or_else(|| panic!("{from} {to}"));
        assert!(
            (found / expected - 1.0).abs() < 1e-12,
            "{from} {to} {found}"
        );
    }
}

#[test]
fn units_that_do_not() {
    for (from, to) in [
        ("mm", "mm2"),
        ("s", "Hz"),
        ("Gy", "Sv"),
        ("Bq", "Hz"),
        ("[hnsf'U]", "1"),
        ("mGy", "mGy.cm"),
    ] {
        assert_eq!(factor(from, to), None, "{from} {to}");
    }
    for no_unit in [
        "",
        "seconds",
        "mmm",
        "m.",
        "m//s",
        "(m",
        "m)",
        "MIN",
        "k%",
        "m99999",
        "{",
        "((((((m))))))",
        "m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m.m",
        "0",
    ] {
        assert_eq!(Unit::parse(no_unit), None, "{no_unit}");
    }
}

#[test]
fn a_dimension_is_that_of_all_its_units() {
    let dimension = |text| Unit::parse(text).unwrap().dimension();
    assert_eq!(dimension("ml"), "m3");
    assert_eq!(dimension("V"), dimension("W/A"));
    assert_eq!(dimension("%"), "");
    assert_eq!(Unit::parse("{SUVbw}g/ml").unwrap().annotation(), "SUVbw");
}

#[test]
fn the_unit_of_every_parameter_is_known() {
    use crate::imaging::acquisition::{Kind, parameters};
    for parameter in parameters() {
        if let Kind::Number(unit) = parameter.kind {
            assert!(Unit::parse(unit).is_some(), "{}: {unit}", parameter.keyword);
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_or_not(text in "[a-zA-Z0-9./(){}\\[\\]'%*^+-]{0,40}") {
        let _ = Unit::parse(&text);
    }
}
