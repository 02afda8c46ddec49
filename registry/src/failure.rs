//! Why something was not done.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request breaks rules: all of them.
    Refused(Vec<RegistryError>),
    /// It is our fault, or that of what we depend on.
    Internal(anyhow::Error),
}

impl Failure {
    /// One rule was broken.
    pub(crate) fn refused(code: ErrorCode, context: impl Into<String>) -> Self {
        Self::Refused(vec![RegistryError::error(code, context)])
    }

    /// What the caller is told. The one place where internal failures are logged: the caller gets
    /// a number by which the operator finds the reason.
    pub(crate) fn into_errors(self) -> Vec<RegistryError> {
        match self {
            Self::Refused(errors) => errors,
            Self::Internal(error) => {
                let incident = uuid::Uuid::now_v7().simple();
                tracing::error!(%incident, "a call failed: {error:#}");
                vec![RegistryError::error(
                    ErrorCode::RegistryError,
                    format!("internal error {incident}"),
                )]
            }
        }
    }
}
