//! What the overview shows, read through the rooms.

use std::time::Duration;

use super::{Expiring, ImportLine, OverviewPage, PlatformLine, Refusal, RunLine, See};
use crate::{
    access,
    app::App,
    authority::{certificates, partners},
    consent::{self, ConsentState},
    domain::{Failure, Timestamp},
    http::{
        console::{
            area::Area,
            marks::{SOON, mark, platform_state, run_state},
            pages::runs::kind_name,
            visitor::Visitor,
        },
        problem::Problem,
        web::{
            chart::{Columns, Pair},
            when::When,
        },
    },
    i18n::web::Texts,
    importing::records,
    ledger,
    telemetry::Health,
};

/// The newest imports and runs that are shown.
const NEWEST: i64 = 5;
/// What ends in fewer days is urgent.
const URGENT_DAYS: i64 = 7;

pub(super) async fn page(app: &App, visitor: &Visitor, health: &Health) -> Result<OverviewPage, Problem> {
    let (t, now) = (visitor.t, app.env.now());
    let minute = now.seconds().div_euclid(60);
    let hour = app.recent_calls.between(minute - 59, minute + 1);
    let hours: Vec<_> = (0..24).rev().map(|back| pair_of(app, minute, back, t)).collect();
    let clients = access::counts(&app.env).await?;
    let consents = consent::counts(&app.env, "").await?;
    let clients_in = |word: &str| clients.iter().find(|(state, _)| state == word).map_or(0, |(_, number)| *number);
    let consents_in =
        |of: ConsentState| consents.iter().find(|(state, _)| *state == of).map_or(0, |(_, number)| *number);
    Ok(OverviewPage {
        frame: visitor.frame(Area::Overview.key()),
        t,
        alerts: health.problems().iter().map(|(name, text)| t.alert_not_ready(format!("{name}: {text}"))).collect(),
        hour: (hour.answered + hour.all_refused(), hour.all_refused()),
        since: When(app.opened_at),
        answers: ledger::answers_since(&app.env, now.day().start()).await?,
        clients: (clients_in("active"), clients_in("suspended")),
        consents: (consents_in(ConsentState::Active), consents_in(ConsentState::Pending)),
        proposals: app.approvals.counts(Duration::ZERO).await.map_err(Failure::from)?.open,
        chart: chart(&hours, t),
        hours,
        refusals: refusals(app, minute),
        expiring: expiring(app, visitor, now).await?,
        platforms: platforms(app, t).await?,
        imports: imports(app).await?,
        runs: runs(app, t).await?,
        see: See::of(visitor),
    })
}

/// The calls of the hour that ended so many hours ago.
fn pair_of(app: &App, minute: i64, back: i64, t: Texts) -> Pair {
    let end = minute + 1 - back * 60;
    let calls = app.recent_calls.between(end - 60, end);
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    // The city's hour in which it ends.
    let hour = (end + 8 * 60 - 1).div_euclid(60).rem_euclid(24);
    pair(hour, number(calls.answered), number(calls.all_refused()), t)
}

pub(super) fn pair(hour: i64, answered: i64, refused: i64, t: Texts) -> Pair {
    let label = format!("{hour:02}:00");
    Pair { title: t.overview_hour_words(&label, answered, refused), label, lower: answered, upper: refused }
}

pub(super) fn chart(hours: &[Pair], t: Texts) -> Columns {
    let sum = |of: fn(&Pair) -> i64| hours.iter().map(of).sum::<i64>();
    let description = t.overview_calls_chart(sum(|pair| pair.lower), sum(|pair| pair.upper));
    Columns::new("calls", t.overview_calls(), &description, hours.to_vec())
}

fn refusals(app: &App, minute: i64) -> Vec<Refusal> {
    let day = app.recent_calls.between(minute + 1 - crate::telemetry::DAY, minute + 1);
    let hour = app.recent_calls.between(minute - 59, minute + 1);
    let row = |(code, number): (&&'static str, &u64)| Refusal {
        code,
        hour: hour.refused.get(code).copied().unwrap_or(0),
        day: *number,
    };
    let mut rows: Vec<_> = day.refused.iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.day));
    rows
}

/// Certificates of ours and of authorities that end soon, the first first.
async fn expiring(app: &App, visitor: &Visitor, now: Timestamp) -> Result<Vec<Expiring>, Problem> {
    let custody = app.custody_for(visitor.actor());
    let issued = certificates::list(&custody).await.map_err(Failure::from)?;
    let of_ours = issued
        .into_iter()
        .filter(|record| record.revoked.is_none())
        .map(|record| (format!("{} ({})", record.subject, record.profile), record.not_after));
    let authorities = partners::list(&custody).await.map_err(Failure::from)?;
    let of_authorities = authorities.into_iter().filter(|record| record.removed_at.is_none());
    let of_authorities = of_authorities.map(|record| (record.name, record.facts.not_after));
    let soon = now..now.plus(SOON);
    let mut ends: Vec<_> = of_ours.chain(of_authorities).filter(|(_, end)| soon.contains(end)).collect();
    ends.sort_by_key(|(_, end)| *end);
    let line = |(what, end): (String, Timestamp)| {
        let days = end.since(now).as_secs() / (24 * 3600);
        let days = i64::try_from(days).unwrap_or(i64::MAX);
        let mark = if days < URGENT_DAYS { mark("bad", "") } else { mark("warn", "") };
        Expiring { what, at: When(end), days, mark }
    };
    Ok(ends.into_iter().map(line).collect())
}

async fn platforms(app: &App, t: Texts) -> Result<Vec<PlatformLine>, Failure> {
    let mut lines = Vec::new();
    for id in app.deliveries.platforms() {
        let state =
            app.deliveries.state(id).await.map_err(|error| Failure::unavailable("state_unknown", error.to_string()))?;
        lines.push(PlatformLine {
            id: state.platform,
            name: state.name,
            state: platform_state(state.state, t),
            waiting: state.waiting,
            rejected: state.rejected,
        });
    }
    Ok(lines)
}

async fn imports(app: &App) -> Result<Vec<ImportLine>, Failure> {
    let rows = records::page(&app.env, None, "", "accepted", NEWEST).await?;
    let line = |row: crate::store::imports::ImportRow| ImportLine {
        at: When::micros(row.accepted_at.unwrap_or(row.started_at)),
        id: row.id,
        file: row.file_name,
        accepted: row.accepted,
        rejected: row.rejected,
    };
    Ok(rows.into_iter().map(line).collect())
}

async fn runs(app: &App, t: Texts) -> Result<Vec<RunLine>, Failure> {
    let rows = app.rounds().page("", "", "", NEWEST).await.map_err(Failure::from)?;
    let line = |row: crate::store::runs::RunRow| RunLine {
        state: run_state(&row.state, t),
        id: row.id,
        kind: kind_name(app, &row.kind, t),
        period: row.period,
        subjects: row.subject_count,
    };
    Ok(rows.into_iter().map(line).collect())
}
