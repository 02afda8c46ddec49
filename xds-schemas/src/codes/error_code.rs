//! Error codes (ITI TF-3 Table 4.2.4.1-2).

use std::fmt;

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $wire:literal,)*) => {
        /// Why a request, or a part of it, was not carried out as asked.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[doc = $doc])* $variant,)*
            /// A code of another profile or vendor, kept as it came.
            Other(String),
        }

        impl ErrorCode {
            /// The code on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $wire,)*
                    Self::Other(code) => code,
                }
            }

            /// The code with this spelling.
            pub fn parse(code: &str) -> Self {
                match code {
                    $($wire => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

error_codes! {
    /// The recipient queued the document, for instance until a person has matched the patient.
    DocumentQueued = "DocumentQueued",
    /// The document's content contradicts its metadata or format.
    InvalidDocumentContent = "InvalidDocumentContent",
    /// Append semantics were ignored.
    PartialAppendContentNotProcessed = "PartialAppendContentNotProcessed",
    /// Folder semantics were ignored.
    PartialFolderContentNotProcessed = "PartialFolderContentNotProcessed",
    /// A relationship was ignored.
    PartialRelationshipContentNotProcessed = "PartialRelationshipContentNotProcessed",
    /// Replacement semantics were ignored.
    PartialReplaceContentNotProcessed = "PartialReplaceContentNotProcessed",
    /// Transformation semantics were ignored.
    PartialTransformNotProcessed = "PartialTransformNotProcessed",
    /// Transform-and-replace semantics were ignored.
    PartialTransformReplaceNotProcessed = "PartialTransformReplaceNotProcessed",
    /// An entryUUID refers to nothing.
    UnresolvedReferenceException = "UnresolvedReferenceException",
    /// No such document, or none for this caller.
    DocumentUniqueIdError = "XDSDocumentUniqueIdError",
    /// The uniqueId of a submission set or folder is taken.
    DuplicateUniqueIdInRegistry = "XDSDuplicateUniqueIdInRegistry",
    /// Extra metadata was dropped.
    ExtraMetadataNotSaved = "XDSExtraMetadataNotSaved",
    /// A document entry came without its document.
    MissingDocument = "XDSMissingDocument",
    /// A document came without its entry.
    MissingDocumentMetadata = "XDSMissingDocumentMetadata",
    /// HomeCommunityId is needed here.
    MissingHomeCommunityId = "XDSMissingHomeCommunityId",
    /// A known uniqueId came with another hash.
    NonIdenticalHash = "XDSNonIdenticalHash",
    /// A known uniqueId came with another size.
    NonIdenticalSize = "XDSNonIdenticalSize",
    /// Patient ids that must agree differ.
    PatientIdDoesNotMatch = "XDSPatientIdDoesNotMatch",
    /// The registry has too much to do.
    RegistryBusy = "XDSRegistryBusy",
    /// The repository has too much to do.
    RepositoryBusy = "XDSRepositoryBusy",
    /// An association refers to a deprecated document.
    RegistryDeprecatedDocumentError = "XDSRegistryDeprecatedDocumentError",
    /// A uniqueId stands twice in one submission (registry).
    RegistryDuplicateUniqueIdInMessage = "XDSRegistryDuplicateUniqueIdInMessage",
    /// A uniqueId stands twice in one submission (repository).
    RepositoryDuplicateUniqueIdInMessage = "XDSRepositoryDuplicateUniqueIdInMessage",
    /// Internal error of the registry.
    RegistryError = "XDSRegistryError",
    /// Internal error of the repository.
    RepositoryError = "XDSRepositoryError",
    /// The metadata breaks a rule (registry).
    RegistryMetadataError = "XDSRegistryMetadataError",
    /// The metadata breaks a rule (repository).
    RepositoryMetadataError = "XDSRepositoryMetadataError",
    /// The repository cannot reach the registry.
    RegistryNotAvailable = "XDSRegistryNotAvailable",
    /// The registry lacks resources.
    RegistryOutOfResources = "XDSRegistryOutOfResources",
    /// The repository lacks resources.
    RepositoryOutOfResources = "XDSRepositoryOutOfResources",
    /// One request would disclose several patients.
    ResultNotSinglePatient = "XDSResultNotSinglePatient",
    /// A required query parameter is missing.
    StoredQueryMissingParam = "XDSStoredQueryMissingParam",
    /// A query parameter has too many values, or two of an exclusive pair were given.
    StoredQueryParamNumber = "XDSStoredQueryParamNumber",
    /// The answer would exceed the limit.
    TooManyResults = "XDSTooManyResults",
    /// A known community does not answer.
    UnavailableCommunity = "XDSUnavailableCommunity",
    /// The homeCommunityId is not known.
    UnknownCommunity = "XDSUnknownCommunity",
    /// The patient id is not known.
    UnknownPatientId = "XDSUnknownPatientId",
    /// The repositoryUniqueId is not known.
    UnknownRepositoryId = "XDSUnknownRepositoryId",
    /// The query id is not known.
    UnknownStoredQuery = "XDSUnknownStoredQuery",
    /// The intended recipient cannot be reached.
    UnavailableRecipient = "UnavailableRecipient",
    /// The intended recipient is not known.
    UnknownRecipient = "UnknownRecipient",
    /// An update went wrong, and no other code says how (metadata update).
    MetadataUpdateError = "XDSMetadataUpdateError",
    /// Patient ids that must agree after an update would differ (metadata update).
    PatientIdReconciliationError = "XDSPatientIDReconciliationError",
    /// What an update asks for is none of the operations there are, or several (metadata update).
    MetadataUpdateOperationError = "XDSMetadataUpdateOperationError",
    /// An update is not of the current version (metadata update).
    MetadataVersionError = "XDSMetadataVersionError",
    /// A new version has another logicalID, uniqueId or objectType (metadata update).
    MetadataIdentifierError = "XDSMetadataIdentifierError",
    /// An update carries something that is new (metadata update).
    InvalidRequestException = "XDSInvalidRequestException",
    /// Something else than a document entry was to be updated (restricted metadata update).
    ObjectTypeError = "XDSObjectTypeError",
    /// An attribute changed that may not change (restricted metadata update).
    UnmodifiableMetadataError = "UnmodifiableMetadataError",
    /// A local policy forbids the update (restricted metadata update).
    LocalPolicyRestrictionError = "LocalPolicyRestrictionError",
    /// The membership of an updated entry in its submission set says something wrong (restricted
    /// metadata update).
    MetadataAnnotationError = "XDSMetadataAnnotationError",
    /// Something that is to be removed is still referred to (remove metadata).
    ReferencesExistException = "ReferencesExistException",
    /// Something would be left that belongs to no submission set (remove metadata).
    UnreferencedObjectException = "XDSUnreferencedObjectException",
    /// A document cannot be removed (remove documents).
    RemoveDocumentsError = "XDSRemoveDocumentsError",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
