//! Status URNs (ITI TF-3 4.2.3.2.2, 4.2.4.2; ebRS 3.0).

/// In force.
pub const APPROVED: &str = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved";
/// Replaced or withdrawn.
pub const DEPRECATED: &str = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated";

/// `availabilityStatus` of a registry object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AvailabilityStatus {
    /// In force.
    Approved,
    /// Replaced or withdrawn.
    Deprecated,
}

impl AvailabilityStatus {
    /// The URN on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => APPROVED,
            Self::Deprecated => DEPRECATED,
        }
    }

    /// The status with this URN.
    pub fn parse(urn: &str) -> Option<Self> {
        match urn {
            APPROVED => Some(Self::Approved),
            DEPRECATED => Some(Self::Deprecated),
            _ => None,
        }
    }
}

/// `documentAvailability` of a document entry (metadata update 4.2.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentAvailability {
    /// The document can be retrieved. So it can where nothing is said.
    Online,
    /// It cannot, for the time being.
    Offline,
}

impl DocumentAvailability {
    /// The URN on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "urn:ihe:iti:2010:DocumentAvailability:Online",
            Self::Offline => "urn:ihe:iti:2010:DocumentAvailability:Offline",
        }
    }

    /// The availability with this URN.
    pub fn parse(urn: &str) -> Option<Self> {
        [Self::Online, Self::Offline]
            .into_iter()
            .find(|one| one.as_str() == urn)
    }
}

/// `@status` of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseStatus {
    /// Everything asked was done.
    Success,
    /// Some of it was done; the error list says what was not.
    PartialSuccess,
    /// Nothing was done.
    Failure,
}

impl ResponseStatus {
    /// The URN on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success",
            Self::PartialSuccess => "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess",
            Self::Failure => "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure",
        }
    }

    /// The status with this URN.
    pub fn parse(urn: &str) -> Option<Self> {
        [Self::Success, Self::PartialSuccess, Self::Failure]
            .into_iter()
            .find(|status| status.as_str() == urn)
    }
}

/// `@severity` of a registry error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The request was carried out all the same.
    Warning,
    /// What it concerns was not done.
    Error,
}

impl Severity {
    /// The URN on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning",
            Self::Error => "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error",
        }
    }

    /// The severity with this URN; some senders leave the prefix out.
    pub fn parse(urn: &str) -> Option<Self> {
        match urn.rsplit(':').next() {
            Some("Warning") => Some(Self::Warning),
            Some("Error") => Some(Self::Error),
            _ => None,
        }
    }
}
