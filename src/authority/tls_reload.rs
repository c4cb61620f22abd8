//! The live TLS material of the partner listener: server certificate and trust, rebuilt on every change.
//!
//! Changes come from the store (detected by the change number) and from files (detected by their stamps). After any
//! change everything is rebuilt and replaced as a whole; a file that is invalid is reported once, and its old contents stay
//! in use. A change counts as seen once it is in use or was refused; after a passing error the next poll tries again. If
//! the store cannot be read, or cannot store which list is the newest, revocations would go unnoticed: then the material
//! becomes outdated, and listeners refuse connections (I3).

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use rustls::{pki_types::CertificateDer, sign::CertifiedKey};
use tokio::sync::Mutex;

use super::{
    AuthorityError, Custody,
    expiry_alerts::{self, ExpiryAlerts},
    live::{Live, LiveMaterial},
    local_ca, partner_lists,
    partners::{self, AuthorityRecord},
    seen_file::{SeenFile, is_passing, stamp},
    server::{self, ServerFiles},
};
use crate::{
    domain::{Timestamp, error_chain, ids::AuthorityId},
    identity::{Anchor, PartnerTrust, RevocationList},
    store::{authorities, changes},
};

/// The name of the listener in metrics and logs.
const LISTENER: &str = "partner";
const POLL: Duration = Duration::from_millis(250);
/// Polls between two checks of the age of the local CA's list, which is valid for hours.
const RENEW_EVERY_POLLS: u32 = 120;

/// A file, and the authority whose lists it has; none for the server's files.
type WatchedFile = (Option<AuthorityId>, PathBuf);

#[derive(Debug)]
struct State {
    files: ServerFiles,
    change: i64,
    generation: u64,
    /// How every file in use was last read, and for which authority: several may have their lists in one file.
    seen: HashMap<WatchedFile, SeenFile>,
    /// Whether the last build failed: what it was to put into use is not yet.
    unfinished: bool,
    lists: HashMap<AuthorityId, Vec<RevocationList>>,
    server: Arc<CertifiedKey>,
    alerts: ExpiryAlerts,
}

/// Keeps the live material up to date.
#[derive(Debug)]
pub struct Reloader {
    custody: Custody,
    live: Arc<Live>,
    state: Mutex<State>,
}

impl Reloader {
    /// Builds the first material. An invalid server certificate is an error, because there is no old one to keep.
    pub async fn start(custody: Custody, files: ServerFiles) -> Result<Self, AuthorityError> {
        let (now, started_at) = (custody.env.clock.now(), custody.env.clock.monotonic());
        // First of all: after a long stop the list may be stale, and the first material would refuse our own banks.
        if custody.env.require_clock().is_ok() {
            local_ca::renew_list(&custody).await?;
        }
        let mut seen = HashMap::new();
        for path in [&files.certificate, &files.key] {
            seen.insert((None, path.clone()), SeenFile::used(stamp(path).await));
        }
        let server = server::load(&files, &custody.crypter, now)?;
        let (lists, alerts) = (HashMap::new(), ExpiryAlerts::default());
        let mut state = State { files, change: 0, generation: 0, seen, unfinished: false, lists, server, alerts };
        let material = build(&custody, &mut state).await?;
        // Confirmed for the time before the reads, not for the time after them.
        let live = Arc::new(Live::new(material, started_at));
        Ok(Self { custody, live, state: Mutex::new(state) })
    }

    /// The live material.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }

    /// Rebuilds the material if anything changed. Returns whether it did.
    pub async fn refresh(&self) -> Result<bool, AuthorityError> {
        // Refreshes run one after the other, so that an older build never replaces a newer one.
        let mut state = self.state.lock().await;
        // Taken before the reads: the material is only confirmed for the time at which they began.
        let started_at = self.custody.env.clock.monotonic();
        let change = changes::current(&self.custody.env.db).await.map_err(AuthorityError::Store)?;
        let mut changed = change != state.change || state.unfinished;
        let mut server_changed = false;
        let now = self.custody.env.clock.now();
        for ((authority, path), seen) in &state.seen {
            if seen.is_due(stamp(path).await.as_ref(), now) {
                changed = true;
                server_changed |= authority.is_none();
            }
        }
        if server_changed {
            self.reload_server(&mut state).await;
        }
        if changed {
            // Until the build is through: the server's files count as seen by now, and lists that were accepted, too.
            state.unfinished = true;
            let material = build(&self.custody, &mut state).await?;
            self.live.publish(material);
            state.unfinished = false;
        }
        // After the new material is in place: confirmed first, the old one would pass as fresh.
        self.live.confirm(started_at);
        let (material, now) = (self.live.material(), self.custody.env.clock.now());
        state.alerts.check_lists(&material.trust.lists(), now);
        state.alerts.check_server(LISTENER, &material.certificate, now);
        Ok(changed)
    }

    async fn reload_server(&self, state: &mut State) {
        let now = self.custody.env.clock.now();
        // Both files, because they are only valid together, and the stamps come before the reads.
        let paths = [state.files.certificate.clone(), state.files.key.clone()];
        let stamps = [stamp(&paths[0]).await, stamp(&paths[1]).await];
        let loaded = server::load(&state.files, &self.custody.crypter, now);
        let mut is_reported = true;
        for (path, stamp) in paths.into_iter().zip(stamps) {
            let file = (None, path);
            is_reported &= state.seen.get(&file).is_some_and(|seen| seen.was_refused(stamp.as_ref()));
            let seen = match &loaded {
                Ok(_) => SeenFile::used(stamp),
                Err(error) => SeenFile::unused(stamp, is_passing(error), now),
            };
            state.seen.insert(file, seen);
        }
        match loaded {
            Ok(server) => {
                state.server = server;
                expiry_alerts::server_accepted(LISTENER);
            }
            // This also happens between the replacement of one file and of the other.
            Err(error) if !is_reported => expiry_alerts::server_rejected(LISTENER, &error),
            Err(_) => {}
        }
    }

    /// Keeps everything up to date until `shutdown`: polls for changes, and renews the local CA's list at half its
    /// validity.
    pub async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()> + Send) {
        let mut ticks = tokio::time::interval(POLL);
        // After a slow refresh the missed polls are dropped: a burst would only load the database that was slow.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut polls, mut due) = (0_u32, false);
        let mut failing = false;
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = ticks.tick() => {}
            }
            // An error changes nothing and confirms nothing: the age of the material then stops the listener (I3).
            let mut result = self.refresh().await.map(|_| ());
            due |= polls.is_multiple_of(RENEW_EVERY_POLLS);
            // A list of a clock that is ahead would be refused, or would not be renewed in time, by the clocks that are
            // right; so it waits, and is signed as soon as the clock agrees again (I10).
            if result.is_ok() && due && self.custody.env.require_clock().is_ok() {
                result = local_ca::renew_list(&self.custody).await.map(|_| ());
                due = false;
            }
            polls = polls.wrapping_add(1);
            match (&result, failing) {
                (Err(error), false) => {
                    tracing::error!(error = %error_chain(error), "keys and certificates cannot be kept up to date");
                }
                (Ok(()), true) => tracing::info!("keys and certificates are up to date again"),
                _ => {}
            }
            failing = result.is_err();
        }
    }
}

async fn build(custody: &Custody, state: &mut State) -> Result<LiveMaterial, AuthorityError> {
    // The number first: a change between the reads is then read again by the next poll, and never missed.
    let change = changes::current(&custody.env.db).await.map_err(AuthorityError::Store)?;
    let (mut anchors, mut listed) = (Vec::new(), HashSet::new());
    // Files that are no longer used are dropped, or they would look changed for ever.
    let mut in_use = HashSet::from([(None, state.files.certificate.clone()), (None, state.files.key.clone())]);
    for authority in partners::list(custody).await?.into_iter().filter(|authority| authority.removed_at.is_none()) {
        in_use.extend(authority.crl_file.as_ref().map(|file| (Some(authority.id), PathBuf::from(file))));
        expiry_alerts::authority_trusted(&authority.name, &authority.certificate);
        let lists = current_lists(custody, state, &authority).await?;
        listed.insert(authority.id);
        anchors.push(Anchor {
            // Of a former authority of ours the present one's, so that its clients are the same.
            id: authority.identity,
            name: authority.name,
            certificate: CertificateDer::from(authority.certificate),
            lists,
        });
    }
    // An authority that is removed and trusted again starts from the stored time of issue, not from old lists.
    state.lists.retain(|id, _| listed.contains(id));
    state.seen.retain(|file, _| in_use.contains(file));
    let refused = authorities::list_refused(&custody.env.db).await.map_err(AuthorityError::Store)?;
    let refused: HashSet<String> = refused.into_iter().map(|row| row.thumbprint).collect();
    let generation = state.generation + 1;
    let trust = PartnerTrust::new(generation, anchors, refused)
        .map(Arc::new)
        .map_err(|error| AuthorityError::Invalid(error.to_string()))?;
    let material = LiveMaterial::new(trust, Arc::clone(&state.server), Arc::clone(&custody.env.clock))?;
    let material = LiveMaterial { change, ..material };
    // Set at the end: after a build that failed, the next poll still finds the number changed.
    state.generation = generation;
    state.change = change;
    Ok(material)
}

/// Why the lists of an authority are not used.
struct UnusedLists {
    why: String,
    /// Whether the reason may pass while the file stays the same.
    is_passing: bool,
}

impl From<String> for UnusedLists {
    fn from(why: String) -> Self {
        Self { why, is_passing: false }
    }
}

/// Returns the lists of an authority: the new ones if they are valid, otherwise those in use. An error of the store is the
/// build's: without the time of issue stored the new lists are not used, and the old ones must not pass as current.
async fn current_lists(
    custody: &Custody,
    state: &mut State,
    authority: &AuthorityRecord,
) -> Result<Vec<RevocationList>, AuthorityError> {
    let (id, now) = (authority.id, custody.env.clock.now());
    let current = state.lists.get(&id).cloned().unwrap_or_default();
    let mut file = None;
    let read = match (&authority.crl, &authority.crl_file) {
        (Some(der), _) => RevocationList::read(der).map(|list| vec![list]).map_err(UnusedLists::from),
        (None, Some(path)) => {
            let watched = (Some(id), PathBuf::from(path));
            let stamp = stamp(&watched.1).await;
            // Without lists in use the file is read at every build, changed or not.
            if !current.is_empty() && state.seen.get(&watched).is_some_and(|seen| !seen.is_due(stamp.as_ref(), now)) {
                return Ok(current);
            }
            let path = watched.1.clone();
            file = Some((watched, stamp));
            read_file(path, authority.certificate.clone(), now).await
        }
        (None, None) => Err("it has neither a list nor a list file".to_owned().into()),
    };
    let stored = match &file {
        Some(_) => authorities::newest_lists(&custody.env.db, &id.to_string()).await.map_err(AuthorityError::Store)?,
        None => None,
    };
    let checked = read.and_then(|new| {
        partner_lists::check_against(stored.as_deref(), &new)?;
        check_lists(authority, &current, &new).map(|()| new).map_err(UnusedLists::from)
    });
    if let (Ok(new), Some(_)) = (&checked, &file) {
        // Stored before use: afterwards a crash would let another process accept older ones. A file whose lists could not be
        // stored does not count as seen: the next poll reads it again.
        store_issue_time(custody, authority, new).await?;
    }
    let mut is_reported = false;
    if let Some((watched, stamp)) = file {
        is_reported = state.seen.get(&watched).is_some_and(|seen| seen.was_refused(stamp.as_ref()));
        let seen = match &checked {
            Ok(_) => SeenFile::used(stamp),
            Err(unused) => SeenFile::unused(stamp, unused.is_passing, now),
        };
        state.seen.insert(watched, seen);
    }
    Ok(match checked {
        Ok(new) => {
            expiry_alerts::list_accepted(&authority.name);
            state.lists.insert(id, new.clone());
            new
        }
        Err(_) if is_reported => current,
        Err(unused) => {
            expiry_alerts::list_rejected(id, &authority.name, &unused.why);
            current
        }
    })
}

/// Checks that lists may replace those in use, and that the TLS library accepts them: with one that it refuses the whole
/// trust could not be built.
fn check_lists(authority: &AuthorityRecord, current: &[RevocationList], new: &[RevocationList]) -> Result<(), String> {
    let certificate = CertificateDer::from(authority.certificate.clone());
    // Our own lists are numbered in the store, and after a replacement they are another authority's.
    if authority.crl_file.is_some() {
        partner_lists::check_not_older(current, new)?;
    }
    partner_lists::check_not_before(new, &certificate, authority.newest_list)?;
    let (id, name) = (authority.id, authority.name.clone());
    PartnerTrust::new(0, vec![Anchor { id, name, certificate, lists: new.to_vec() }], HashSet::new())
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// Stores the numbers and the time of issue of the newest lists, so that no process accepts an older one later.
async fn store_issue_time(
    custody: &Custody,
    authority: &AuthorityRecord,
    lists: &[RevocationList],
) -> Result<(), AuthorityError> {
    partner_lists::note(&custody.env.db, &authority.id.to_string(), lists).await?;
    let certificate = CertificateDer::from(authority.certificate.as_slice());
    let newest = lists.iter().find(|list| list.is_issued_by(&certificate)).map(|list| list.this_update);
    let Some(newest) = newest.filter(|newest| Some(*newest) > authority.newest_list) else { return Ok(()) };
    let mut tx = custody.env.db.begin("authority::note_list").await.map_err(AuthorityError::Store)?;
    authorities::note_list(&mut tx, &authority.id.to_string(), newest).await.map_err(AuthorityError::Store)?;
    tx.commit().await.map_err(AuthorityError::Store)
}

async fn read_file(file: PathBuf, authority: Vec<u8>, now: Timestamp) -> Result<Vec<RevocationList>, UnusedLists> {
    // Large lists take long to read and verify, which would block the runtime.
    tokio::task::spawn_blocking(move || {
        let items = partner_lists::read_items(&file)
            .map_err(|error| UnusedLists { is_passing: is_passing(&error), why: error_chain(&error) })?;
        partner_lists::check(items, &CertificateDer::from(authority), now).map_err(UnusedLists::from)
    })
    .await
    .unwrap_or_else(|_| Err(UnusedLists { why: "reading it failed".into(), is_passing: true }))
}
