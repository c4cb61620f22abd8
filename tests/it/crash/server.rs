//! The database server is killed under the gateway: everything committed is there after its restart, and the gateway
//! continues.

use std::time::Duration;

use super::{
    driver::Load,
    killed::UNLIMITED,
    ledger::{check_ledger, file_checkpoint},
};
use crate::support::{TestStore, app::TestApp, block_on, cluster::Cluster, process::Gateway, store::StoreLocation};

#[test]
fn a_database_server_that_is_killed_has_lost_nothing() {
    // Two banks read at a gateway whose PostgreSQL server loses one of its processes, and then all of them.
    block_on(async {
        let cluster = tokio::task::block_in_place(Cluster::start);
        let store = TestStore::on_cluster(&cluster).await.today();
        let StoreLocation::Postgres { database } = store.location() else { unreachable!() };
        let database = database.clone();
        let app = TestApp::start_with(store, UNLIMITED).await;
        let config = app.config_file("gateway");
        let load = Load::new(app).await;
        let mut tasks = load.start();
        let mut gateway = Gateway::start(&config);
        load.gateway_at(&gateway.serving());
        let mut heads = Vec::new();
        for crash in 0..4 {
            tokio::time::timeout(Duration::from_secs(60), load.wait_for_answers(40))
                .await
                .expect("banks are answered again");
            if crash % 2 == 0 {
                cluster.kill_a_backend(&database).await;
            } else {
                tokio::task::block_in_place(|| cluster.crash());
            }
            heads.extend(file_checkpoint(&load).await);
        }
        tokio::time::timeout(Duration::from_secs(60), load.wait_for_answers(40))
            .await
            .expect("banks are answered again");
        load.end();
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        gateway.signal("-TERM");
        assert_eq!(gateway.end().0, Some(0));
        let disclosures = check_ledger(&load, &heads).await;
        eprintln!("{} answers, {disclosures} records, {} checkpoints received", load.answered(), heads.len());
    });
}
