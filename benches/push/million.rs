//! A round of a million results, made into a package, delivered over HTTPS by the whole of a gateway's work for a platform, with
//! the peak memory.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use medcredit::{
    domain::{Actor, Clock, Kinds, SystemClock, SystemEntropy, region::RegionTable},
    grading::{Library, Rounds},
    outbox::{Outbox, Policy},
    push::{
        carrier::https::Https,
        delivery::{Deliveries, Target, Timing},
        making::{AnswerDays, Maker, MakerTables},
        platform::{Carrier, Evaluator, Platforms, Reference},
    },
    store::{Arg, Db, Env, migrations},
};

use super::{Site, https, memory, say};

/// The results of the round.
const RESULTS: i64 = 1_000_000;
/// The most memory, in megabytes.
const MOST_MB: u64 = 300;
const PLATFORM: &str = "municipal-credit-service";

/// A store with a round in force: one subject is graded, and its result copied for all others.
async fn round(folder: &Path, library: &Library) -> Result<(Env, String)> {
    let db = Db::open_sqlite(folder).await?;
    migrations::migrate(&db, &SystemClock).await?;
    let env = Env::new(db.clone(), Arc::new(SystemClock), Arc::new(SystemEntropy));
    let (rounds, actor) = (Rounds::new(env.clone()), Actor::system());
    let mut tx = db.begin("bench").await?;
    tx.execute(
        "INSERT INTO subjects (code, kind, uscc, name, region, agreement_signed_on, agreement_status, licence_status,
                               under_objection, version, import_seq, updated_at)
         VALUES ('H33039000000', 'medical_institution', '91330302MA2AB3C47J', '温州市合成医院', '330302', '2016-05-04',
                 'active', 'active', 0, 1, 1, 1)",
        vec![],
    )
    .await?;
    tx.commit().await?;
    let model = library.get("wenzhou-institution")?;
    let run = rounds.run(&actor, model, "2025-H2".parse().map_err(anyhow::Error::msg)?, &|_, _| ()).await?;
    let run = run.id.to_string();
    rounds.publish(&actor, &run, 1).await?;
    let mut tx = db.begin("bench").await?;
    for sql in [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
         INSERT INTO subjects (code, kind, uscc, name, region, agreement_signed_on, agreement_status, licence_status,
                               under_objection, version, import_seq, updated_at)
         SELECT 'H3303' || CAST(2000000 + i AS TEXT), kind, uscc, name || i, region, agreement_signed_on, agreement_status,
                licence_status, under_objection, version, import_seq, updated_at FROM n, subjects WHERE code = 'H33039000000'",
        "INSERT INTO assessments (run_id, subject_code, version, status, grade, points, made_at)
         SELECT a.run_id, s.code, 1, 'graded', 'A', 90000, a.made_at FROM subjects s, assessments a
         WHERE s.code <> 'H33039000000' AND a.subject_code = 'H33039000000' AND $1 = $1",
    ] {
        tx.execute(sql, vec![Arg::Int(RESULTS)]).await?;
    }
    tx.commit().await?;
    Ok((env, run))
}

pub(crate) async fn run(folder: &Path) -> Result<()> {
    let clock = SystemClock;
    let site = Site { folder: folder.to_owned() };
    let (library, kinds) = (Library::shipped()?, Kinds::built_in()?);
    let store = tempfile::tempdir()?;
    let (env, _) = round(store.path(), &library).await?;
    let platforms = Platforms::shipped(folder, &Reference { kinds: &kinds, library: &library });
    let mut platform = platforms.get(PLATFORM)?.clone();
    platform.carrier = Carrier::Https(https::settings(&site)?);
    let signer = https::signer()?;
    let current = Arc::new(move || signer.clone());
    let carrier = Arc::new(Https::new(https::settings(&site)?, current.clone(), Arc::new(SystemClock))?);
    let tables = MakerTables {
        library,
        kinds,
        regions: RegionTable::built_in()?,
        evaluator: Evaluator { name: Some("示范市医疗保障局".into()), uscc: Some("11330300MB1234A561".into()) },
        answer_days: AnswerDays { correction: 3, other: 15 },
    };
    let timing = Timing {
        lease: Duration::from_mins(1),
        failures: 5,
        shortest_wait: Duration::from_secs(30),
        longest_wait: Duration::from_mins(15),
        receipts: Duration::from_secs(30),
        longest_receipts: Duration::from_hours(1),
    };
    let outbox = Outbox::new(env.clone(), Policy::default());
    let targets = vec![Target { platform: Arc::new(platform), carrier }];
    let deliveries = Arc::new(Deliveries::new(Maker::new(env, tables, current), outbox, targets, timing));

    memory::forget_peak();
    let began = clock.monotonic();
    let lock = deliveries.maker().lock().await?.context("the lock of packages")?;
    let due = deliveries.make_due(&[PLATFORM], &Actor::system()).await?;
    lock.release().await?;
    ensure!(due.failed.is_empty(), "{:?}", due.failed);
    let made = clock.monotonic();
    let delivered =
        deliveries.deliver(PLATFORM, &|| false, &|_| {}).await.map_err(|failure| anyhow::anyhow!(failure.public))?;
    let done = clock.monotonic();
    let rows = i64::try_from(delivered.rows)?;
    ensure!(rows >= RESULTS && delivered.failed + delivered.dead == 0, "{delivered:?}");
    let peak = memory::peak_mb();
    let (making, delivering) = (made.saturating_sub(began).as_secs_f64(), done.saturating_sub(made).as_secs_f64());
    say(&format!(
        "{rows} rows: made in {making:.1} s, delivered over HTTPS in {delivering:.1} s, {peak} MB at most (target: under {MOST_MB})"
    ))?;
    ensure!(peak < MOST_MB, "more memory than {MOST_MB} MB");
    Ok(())
}
