//! The database server dies under the gateway: what it had committed is there when it is back, and the gateway goes on.

use std::time::Duration;

use super::{
    driver::Load,
    killed::UNLIMITED,
    ledger::{holds_everything, promised},
};
use crate::support::{TestStore, app::TestApp, block_on, cluster::Cluster, process::Gateway, store::Place};

#[test]
fn a_database_server_that_is_killed_has_lost_nothing() {
    // Two banks read at a gateway whose PostgreSQL server loses one of its processes, and then all of them.
    block_on(async {
        let cluster = tokio::task::block_in_place(Cluster::start);
        let store = TestStore::of(&cluster).await.today();
        let Place::Postgres { database } = store.place() else { unreachable!() };
        let database = database.clone();
        let app = TestApp::start_with(store, UNLIMITED).await;
        let config = app.config_file("gateway");
        let load = Load::new(app).await;
        let mut tasks = load.start();
        let mut gateway = Gateway::start(&config);
        load.moved(&gateway.serving());
        let mut promises = Vec::new();
        for crash in 0..4 {
            tokio::time::timeout(Duration::from_secs(60), load.more(40)).await.expect("banks are answered again");
            if crash % 2 == 0 {
                cluster.kill_a_backend(&database).await;
            } else {
                tokio::task::block_in_place(|| cluster.crash());
            }
            promises.extend(promised(&load).await);
        }
        tokio::time::timeout(Duration::from_secs(60), load.more(40)).await.expect("banks are answered again");
        load.end();
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        gateway.tell("-TERM");
        assert_eq!(gateway.end().0, Some(0));
        let disclosures = holds_everything(&load, &promises).await;
        eprintln!("{} answers, {disclosures} records, {} checkpoints kept", load.answered(), promises.len());
    });
}
