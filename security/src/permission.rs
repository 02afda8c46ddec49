//! What may be asked, and by whom.

use thiserror::Error;

use crate::caller::Caller;

/// What a transaction asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Find out what is registered.
    Query,
    /// Register documents and images.
    Register,
    /// Hand in documents.
    Provide,
    /// Get documents and images.
    Retrieve,
    /// Change what is registered.
    Update,
    /// Remove documents and what is registered of them.
    Remove,
    /// Say who the patients are.
    Announce,
    /// Find out who the patients are.
    Patients,
    /// Be told of what is registered.
    Subscribe,
    /// Read what was recorded of everybody.
    Audit,
    /// Record what patients wish to be done with their documents, and look at it.
    Consent,
    /// Run the system.
    Administer,
}

impl Permission {
    /// In a sentence: "may not …".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Register => "register",
            Self::Provide => "provide documents",
            Self::Retrieve => "retrieve",
            Self::Update => "update metadata",
            Self::Remove => "remove documents",
            Self::Announce => "announce patients",
            Self::Patients => "find patients",
            Self::Subscribe => "subscribe",
            Self::Audit => "read the audit",
            Self::Consent => "record consents",
            Self::Administer => "administer",
        }
    }
}

/// The caller may not do this.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{who} may not {} here", permission.as_str())]
pub struct NotPermitted {
    /// What was asked for.
    pub permission: Permission,
    who: String,
}

impl Caller {
    /// Whether the caller may do this.
    ///
    /// Everyone who was let in may do what documents are shared for: who is let in, the TLS
    /// configuration decides (ITI-19), and an operator who asks for no certificates has decided
    /// too. Running the system, reading what was recorded of everybody, finding out who the patients are,
    /// saying what they wish, and removing what cannot be had back takes a node that is known, or this
    /// very machine.
    ///
    /// A user's token may be for less than that (ITI-72): then its scopes say so.
    pub fn may(&self, permission: Permission) -> Result<(), NotPermitted> {
        let granted = self
            .user
            .as_ref()
            .and_then(|user| user.permissions.as_ref());
        if granted.is_some_and(|granted| !granted.contains(&permission)) {
            return Err(NotPermitted {
                permission,
                who: "the holder of this token".to_owned(),
            });
        }
        match permission {
            Permission::Query
            | Permission::Register
            | Permission::Provide
            | Permission::Retrieve
            | Permission::Update
            | Permission::Announce
            | Permission::Subscribe => Ok(()),
            Permission::Remove
            | Permission::Patients
            | Permission::Audit
            | Permission::Consent
            | Permission::Administer
                if self.node.is_some() || self.address.ip().is_loopback() =>
            {
                Ok(())
            }
            Permission::Remove
            | Permission::Patients
            | Permission::Audit
            | Permission::Consent
            | Permission::Administer => Err(NotPermitted {
                permission,
                who: "a caller without a certificate".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_do_not_administer_or_remove() {
        let far = Caller::unknown("192.0.2.1:5".parse().unwrap());
        assert_eq!(far.may(Permission::Query), Ok(()));
        let refused = far.may(Permission::Administer).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a caller without a certificate may not administer here"
        );
        assert!(far.may(Permission::Remove).is_err());
        assert!(far.may(Permission::Audit).is_err());
        assert!(far.may(Permission::Consent).is_err());
        assert!(far.may(Permission::Patients).is_err());
        let near = Caller::unknown("127.0.0.1:5".parse().unwrap());
        assert_eq!(near.may(Permission::Administer), Ok(()));
        assert_eq!(near.may(Permission::Remove), Ok(()));
    }
}
