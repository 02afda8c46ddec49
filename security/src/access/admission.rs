//! Whether somebody may hand in something, or subscribe: asked at the door before anything is read, and of
//! each document when it is known what it is. Whoever may not is told no more than that; the operator
//! finds the rule in the log.

use std::sync::Arc;
use std::time::SystemTime;

use thiserror::Error;
use xds_schemas::soap::Fault;

use super::{Access, Asking, Decision, Level};
use crate::caller::Caller;
use crate::permission::Permission;

/// Somebody may not do something here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not permitted")]
pub struct NotAdmitted {
    permission: Permission,
    rule: Arc<str>,
}

impl NotAdmitted {
    pub(super) fn by(permission: Permission, rule: &Arc<str>) -> Self {
        Self {
            permission,
            rule: Arc::clone(rule),
        }
    }

    /// What is handed in must be given in full by what was decided of it.
    ///
    /// # Errors
    /// If it is not.
    pub fn unless_full(permission: Permission, decision: &Decision) -> Result<(), Self> {
        match decision.level {
            Level::Full => Ok(()),
            _ => Err(Self::by(permission, &decision.rule)),
        }
    }

    /// The rule that decided.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Tells the operator why, and gives what the caller is told.
    pub fn told(&self, caller: &Caller) -> Fault {
        let address = caller.address.ip().to_canonical();
        let node = caller.node.as_ref().map(ToString::to_string);
        tracing::warn!(
            %address,
            node,
            calling = caller.ae_title,
            rule = &*self.rule,
            "refused by the rules: it may not {} here",
            self.permission.as_str()
        );
        Fault::not_permitted(self.to_string())
    }
}

impl Access {
    /// Whether a caller may hand in anything ([`Permission::Provide`], [`Permission::Register`]) or be told
    /// of anything ([`Permission::Subscribe`]). Nothing need be read to say so.
    ///
    /// # Errors
    /// If there is nothing, whatever it is. The operator has been told why.
    pub fn admits(
        &self,
        caller: &Caller,
        permission: Permission,
        now: SystemTime,
    ) -> Result<(), Fault> {
        let Some(policy) = self.policy() else {
            return Ok(());
        };
        let asking = Asking {
            caller,
            permission,
            now,
        };
        let level = match permission {
            Permission::Subscribe => Level::Existence,
            _ => Level::Full,
        };
        let admitted = policy.admits(&asking, level);
        admitted.map_err(|refused| refused.told(caller))
    }
}
