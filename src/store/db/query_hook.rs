//! A hook that tests use to interrupt work before a statement of their choice. In production none is attached.

use std::{fmt, pin::Pin, sync::Arc};

use super::Db;

/// What a test does before a statement: let it run, or never return, as in a process that was killed.
type Interruption = dyn Fn(&'static str) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// Called before each statement, begin and commit, where a test attached one.
#[derive(Clone, Default)]
pub(super) struct QueryHook(Option<Arc<Interruption>>);

impl QueryHook {
    /// Waits for the test's hook, if there is one.
    pub(super) async fn before(&self, statement: &'static str) {
        if let Some(interruption) = &self.0 {
            interruption(statement).await;
        }
    }
}

impl fmt::Debug for QueryHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "QueryHook(attached)" } else { "QueryHook(none)" })
    }
}

impl Db {
    /// The same store with a hook that is called with each statement's text, or with the words `begin` and `commit`.
    #[must_use]
    pub fn with_query_hook<F>(&self, before: impl Fn(&'static str) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Boxed, so that a test's future does not show in the type of the store.
        let hook = QueryHook(Some(Arc::new(move |statement| Box::pin(before(statement)))));
        Self { hook, ..self.clone() }
    }
}
