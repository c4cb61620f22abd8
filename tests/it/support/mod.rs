//! The basis of the tests: a fresh store on each engine, a clock that is advanced by hand, randomness with a seed.
//!
//! A test that touches a store is written once, inside [`both_engines!`], and runs as `name::sqlite` and
//! `name::postgres`.

pub mod app;
pub mod cluster;
pub mod command;
pub mod logs;
pub mod mariadb;
pub mod order;
pub mod pki;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod second_gateway;
pub mod sshd;
pub mod store;

use std::sync::LazyLock;

use medcredit::{
    consent::Decision,
    domain::{Actor, Channel},
    grading::Library,
    scoring::shipped,
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

/// The library of a city that has decided itself whom its model of institutions leaves out: subjects by their statuses, and
/// not those without data.
pub fn library() -> Library {
    let directory = tempfile::tempdir().unwrap();
    let (_, text) = shipped::MODELS[0];
    let own = text.replace(
        r#"reasons = ["insufficient_data"]"#,
        r#"reasons = ["agreement_under_one_year", "agreement_ended_by_subject", "agreement_ended_by_bureau", "licence_suspended"]"#,
    );
    assert_ne!(own, text);
    std::fs::write(directory.path().join("institution.toml"), own).unwrap();
    Library::load(&directory.path().join("none"), directory.path()).unwrap()
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
