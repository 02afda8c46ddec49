//! The identifiers of objects, documents, repositories and communities, each a type of its own.

use std::fmt;

macro_rules! identifiers {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub String);

        impl $name {
            /// As it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )*};
}

identifiers! {
    /// `entryUUID`: `urn:uuid:…`, or a symbolic name that holds inside one submission.
    EntryUuid,
    /// `uniqueId`: any globally unique text; an OID for submission sets and folders.
    UniqueId,
    /// `repositoryUniqueId`: an OID.
    RepositoryUniqueId,
    /// `homeCommunityId`: `urn:oid:…`.
    HomeCommunityId,
}

impl EntryUuid {
    /// Whether this is only a name inside one submission (ITI TF-3 4.2.1.5).
    pub fn is_symbolic(&self) -> bool {
        !self.0.starts_with("urn:uuid:")
    }
}
