//! What the scopes of a token allow (IUA 3.72.4.3: a scope must cover the transaction).
//!
//! IUA leaves the words of scopes to those who use them. Known here are transactions by their
//! names, and the scopes of SMART on FHIR; the operator may give meaning to others.

use crate::permission::Permission;

/// Names of transactions, and what they ask for.
const TRANSACTIONS: [(&str, &[Permission]); 14] = [
    ("ITI-18", &[Permission::Query]),
    ("ITI-43", &[Permission::Retrieve]),
    ("ITI-65", &[Permission::Provide]),
    ("ITI-66", &[Permission::Query]),
    ("ITI-67", &[Permission::Query]),
    ("ITI-68", &[Permission::Retrieve]),
    ("ITI-81", &[Permission::Audit]),
    ("ITI-82", &[Permission::Audit]),
    ("RAD-55", &[Permission::Retrieve]),
    ("RAD-69", &[Permission::Retrieve]),
    ("RAD-107", &[Permission::Retrieve]),
    ("RAD-108", &[Permission::Provide]),
    ("RAD-129", &[Permission::Query]),
    ("RAD-130", &[Permission::Query]),
];

/// What scopes allow together: nothing if there are only unknown ones. `None` if there are no
/// scopes, so that they forbid nothing.
pub(super) fn permissions(
    scopes: &[String],
    own: &[(String, Vec<Permission>)],
) -> Option<Vec<Permission>> {
    if scopes.is_empty() {
        return None;
    }
    let mut all = Vec::new();
    for scope in scopes {
        let transactions = TRANSACTIONS
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(scope));
        all.extend(transactions.flat_map(|(_, permissions)| *permissions));
        let own = own.iter().filter(|(name, _)| name == scope);
        all.extend(own.flat_map(|(_, permissions)| permissions));
        all.extend(of_smart(scope));
    }
    let mut once: Vec<Permission> = Vec::new();
    for permission in all {
        if !once.contains(&permission) {
            once.push(permission);
        }
    }
    Some(once)
}

/// `user/*.read`, `system/ImagingStudy.rs` and the like. A scope of one patient's (`patient/…`)
/// would need somebody to hold it to that patient, so it is left to the operator.
fn of_smart(scope: &str) -> Vec<Permission> {
    let Some((context, rest)) = scope.split_once('/') else {
        return Vec::new();
    };
    let Some((resource, how)) = rest.split_once('.') else {
        return Vec::new();
    };
    let resources = ["*", "ImagingStudy", "DocumentReference", "Binary"];
    if !["user", "system"].contains(&context) || !resources.contains(&resource) {
        return Vec::new();
    }
    // What follows a question mark narrows the scope in a way that is not looked at here.
    let (reads, writes) = match how {
        "read" => (true, false),
        "write" => (false, true),
        "*" => (true, true),
        letters if !letters.is_empty() && letters.chars().all(|it| "cruds".contains(it)) => (
            letters.contains('r') && letters.contains('s'),
            letters.contains('c'),
        ),
        _ => (false, false),
    };
    let mut permissions = Vec::new();
    if reads {
        permissions.extend([Permission::Query, Permission::Retrieve]);
    }
    if writes {
        permissions.push(Permission::Provide);
    }
    permissions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scopes: &str) -> Option<Vec<Permission>> {
        let scopes: Vec<String> = scopes.split_whitespace().map(str::to_owned).collect();
        let own = [("viewer".to_owned(), vec![Permission::Retrieve])];
        permissions(&scopes, &own)
    }

    #[test]
    fn scopes_allow_what_they_name() {
        use Permission::{Provide, Query, Retrieve};
        for (scopes, expected) in [
            ("RAD-107", vec![Retrieve]),
            ("rad-129 RAD-107 rad-55", vec![Query, Retrieve]),
            ("user/*.read", vec![Query, Retrieve]),
            ("system/ImagingStudy.rs", vec![Query, Retrieve]),
            ("user/*.cruds", vec![Query, Retrieve, Provide]),
            ("user/*.write", vec![Provide]),
            ("viewer", vec![Retrieve]),
            ("patient/*.read", vec![]),
            ("user/Observation.read", vec![]),
            ("user/*.rs?category=x", vec![]),
            ("openid profile", vec![]),
        ] {
            assert_eq!(of(scopes), Some(expected), "{scopes}");
        }
        assert_eq!(of(""), None);
    }
}
