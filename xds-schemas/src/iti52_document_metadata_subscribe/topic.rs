//! Of what one can be told (ITI TF-2 3.52.5.1, and the Extensions to the Document Metadata
//! Subscription profile, 3.52.5.1.4 to 3.52.5.1.8).

/// A topic: events on one kind of objects, and how much is told of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Registrations of document entries, with all their metadata.
    FullDocumentEntry,
    /// Registrations of document entries, by reference.
    MinimalDocumentEntry,
    /// New submission sets.
    SubmissionSetMetadata,
    /// New folders, and folders that got documents.
    FolderMetadata,
    /// Whatever happens to document entries, with all their metadata.
    ExtendedFullDocumentEntry,
    /// Whatever happens to document entries, by reference.
    ExtendedMinimalDocumentEntry,
    /// Whatever happens to folders but their removal.
    UpdateFolder,
    /// Whatever happens to folders.
    ExtendedFolder,
}

/// What can happen to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// It is new.
    Registered,
    /// Of a folder: a document was put into it, or replaced in it.
    ContentUpdated,
    /// Of a folder: a document was taken out of it.
    DocumentRemoved,
    /// Its metadata changed.
    MetadataUpdated,
    /// It is out of force.
    Deprecated,
    /// It was removed.
    Deleted,
}

/// What a topic is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Document entries.
    DocumentEntry,
    /// Submission sets.
    SubmissionSet,
    /// Folders.
    Folder,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::FullDocumentEntry,
        Self::MinimalDocumentEntry,
        Self::SubmissionSetMetadata,
        Self::FolderMetadata,
        Self::ExtendedFullDocumentEntry,
        Self::ExtendedMinimalDocumentEntry,
        Self::UpdateFolder,
        Self::ExtendedFolder,
    ];

    /// As it is written. The prefix is part of the name and stands for no namespace.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullDocumentEntry => "ihe:FullDocumentEntry",
            Self::MinimalDocumentEntry => "ihe:MinimalDocumentEntry",
            Self::SubmissionSetMetadata => "ihe:SubmissionSetMetadata",
            Self::FolderMetadata => "ihe:FolderMetadata",
            Self::ExtendedFullDocumentEntry => "ihe:ExtendedFullDocumentEntry",
            Self::ExtendedMinimalDocumentEntry => "ihe:ExtendedMinimalDocumentEntry",
            Self::UpdateFolder => "ihe:UpdateFolder",
            Self::ExtendedFolder => "ihe:ExtendedFolder",
        }
    }

    /// Reads a topic.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == text)
    }

    /// Reads the topic of a notification: with what happened, if it says (3.53.4.3.2).
    pub fn parse_event(text: &str) -> Option<(Self, Change)> {
        let (topic, change) = match text.split_once('/') {
            None => (text, Change::Registered),
            Some((topic, name)) => (topic, Change::parse(name)?),
        };
        Some((Self::parse(topic)?, change))
    }

    /// What it is about.
    pub const fn subject(self) -> Subject {
        match self {
            Self::FullDocumentEntry
            | Self::MinimalDocumentEntry
            | Self::ExtendedFullDocumentEntry
            | Self::ExtendedMinimalDocumentEntry => Subject::DocumentEntry,
            Self::SubmissionSetMetadata => Subject::SubmissionSet,
            Self::FolderMetadata | Self::UpdateFolder | Self::ExtendedFolder => Subject::Folder,
        }
    }

    /// Whether objects are only referred to.
    pub const fn is_minimal(self) -> bool {
        matches!(
            self,
            Self::MinimalDocumentEntry | Self::ExtendedMinimalDocumentEntry
        )
    }

    /// Whether one is told of more than what is new.
    pub const fn is_extended(self) -> bool {
        matches!(
            self,
            Self::ExtendedFullDocumentEntry
                | Self::ExtendedMinimalDocumentEntry
                | Self::UpdateFolder
                | Self::ExtendedFolder
        )
    }

    /// The topic of the notification of a change; nothing if this topic does not tell of it
    /// (tables 3.53.4.3.2-1 and 3.53.4.3.2-2). The table has a new folder told as
    /// `ihe:UpdateFolder` to those who subscribed to `ihe:ExtendedFolder`; the sentence before it
    /// wants the topic that was subscribed to, as everywhere else.
    pub fn told(self, change: Change) -> Option<String> {
        let plain = || Some(self.as_str().to_owned());
        let with_change = || Some(format!("{}/{}", self.as_str(), change.name()));
        match (self, change) {
            (_, Change::Registered) | (Self::FolderMetadata, Change::ContentUpdated) => plain(),
            (
                Self::ExtendedFullDocumentEntry | Self::ExtendedMinimalDocumentEntry,
                Change::MetadataUpdated | Change::Deprecated | Change::Deleted,
            )
            | (Self::ExtendedFolder, _) => with_change(),
            (Self::UpdateFolder, change) if change != Change::Deleted => with_change(),
            _ => None,
        }
    }
}

impl Change {
    const fn name(self) -> &'static str {
        match self {
            Self::Registered => "",
            Self::ContentUpdated => "UpdateContent",
            Self::DocumentRemoved => "RemoveDocument",
            Self::MetadataUpdated => "UpdateMetadata",
            Self::Deprecated => "Deprecate",
            Self::Deleted => "Delete",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [
            Self::ContentUpdated,
            Self::DocumentRemoved,
            Self::MetadataUpdated,
            Self::Deprecated,
            Self::Deleted,
        ]
        .into_iter()
        .find(|change| change.name() == name)
    }
}

/// Whether this can be an expression of the simple dialect: a name, perhaps with a prefix.
pub(super) fn is_simple(text: &str) -> bool {
    let is_name = |part: &str| {
        let mut characters = part.chars();
        let first = characters.next();
        first.is_some_and(|it| it.is_alphabetic() || it == '_')
            && characters.all(|it| it.is_alphanumeric() || matches!(it, '_' | '-' | '.'))
    };
    match text.split_once(':') {
        Some((prefix, name)) => is_name(prefix) && is_name(name),
        None => is_name(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_back() {
        let changes = [
            Change::Registered,
            Change::ContentUpdated,
            Change::DocumentRemoved,
            Change::MetadataUpdated,
            Change::Deprecated,
            Change::Deleted,
        ];
        for topic in Topic::ALL {
            assert_eq!(Topic::parse(topic.as_str()), Some(topic));
            for change in changes {
                let Some(told) = topic.told(change) else {
                    continue;
                };
                let read = Topic::parse_event(&told);
                let folder_in_old_words =
                    topic == Topic::FolderMetadata && change == Change::ContentUpdated;
                match folder_in_old_words {
                    true => assert_eq!(read, Some((topic, Change::Registered))),
                    false => assert_eq!(read, Some((topic, change))),
                }
            }
        }
    }

    /// DSUB Extensions, tables 3.53.4.3.2-1 and -2.
    #[test]
    fn who_is_told_of_what() {
        let told = |topic: Topic| {
            [
                Change::Registered,
                Change::ContentUpdated,
                Change::DocumentRemoved,
                Change::MetadataUpdated,
                Change::Deprecated,
                Change::Deleted,
            ]
            .map(|change| u8::from(topic.told(change).is_some()))
        };
        assert_eq!(told(Topic::FullDocumentEntry), [1, 0, 0, 0, 0, 0]);
        assert_eq!(told(Topic::MinimalDocumentEntry), [1, 0, 0, 0, 0, 0]);
        assert_eq!(told(Topic::SubmissionSetMetadata), [1, 0, 0, 0, 0, 0]);
        assert_eq!(told(Topic::ExtendedFullDocumentEntry), [1, 0, 0, 1, 1, 1]);
        assert_eq!(told(Topic::FolderMetadata), [1, 1, 0, 0, 0, 0]);
        assert_eq!(told(Topic::UpdateFolder), [1, 1, 1, 1, 1, 0]);
        assert_eq!(told(Topic::ExtendedFolder), [1, 1, 1, 1, 1, 1]);
        let removed = Topic::ExtendedFolder.told(Change::DocumentRemoved);
        assert_eq!(
            removed.as_deref(),
            Some("ihe:ExtendedFolder/RemoveDocument")
        );
    }
}
