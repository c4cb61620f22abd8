//! The digest of what a record says, without what differs in every row of it.

use crate::push::{
    manifest::sha256,
    platform::{Content, Fields, Value},
};

/// The digest of the fields of a record, without values that say nothing about it: `own` names them, such as the version.
pub(super) fn content<V: Value, N: AsRef<str>>(
    fields: &Fields<V>,
    rendered: &[(N, String)],
    own: impl Fn(V) -> bool,
) -> String {
    let mut text = String::new();
    for (field, (name, value)) in fields.fields.iter().zip(rendered) {
        if !matches!(field.content, Content::Value(value) if own(value)) {
            // The separators are in no field: characters that cannot be seen are refused.
            text.extend([name.as_ref(), "\u{1f}", value, "\u{1e}"]);
        }
    }
    sha256(text.as_bytes())
}
