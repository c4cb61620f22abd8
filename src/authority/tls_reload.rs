//! The live TLS material of the partner listener: server certificate and trust, rebuilt on every change.
//!
//! Changes come from the store (detected by the change number) and from files (detected by their stamps). After any
//! change everything is rebuilt and replaced as a whole; a file that is invalid is reported, and its old contents stay
//! in use. If the store cannot be read, revocations would go unnoticed: then the material becomes outdated, and
//! listeners refuse connections (I3).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use rustls::{ServerConfig, pki_types::CertificateDer, sign::CertifiedKey};
use tokio::sync::Mutex;

use super::{
    AuthorityError, Custody,
    expiry_alerts::{self, ExpiryAlerts},
    local_ca, partner_lists,
    partners::{self, AuthorityRecord},
    server::{self, ServerFiles},
};
use crate::{
    domain::{Timestamp, clock::SharedClock, error_chain, ids::AuthorityId},
    identity::{Anchor, PartnerTrust, RevocationList, tls},
    store::{authorities, changes},
};

/// The time after which material that was not confirmed as current is no longer used. A security invariant (I3): the
/// reloader polls four times in it.
pub const MAX_AGE: Duration = Duration::from_secs(1);
/// The name of the listener in metrics and logs.
const LISTENER: &str = "partner";
const POLL: Duration = Duration::from_millis(250);
/// Polls between two checks of the age of the local CA's list, which is valid for hours.
const RENEW_EVERY_POLLS: u32 = 120;

/// The material with which a listener accepts connections and rechecks open ones.
#[derive(Debug)]
pub struct LiveMaterial {
    /// The TLS configuration.
    pub server: Arc<ServerConfig>,
    /// The server certificate, DER.
    pub certificate: CertificateDer<'static>,
    /// The trusted authorities of banks.
    pub trust: Arc<PartnerTrust>,
    /// The change number at which it was built: it includes all changes up to that number.
    pub change: i64,
}

impl LiveMaterial {
    /// Builds the material from a trust and a server certificate.
    pub fn new(
        trust: Arc<PartnerTrust>,
        server: Arc<CertifiedKey>,
        clock: SharedClock,
    ) -> Result<Self, AuthorityError> {
        // Taken before the configuration swallows it: alerts need its dates.
        let certificate = server.end_entity_cert().map_err(AuthorityError::Tls)?.clone().into_owned();
        let server = tls::server_config(Arc::clone(&trust), server, clock).map_err(AuthorityError::Tls)?;
        Ok(Self { server: Arc::new(server), certificate, trust, change: 0 })
    }
}

/// The material in use, and the time at which it was last confirmed as current.
#[derive(Debug)]
pub struct Live {
    material: ArcSwap<LiveMaterial>,
    confirmed_at: AtomicI64,
}

impl Live {
    /// Creates it with material that was current at an instant.
    pub fn new(material: LiveMaterial, at: Timestamp) -> Self {
        Self { material: ArcSwap::from_pointee(material), confirmed_at: AtomicI64::new(at.micros()) }
    }

    /// Returns the material even if it is outdated. The check after a handshake uses [`Self::fresh`].
    pub fn material(&self) -> Arc<LiveMaterial> {
        self.material.load_full()
    }

    /// Returns the material unless changes may have been missed.
    pub fn fresh(&self, now: Timestamp) -> Option<Arc<LiveMaterial>> {
        let confirmed = Timestamp::from_micros(self.confirmed_at.load(Ordering::SeqCst));
        (now.since(confirmed) <= MAX_AGE).then(|| self.material())
    }

    /// Replaces the material.
    pub fn publish(&self, material: LiveMaterial) {
        self.material.store(Arc::new(material));
    }

    /// Confirms that the material was current at an instant.
    pub fn confirm(&self, at: Timestamp) {
        // The maximum: a slow refresh must not move the time back that a faster one has confirmed.
        self.confirmed_at.fetch_max(at.micros(), Ordering::SeqCst);
    }
}

/// Detects that a file was replaced. A rename changes the inode even within one tick of the file system's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileStamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

pub(super) async fn stamp(path: &Path) -> Option<FileStamp> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = tokio::fs::metadata(path).await.ok()?;
    Some(FileStamp { modified: metadata.modified().ok(), length: metadata.len(), inode: metadata.ino() })
}

#[derive(Debug)]
struct State {
    files: ServerFiles,
    change: i64,
    generation: u64,
    /// The stamp of every file in use, taken before the file was read.
    stamps: BTreeMap<PathBuf, Option<FileStamp>>,
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
        let now = custody.env.clock.now();
        // First of all: after a long stop the list may be stale, and the first material would refuse our own banks.
        local_ca::renew_list(&custody).await?;
        let mut stamps = BTreeMap::new();
        for path in [&files.certificate, &files.key] {
            stamps.insert(path.clone(), stamp(path).await);
        }
        let server = server::load(&files, &custody.crypter, now)?;
        let (lists, alerts) = (HashMap::new(), ExpiryAlerts::default());
        let mut state = State { files, change: 0, generation: 0, stamps, lists, server, alerts };
        let material = build(&custody, &mut state).await?;
        // Confirmed for the time before the reads, not for the time after them.
        let live = Arc::new(Live::new(material, now));
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
        let started_at = self.custody.env.clock.now();
        let change = changes::current(&self.custody.env.db).await.map_err(AuthorityError::Store)?;
        let mut changed = change != state.change;
        let mut server_changed = false;
        for (path, seen) in state.stamps.clone() {
            let current = stamp(&path).await;
            if current != seen {
                changed = true;
                server_changed |= path == state.files.certificate || path == state.files.key;
            }
        }
        if server_changed {
            self.reload_server(&mut state).await;
        }
        if changed {
            let material = build(&self.custody, &mut state).await?;
            self.live.publish(material);
        }
        // After the new material is in place: confirmed first, the old one would pass as fresh.
        self.live.confirm(started_at);
        let material = self.live.material();
        state.alerts.check_lists(&material.trust.lists(), started_at);
        state.alerts.check_server(LISTENER, &material.certificate, started_at);
        Ok(changed)
    }

    async fn reload_server(&self, state: &mut State) {
        // Both files, because they are only valid together, and the stamps come before the reads.
        for path in [state.files.certificate.clone(), state.files.key.clone()] {
            let now = stamp(&path).await;
            state.stamps.insert(path, now);
        }
        match server::load(&state.files, &self.custody.crypter, self.custody.env.clock.now()) {
            Ok(server) => {
                state.server = server;
                expiry_alerts::server_accepted(LISTENER);
            }
            // This also happens between the replacement of one file and of the other.
            Err(error) => expiry_alerts::server_rejected(LISTENER, &error),
        }
    }

    /// Keeps everything up to date until `shutdown`: polls for changes, and renews the local CA's list at half its
    /// validity.
    pub async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()> + Send) {
        let mut ticks = tokio::time::interval(POLL);
        // After a slow refresh the missed polls are dropped: a burst would only load the database that was slow.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut polls = 0_u32;
        let mut failing = false;
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = ticks.tick() => {}
            }
            // An error changes nothing and confirms nothing: the age of the material then stops the listener (I3).
            let mut result = self.refresh().await.map(|_| ());
            if result.is_ok() && polls.is_multiple_of(RENEW_EVERY_POLLS) {
                result = local_ca::renew_list(&self.custody).await.map(|_| ());
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
    let mut anchors = Vec::new();
    // Stamps of files that are no longer used are dropped, or these files would look changed for ever.
    let mut in_use = HashSet::from([state.files.certificate.clone(), state.files.key.clone()]);
    for authority in partners::list(custody).await?.into_iter().filter(|authority| authority.removed_at.is_none()) {
        in_use.extend(authority.crl_file.as_ref().map(PathBuf::from));
        let lists = current_lists(custody, state, &authority).await;
        anchors.push(Anchor {
            id: authority.id,
            name: authority.name,
            certificate: CertificateDer::from(authority.certificate),
            lists,
        });
    }
    // An authority that is removed and trusted again starts from the stored time of issue, not from old lists.
    state.lists.retain(|id, _| anchors.iter().any(|anchor| anchor.id == *id));
    state.stamps.retain(|path, _| in_use.contains(path));
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

/// Returns the lists of an authority: the new ones if they are valid, otherwise those in use.
async fn current_lists(custody: &Custody, state: &mut State, authority: &AuthorityRecord) -> Vec<RevocationList> {
    let current = state.lists.get(&authority.id).cloned().unwrap_or_default();
    let read = match (&authority.crl, &authority.crl_file) {
        (Some(der), _) => RevocationList::read(der).map(|list| vec![list]),
        (None, Some(file)) => {
            let file = PathBuf::from(file);
            let now = stamp(&file).await;
            // Without lists in use the file is read at every build, changed or not.
            if !current.is_empty() && state.stamps.get(&file) == Some(&now) {
                return current;
            }
            state.stamps.insert(file.clone(), now);
            read_file(file, authority.certificate.clone(), custody.env.clock.now()).await
        }
        (None, None) => Err("it has neither a list nor a list file".to_owned()),
    };
    let checked = read.and_then(|new| {
        let (id, name) = (authority.id, authority.name.clone());
        let certificate = CertificateDer::from(authority.certificate.clone());
        partner_lists::check_not_older(&current, &new)?;
        partner_lists::check_not_before(&new, &certificate, authority.newest_list)?;
        // The TLS library must accept the lists too, or the whole trust could not be built.
        PartnerTrust::new(0, vec![Anchor { id, name, certificate, lists: new.clone() }], HashSet::new())
            .map_err(|error| error.to_string())?;
        Ok(new)
    });
    // Stored before the lists are used: afterwards a crash would let another process accept older ones.
    let stored = match &checked {
        Ok(new) if authority.crl_file.is_some() => store_issue_time(custody, authority, new).await,
        _ => Ok(()),
    };
    match checked.and_then(|new| stored.map(|()| new)) {
        Ok(new) => {
            expiry_alerts::list_accepted(&authority.name);
            state.lists.insert(authority.id, new.clone());
            new
        }
        Err(why) => {
            expiry_alerts::list_rejected(authority.id, &authority.name, &why);
            current
        }
    }
}

/// Stores the time of issue of the newest list, so that no process accepts an older one later.
async fn store_issue_time(
    custody: &Custody,
    authority: &AuthorityRecord,
    lists: &[RevocationList],
) -> Result<(), String> {
    let certificate = CertificateDer::from(authority.certificate.as_slice());
    let newest = lists.iter().find(|list| list.is_issued_by(&certificate)).map(|list| list.this_update);
    if newest <= authority.newest_list {
        return Ok(());
    }
    let Some(newest) = newest else { return Ok(()) };
    let stored = async {
        let mut tx = custody.env.db.begin("authority::note_list").await?;
        authorities::note_list(&mut tx, &authority.id.to_string(), newest).await?;
        tx.commit().await
    };
    stored.await.map_err(|error| error_chain(&error))
}

async fn read_file(file: PathBuf, authority: Vec<u8>, now: Timestamp) -> Result<Vec<RevocationList>, String> {
    // Large lists take long to read and verify, which would block the runtime.
    tokio::task::spawn_blocking(move || partner_lists::read(&file, &CertificateDer::from(authority), now))
        .await
        .unwrap_or_else(|_| Err("reading it failed".into()))
}
