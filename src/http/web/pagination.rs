//! Long lists, a page at a time: each page begins after the last row of the page before, so that rows added meanwhile move
//! nothing.

use super::target;

/// The rows of a page.
pub const ROWS: usize = 20;
/// The rows that a list is asked for: one more than it shows says that there are more.
pub const ASKED: i64 = 21;
const _: () = assert!(ROWS == 20, "one less than ASKED");

/// The links below a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pager {
    /// The first page, if this is another.
    pub first: Option<String>,
    /// The page after this.
    pub next: Option<String>,
}

impl Pager {
    /// Cuts the row that says that there are more, and makes the links. `after` is where this page began.
    pub fn cut<T>(
        rows: &mut Vec<T>,
        path: &str,
        filters: &[(&str, &str)],
        after: &str,
        key: impl Fn(&T) -> String,
    ) -> Self {
        let first = (!after.is_empty()).then(|| target::with_query(path, filters));
        if rows.len() <= ROWS {
            return Self { first, next: None };
        }
        rows.truncate(ROWS);
        let last = rows.last().map(key).unwrap_or_default();
        let mut parameters = filters.to_vec();
        parameters.push(("after", &last));
        Self { first, next: Some(target::with_query(path, &parameters)) }
    }

    /// Whether there is another page.
    pub const fn is_needed(&self) -> bool {
        self.first.is_some() || self.next.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_after_the_last_shown_begins_the_next_page() {
        let mut rows: Vec<usize> = (1..=21).collect();
        let pager = Pager::cut(&mut rows, "/banks", &[("state", "active")], "", ToString::to_string);
        assert_eq!((rows.len(), pager.next.as_deref()), (20, Some("/banks?state=active&after=20")));
        assert_eq!(pager.first, None);
        let mut rows = vec![21];
        let pager = Pager::cut(&mut rows, "/banks", &[], "20", ToString::to_string);
        assert_eq!(pager, Pager { first: Some("/banks".into()), next: None });
    }
}
