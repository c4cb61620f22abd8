//! What the tests stand on: a fresh store on each engine, a clock that is advanced by hand, randomness with a seed.
//!
//! A test that touches a store is written once, inside [`both_engines!`], and runs as `name::sqlite` and
//! `name::postgres`.

pub mod app;
pub mod beside;
pub mod cluster;
pub mod command;
pub mod logs;
pub mod order;
pub mod pki;
pub mod process;
pub mod raw;
pub mod store;

pub use store::TestStore;

/// Runs an asynchronous body to its end on a runtime of its own.
pub fn block_on<F: Future>(body: F) -> F::Output {
    logs::watch();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts")
        .block_on(body)
}

/// Writes each body once and runs it on both engines, as two tests: `name::sqlite` and `name::postgres`.
///
/// ```ignore
/// both_engines! {
///     /// An operator registers a bank twice.
///     async fn a_name_is_taken_once(store: TestStore) {
///         let mut tx = store.db.begin("test").await.unwrap();
///     }
/// }
/// ```
macro_rules! both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($store:ident: TestStore) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports, clippy::allow_attributes, reason = "a body may need nothing of its module")]
            use super::*;

            $(#[$meta])*
            async fn body($store: $crate::support::TestStore) $body

            #[test]
            fn sqlite() {
                $crate::support::block_on(async { body($crate::support::TestStore::sqlite().await).await });
            }

            #[test]
            fn postgres() {
                $crate::support::block_on(async { body($crate::support::TestStore::postgres().await).await });
            }
        }
    )+};
}
pub(crate) use both_engines;
