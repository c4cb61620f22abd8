//! Where a test may break off what uses a store: before each turn of the engine. In production nothing is attached and
//! nothing is asked.

use std::{fmt, pin::Pin, sync::Arc};

use super::Db;

/// What a test does before a turn: let it be taken, or never return as a killed process would not.
type Interruption = dyn Fn(&'static str) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// Nothing, or what a test does before each turn.
#[derive(Clone, Default)]
pub(super) struct Turns(Option<Arc<Interruption>>);

impl Turns {
    /// Asks the test, if there is one.
    pub(super) async fn next(&self, turn: &'static str) {
        if let Some(interruption) = &self.0 {
            interruption(turn).await;
        }
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Turns(attached)" } else { "Turns(none)" })
    }
}

impl Db {
    /// The same store, which asks `before` ahead of every turn: a statement's text, or the words `begin` and `commit`.
    #[must_use]
    pub fn interrupted<F>(&self, before: impl Fn(&'static str) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(self.0.clone(), Turns(Some(Arc::new(move |turn| Box::pin(before(turn))))))
    }
}
