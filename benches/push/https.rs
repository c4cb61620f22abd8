//! Pages over HTTPS, 64 under way, beside requests with the same bytes, digested and signed, by a bare client.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use medcredit::{
    authority::client_tls::ClientFiles,
    domain::{Clock, SystemClock},
    identity::{
        KeyPair, SharedSigner, Suite,
        signature::{
            content_digest,
            outgoing::{Outgoing, sign_outgoing},
        },
    },
    push::{
        carrier::{Carrier as _, Delivery, PackageHead, Row, https::Https},
        platform::HttpsSettings,
    },
};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{Pair, ROUNDS, Site, rows};

/// The pages under way.
const IN_FLIGHT: usize = 64;
/// The rows of a page.
pub(crate) const PAGE_ROWS: usize = 500;

/// The settings of a carrier to the receiver.
pub(crate) fn settings(site: &Site) -> Result<HttpsSettings> {
    let file = |name: &str| site.folder.join(name);
    Ok(HttpsSettings {
        url: format!("https://localhost:{}", site.port()?).parse().map_err(anyhow::Error::msg)?,
        files: ClientFiles { ca: file("ca.pem"), certificate: file("ours.pem"), key: file("ours.key") },
        allow: vec!["127.0.0.0/8".parse().map_err(anyhow::Error::msg)?],
        page_rows: u32::try_from(PAGE_ROWS)?,
        in_flight: u32::try_from(IN_FLIGHT)?,
        connect_timeout: Duration::from_secs(10),
        timeout: Duration::from_secs(30),
        largest_answer: 10_000,
    })
}

pub(crate) fn signer() -> Result<SharedSigner> {
    Ok(Arc::new(KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256)?)?))
}

/// The body of a page, as the carrier makes it.
fn body(head: &PackageHead, page: u32, rows: &[Row]) -> Result<Vec<u8>> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let fields: serde_json::Map<_, _> =
                row.fields.iter().map(|(name, value)| (name.to_string(), value.as_str().into())).collect();
            json!({ "record_id": row.record_id, "version": row.version, "operation": row.operation.as_str(),
                    "fields": fields })
        })
        .collect();
    Ok(serde_json::to_vec(&json!({
        "platform": head.platform, "package": head.number, "dataset": head.dataset, "period": head.period,
        "digest": head.digest, "made_at": head.made_at.to_string(), "rows_in_package": head.rows, "page": page,
        "pages": head.pages, "rows": rows,
    }))?)
}

/// Runs a request for each page, so many at a time. Returns how long all took.
async fn all<F>(pages: usize, each: impl Fn(usize) -> F) -> Result<Duration>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let clock = SystemClock;
    let (room, mut tasks) = (Arc::new(Semaphore::new(IN_FLIGHT)), JoinSet::new());
    let began = clock.monotonic();
    for page in 0..pages {
        let (permit, request) = (room.clone().acquire_owned().await?, each(page));
        tasks.spawn(async move {
            let done = request.await;
            drop(permit);
            done
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(clock.monotonic().saturating_sub(began))
}

pub(crate) async fn measure(site: &Site) -> Result<Pair> {
    let (settings, signer) = (settings(site)?, signer()?);
    let base = settings.url.to_string();
    let tls = settings.files.read_apart(Arc::new(SystemClock)).await?;
    let client =
        reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().retry(reqwest::retry::never()).build()?;
    let current = {
        let signer = signer.clone();
        Arc::new(move || signer.clone())
    };
    let carrier = Arc::new(Https::new(settings, current, Arc::new(SystemClock))?);
    let rows = Arc::new(rows::all());
    let head = Arc::new(rows::head(1, PAGE_ROWS));
    let bodies = rows::pages(&rows, PAGE_ROWS).map(|(page, rows)| body(&head, page, rows));
    let bodies = Arc::new(bodies.collect::<Result<Vec<_>>>()?);
    let pages = bodies.len();
    let mut pair = Pair::new("HTTPS, signed, 64 pages of 500 rows under way", "bare signed requests, same bytes", 0.6);
    // The first opens the connections.
    for round in 0..=ROUNDS {
        let ours = all(pages, |page| {
            let (carrier, head, rows) = (carrier.clone(), head.clone(), rows.clone());
            async move {
                let number = u32::try_from(page)? + 1;
                let from = page * PAGE_ROWS;
                let rows = rows.get(from..(from + PAGE_ROWS).min(rows.len())).unwrap_or_default();
                let key = format!("obx_{round}_{page}");
                let of = Delivery { package: &head, page: number, key: &key, rows };
                carrier.deliver(&of).await.map(drop).map_err(|failed| anyhow::anyhow!(failed.detail))
            }
        })
        .await?;
        let floor = all(pages, |page| {
            let (client, bodies, signer) = (client.clone(), bodies.clone(), signer.clone());
            let url = format!("{base}/packages/1/pages/{}", page + 1);
            async move {
                let body = bodies.get(page).cloned().unwrap_or_default();
                let (digest, key) = (content_digest(&body), format!("\"obx_{round}_{page}\""));
                let signed = Outgoing {
                    method: "POST",
                    target_uri: &url,
                    content_digest: Some(&digest),
                    idempotency_key: Some(&key),
                };
                let fields = sign_outgoing(&signed, &*signer, SystemClock.now())?;
                let request = client
                    .post(&url)
                    .header("signature-input", fields.input)
                    .header("signature", fields.signature)
                    .header("content-type", "application/json")
                    .header("content-digest", digest)
                    .header("idempotency-key", key)
                    .body(body);
                let response = request.send().await?;
                ensure!(response.status().is_success(), "{}", response.status());
                response.bytes().await?;
                Ok(())
            }
        })
        .await?;
        if round > 0 {
            pair.rounds.push((ours, floor));
        }
    }
    Ok(pair)
}
