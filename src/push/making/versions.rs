//! What a platform was sent about a record so far, and what follows from it.

use crate::{push::platform::Operation, store::push::rows::SentRow};

/// The reason of rejecting a change to a record that is not there.
const NO_ORIGINAL: &str = "R13";

/// What a platform was sent about a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SentVersions {
    /// The last version, also of a row that was withheld.
    last_version: i64,
    /// The newest row that was not withheld.
    newest: Option<Newest>,
    /// Whether the platform has the record, as far as its answers say; a row that it has not answered counts as taken.
    stands: bool,
}

/// The newest row that a platform was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Newest {
    content: String,
    withdraws: bool,
    /// The platform has not applied it.
    refused: bool,
    /// A person waived it, or has not acted on it; none where a later version settled it, which was then withheld.
    waits: Option<Next>,
}

/// What is to be done about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A row is to be sent.
    Send(Operation, i64),
    /// The platform has it as it is.
    Unchanged,
    /// The platform rejected exactly this, and a person has not acted on it yet.
    Rejected,
    /// The platform rejected exactly this, and a person waived it.
    Waived,
    /// The platform has nothing of it, and is to have nothing.
    Nothing,
}

impl SentVersions {
    /// What the rows of one record say: all of them, earlier versions first.
    pub(super) fn of<'r>(rows: impl IntoIterator<Item = &'r SentRow>) -> Self {
        let mut versions = Self::default();
        for row in rows {
            versions.last_version = row.version;
            let withdraws = row.operation == Operation::Delete.as_str();
            match row.state.as_str() {
                "withheld" => continue,
                // One that was recalled may have arrived before.
                "open" | "accepted" | "recalled" => versions.stands = !withdraws,
                // The platform says that it does not have the record.
                "rejected" if row.reason.as_deref() == Some(NO_ORIGINAL) => versions.stands = false,
                _ => {}
            }
            let refused = !matches!(row.state.as_str(), "open" | "accepted");
            let waits = match row.state.as_str() {
                // It is sent as a new record, without a person.
                "rejected"
                    if row.operation == Operation::Update.as_str() && row.reason.as_deref() == Some(NO_ORIGINAL) =>
                {
                    None
                }
                "rejected" => Some(Next::Rejected),
                "waived" => Some(Next::Waived),
                _ => None,
            };
            versions.newest = Some(Newest { content: row.content.clone(), withdraws, refused, waits });
        }
        versions
    }

    /// What follows where the platform is to have a record with a content, or nothing. With `again`, what the platform rejected is
    /// sent again though nothing changed.
    pub(super) fn next(&self, content: Option<&str>, again: bool) -> Next {
        let version = self.last_version + 1;
        // Nothing is to be withdrawn from a platform that has nothing, whatever it rejected.
        if content.is_none() && !self.stands {
            return Next::Nothing;
        }
        if let Some((newest, waits)) = self.newest.as_ref().and_then(|newest| Some((newest, newest.waits?))) {
            let same = match content {
                Some(content) => !newest.withdraws && newest.content == content,
                None => newest.withdraws,
            };
            if same && !again {
                return waits;
            }
        }
        let has_it = |content: &str| {
            self.newest.as_ref().is_some_and(|newest| !newest.refused && !newest.withdraws && newest.content == content)
        };
        match content {
            Some(content) if self.stands && has_it(content) => Next::Unchanged,
            Some(_) if self.stands => Next::Send(Operation::Update, version),
            Some(_) => Next::Send(Operation::Insert, version),
            None => Next::Send(Operation::Delete, version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(rows: &[(i64, &str, &str, &str)]) -> SentVersions {
        let rows: Vec<_> = rows
            .iter()
            .map(|(version, operation, content, state)| SentRow {
                platform: "p".into(),
                record_id: "r".into(),
                version: *version,
                package_id: "pkg".into(),
                page: 1,
                code: None,
                operation: (*operation).into(),
                content: (*content).into(),
                digest: String::new(),
                state: (*state).into(),
                reason: None,
                note: None,
                decided_at: None,
            })
            .collect();
        SentVersions::of(&rows)
    }

    #[test]
    fn a_record_is_new_once_and_then_changes() {
        assert_eq!(SentVersions::default().next(Some("a"), false), Next::Send(Operation::Insert, 1));
        assert_eq!(SentVersions::default().next(None, false), Next::Nothing);
        for state in ["open", "accepted"] {
            let one = versions(&[(1, "I", "a", state)]);
            assert_eq!(one.next(Some("a"), false), Next::Unchanged);
            assert_eq!(one.next(Some("b"), false), Next::Send(Operation::Update, 2));
            assert_eq!(one.next(None, false), Next::Send(Operation::Delete, 2));
        }
    }

    #[test]
    fn a_withdrawn_record_comes_back_as_a_new_one() {
        let withdrawn = versions(&[(1, "I", "a", "accepted"), (2, "D", "a", "accepted")]);
        assert_eq!(withdrawn.next(None, false), Next::Nothing);
        assert_eq!(withdrawn.next(Some("a"), false), Next::Send(Operation::Insert, 3));
    }

    #[test]
    fn a_rejected_row_waits_for_a_change_or_for_a_person() {
        let rejected = versions(&[(1, "I", "a", "rejected")]);
        assert_eq!(rejected.next(Some("a"), false), Next::Rejected);
        assert_eq!(rejected.next(Some("a"), true), Next::Send(Operation::Insert, 2));
        assert_eq!(rejected.next(Some("b"), false), Next::Send(Operation::Insert, 2), "the correction is new to it");
        assert_eq!(rejected.next(None, false), Next::Nothing);
        let update = versions(&[(1, "I", "a", "accepted"), (2, "U", "b", "rejected")]);
        assert_eq!(update.next(Some("b"), false), Next::Rejected);
        assert_eq!(update.next(Some("a"), false), Next::Send(Operation::Update, 3), "what it has is sent again");
        assert_eq!(update.next(None, false), Next::Send(Operation::Delete, 3));
        assert_eq!(versions(&[(1, "I", "a", "waived")]).next(Some("a"), false), Next::Waived);
        let withdrawal = versions(&[(1, "I", "a", "accepted"), (2, "D", "a", "rejected")]);
        assert_eq!(withdrawal.next(None, false), Next::Rejected);
        assert_eq!(withdrawal.next(None, true), Next::Send(Operation::Delete, 3));
    }

    #[test]
    fn a_withheld_row_never_left_but_keeps_its_version() {
        let withheld = versions(&[(1, "I", "a", "withheld")]);
        assert_eq!(withheld.next(Some("a"), false), Next::Send(Operation::Insert, 2));
        assert_eq!(withheld.next(None, false), Next::Nothing);
        let correction = versions(&[(1, "I", "a", "accepted"), (2, "U", "b", "withheld")]);
        assert_eq!(correction.next(None, false), Next::Send(Operation::Delete, 3));
        assert_eq!(correction.next(Some("a"), false), Next::Unchanged);
        let late = versions(&[(1, "I", "a", "rejected"), (2, "D", "a", "rejected")]);
        assert_eq!(late.next(None, true), Next::Nothing, "it never had the record");
        // A page whose answer was lost, and then the row had to be withheld: the platform may have it.
        let recalled = versions(&[(1, "I", "a", "recalled")]);
        assert_eq!(recalled.next(None, false), Next::Send(Operation::Delete, 2));
        assert_eq!(recalled.next(Some("a"), false), Next::Send(Operation::Update, 2));
        // A rejected row was resolved by a version that never left.
        let resolved = versions(&[(1, "I", "a", "resolved"), (2, "I", "a", "withheld")]);
        assert_eq!(resolved.next(Some("a"), false), Next::Send(Operation::Insert, 3));
    }
}
