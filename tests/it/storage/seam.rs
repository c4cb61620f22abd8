//! What `store/db.rs` promises, said once and held on both engines.

use medcredit::store::{Arg, Engine};

use crate::support::both_engines;

const KEEP: &str = "/* test::keep */ INSERT INTO settings (name, value) VALUES ($1, $2)";
const VALUE: &str = "/* test::value */ SELECT value FROM settings WHERE name = $1";

fn texts(values: &[&str]) -> Vec<Arg> {
    values.iter().map(|value| Arg::from(*value)).collect()
}

both_engines! {
    async fn what_is_committed_is_read_back(store: TestStore) {
        let mut tx = store.db.begin("test").await.unwrap();
        assert_eq!(tx.operation(), "test");
        assert_eq!(tx.execute(KEEP, texts(&["a", "1"])).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let (value,): (String,) = store.db.read("test").fetch_one(VALUE, texts(&["a"])).await.unwrap();
        assert_eq!(value, "1");
    }

    async fn a_transaction_that_is_dropped_leaves_nothing(store: TestStore) {
        let mut tx = store.db.begin("test").await.unwrap();
        tx.execute(KEEP, texts(&["a", "1"])).await.unwrap();
        drop(tx);
        let mut next = store.db.begin("test").await.unwrap();
        let found: Option<(String,)> = next.fetch_optional(VALUE, texts(&["a"])).await.unwrap();
        assert_eq!(found, None);
        assert_eq!(next.engine(), store.db.engine());
        assert!(matches!(next.engine(), Engine::Sqlite | Engine::Postgres));
    }
}
