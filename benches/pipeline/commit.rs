//! Group commit compared with one transaction an answer, when a commit takes 2 ms longer.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use medcredit::{
    config::Config,
    domain::{
        Clock, Day, SystemClock, SystemEntropy,
        ids::DisclosureId,
        permission::{Permission, Purpose},
    },
    ledger::{Answer, Budget, DisclosureFacts, Draft, Faults, ReadVersions, Recorder, RecorderOptions, Step},
};
use tokio::time::Instant;

use super::{
    site::{On, Site, failed, open},
    table::say,
};

/// The delay of every commit.
const DELAY: Duration = Duration::from_millis(2);
/// Answers in flight.
const IN_FLIGHT: usize = 64;

fn draft(consent: &medcredit::consent::Consent, epoch: i64) -> Result<Draft> {
    let at = SystemClock.now();
    let id = DisclosureId::new(&SystemClock, &SystemEntropy);
    let facts = DisclosureFacts {
        id,
        at,
        client_id: consent.client,
        consent_id: consent.id,
        consent_version: consent.version,
        uscc: Some(consent.uscc.clone()),
        codes: consent.codes.clone(),
        purpose: Purpose::PreLoanReview,
        what: vec![Permission::Grade],
        period: None,
        publication: 3,
        content_digest: Some("sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:".into()),
        interaction: "3b1f7c52-6a0e-4c1d-9c57-1f2f6a5d8e90".into(),
    };
    let (entry, opening) = facts.into_entry(&SystemEntropy)?;
    let versions = ReadVersions {
        client_id: consent.client,
        client_epoch: epoch,
        consent_id: consent.id,
        consent_version: consent.version,
        subjects: consent.codes.iter().map(|code| (code.clone(), 1)).collect(),
        publication: 3,
        now: at,
        expires_at: at.plus(Duration::from_hours(24)),
    };
    let day: Day = at.day();
    let answer = Answer { headers: http::HeaderMap::new(), body: vec![b'x'; 1024].into() };
    Ok(Draft { versions, budget: Budget { max_fetches: None, per_day: None, day }, entry, opening, answer })
}

async fn answers_per_second(site: &Site, max_batch: usize) -> Result<f64> {
    let config = Config::load(&site.config_file())?;
    let db = open(&config).await?;
    let kinds = Arc::new(medcredit::domain::Kinds::built_in()?);
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let policy = medcredit::app::consent_policy(&config);
    let room = medcredit::consent::Consents::open(
        medcredit::store::Env::new(db.clone(), clock.clone(), entropy),
        kinds,
        policy,
    );
    let consents = room.list_any(None, 100).await.map_err(failed)?;
    let faults = Faults::new(|step| async move {
        if step == Step::Commit {
            tokio::time::sleep(DELAY).await;
        }
        Ok(())
    });
    let recorder =
        Recorder::start(db.clone(), clock, RecorderOptions { max_batch, faults, ..RecorderOptions::default() });
    let (began, during) = (Instant::now(), Duration::from_secs(3));
    let readers = (0..IN_FLIGHT).map(|nth| {
        let (recorder, consent) = (recorder.clone(), &consents[nth % consents.len()]);
        async move {
            let mut answered = 0u32;
            while began.elapsed() < during {
                recorder.record(draft(consent, 1)?).await?;
                answered += 1;
            }
            anyhow::Ok(answered)
        }
    });
    let mut answered = 0;
    for reader in futures_util::future::join_all(readers).await {
        answered += reader?;
    }
    recorder.shutdown().await;
    db.close().await;
    Ok(f64::from(answered) / began.elapsed().as_secs_f64())
}

pub(super) async fn run() -> Result<()> {
    say(&format!("{IN_FLIGHT} answers in flight, {} ms added to every commit:", DELAY.as_millis()))?;
    for (on, name) in [(On::Sqlite, "SQLite"), (On::Postgres, "PostgreSQL")] {
        let site = Site::make(on).await?;
        let one_by_one = answers_per_second(&site, 1).await?;
        let together = answers_per_second(&site, RecorderOptions::default().max_batch).await?;
        let times = together / one_by_one;
        say(&format!("{name:12}{one_by_one:9.0} a second one by one{together:9.0} together: {times:.1} times"))?;
    }
    Ok(())
}
