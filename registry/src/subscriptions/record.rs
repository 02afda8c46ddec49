//! What is recorded of a notification when it is sent, kept beside it until then.

use hilum_audit::{Notified, NotifiedKind};

/// Separates what is kept of an object for the record.
const TAB: char = '\t';

/// Objects, as they are kept for the record: one a line.
pub(crate) fn list(objects: impl Iterator<Item = Notified>) -> String {
    let line = |object: Notified| {
        let kind = match object.kind {
            NotifiedKind::Stable => "stable",
            NotifiedKind::OnDemand => "on-demand",
            NotifiedKind::Folder => "folder",
            NotifiedKind::SubmissionSet => "submission set",
            NotifiedKind::Reference => "reference",
        };
        let home = object.home_community_id.unwrap_or_default();
        let plain = |text: String| text.replace(char::is_control, " ");
        format!(
            "{kind}{TAB}{}{TAB}{}\n",
            plain(object.entry_uuid),
            plain(home)
        )
    };
    objects.map(line).collect()
}

/// The objects, as they are recorded.
pub(crate) fn notified(listed: &str) -> Vec<Notified> {
    let read = |line: &str| {
        let mut parts = line.split(TAB);
        let kind = match parts.next() {
            Some("stable") => NotifiedKind::Stable,
            Some("on-demand") => NotifiedKind::OnDemand,
            Some("folder") => NotifiedKind::Folder,
            Some("submission set") => NotifiedKind::SubmissionSet,
            _ => NotifiedKind::Reference,
        };
        Notified {
            kind,
            entry_uuid: parts.next().unwrap_or_default().to_owned(),
            home_community_id: parts.next().filter(|it| !it.is_empty()).map(str::to_owned),
        }
    };
    listed.lines().map(read).collect()
}
