//! The basis of the tests: a fresh store on each engine, a clock that is advanced by hand, randomness with a seed.
//!
//! A test that touches a store is written once, inside [`both_engines!`], and runs as `name::sqlite` and
//! `name::postgres`.

pub mod app;
pub mod cluster;
pub mod command;
pub mod logs;
pub mod order;
pub mod pki;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod second_gateway;
pub mod store;

use std::sync::LazyLock;

use medcredit::{
    consent::Decision,
    domain::{Actor, Channel},
};

pub use store::{TestStore, private_directory};

/// An operator at the command line.
pub fn operator(name: &str) -> Actor {
    Actor::operator(name, Channel::CommandLine).unwrap()
}

/// The operator of tests, at the command line.
pub fn tester() -> &'static Actor {
    static TESTER: LazyLock<Actor> = LazyLock::new(|| operator("tester"));
    &TESTER
}

/// A decision of an operator at the command line, without a reason.
pub fn decided_by(name: &str) -> Decision {
    Decision::by(operator(name))
}

/// Runs an asynchronous body to completion on its own runtime.
pub fn block_on<F: Future>(body: F) -> F::Output {
    logs::watch();
    tokio::runtime::Builder::new_multi_thread()
        // Two threads: tasks run in parallel, and many tests still fit beside each other.
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts")
        .block_on(body)
}

/// Runs each named `async fn` on both engines, as two tests: `name::sqlite` and `name::postgres`.
///
/// The functions are ordinary ones below the list, so that rustfmt, go-to-definition and line numbers work. One that is
/// missing from the list is dead code, which the lints refuse.
///
/// ```ignore
/// both_engines! {
///     a_name_is_taken_once,
/// }
///
/// /// An operator registers a bank twice.
/// async fn a_name_is_taken_once(store: TestStore) {
///     let mut tx = store.db.begin("test").await.unwrap();
/// }
/// ```
macro_rules! both_engines {
    ($($name:ident),+ $(,)?) => {$(
        // The module and the function of one name do not clash: they live in different namespaces.
        mod $name {
            #[test]
            fn sqlite() {
                $crate::support::block_on(async { super::$name($crate::support::TestStore::sqlite().await).await });
            }

            #[test]
            fn postgres() {
                $crate::support::block_on(async { super::$name($crate::support::TestStore::postgres().await).await });
            }
        }
    )+};
}
pub(crate) use both_engines;
