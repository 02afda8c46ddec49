//! Why the repository did not do what it was asked.

use std::io;

use uuid::Uuid;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::soap::Fault;

/// Why the repository did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// For reasons the caller is told.
    Refused(Vec<RegistryError>),
    /// The message cannot be taken at all.
    Fault(Fault),
    /// For reasons that concern the operator.
    Internal(anyhow::Error),
}

impl Failure {
    /// What the caller is told: the errors of a response, or a fault. What went wrong inside is
    /// logged here, and the caller gets a number to ask for.
    pub(crate) fn told(self) -> Result<Vec<RegistryError>, Fault> {
        match self {
            Self::Refused(errors) => Ok(errors),
            Self::Fault(fault) => Err(fault),
            Self::Internal(error) => Ok(vec![internal(&error)]),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self::Refused(vec![error])
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                tracing::error!(%error, "the document store is full");
                let code = ErrorCode::RepositoryOutOfResources;
                RegistryError::error(code, "the document store is full").into()
            }
            _ => Self::Internal(error.into()),
        }
    }
}

/// Logs what went wrong and gives the error that refers to the log.
pub(crate) fn internal(error: &anyhow::Error) -> RegistryError {
    let number = Uuid::new_v4();
    tracing::error!(%number, "internal error: {error:#}");
    let context = format!("internal error; the operator finds it in the log as {number}");
    RegistryError::error(ErrorCode::RepositoryError, context)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: io::ErrorKind) -> RegistryError {
        let failure = Failure::from(io::Error::new(kind, "/secret/path"));
        failure.told().unwrap().remove(0)
    }

    /// ITI TF-3 4.2.4.1.
    #[test]
    fn a_full_disk_is_named_and_everything_else_is_internal() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            assert_eq!(told(kind).code, ErrorCode::RepositoryOutOfResources);
        }
        let internal = told(io::ErrorKind::PermissionDenied);
        assert_eq!(internal.code, ErrorCode::RepositoryError);
        assert!(!internal.context.contains("secret"), "{}", internal.context);
    }
}
