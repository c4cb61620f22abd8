//! The live material of listeners: server certificate and partner trust, rebuilt from scratch on any change.
//!
//! Two sources change: the store (the change number tells) and files (their stamps tell). Whatever changed, everything is
//! built anew and published at once; what cannot be built is reported and the old stays. The exception is the store
//! itself: while it cannot be asked, revocations cannot be learnt of, so the material goes out of date and listeners
//! refuse (I3).

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
    expiry_alerts::{self, Watch},
    lists, local_ca,
    partners::{self, AuthorityRecord},
    server::{self, ServerFiles},
};
use crate::{
    domain::{Timestamp, clock::SharedClock, error_chain, ids::AuthorityId},
    identity::{Anchor, PartnerTrust, RevocationList, tls},
    store::{authorities, changes},
};

/// Material not known to be the newest for this long is not used. A security invariant (I3): the reloader polls four
/// times in it.
pub const MAX_AGE: Duration = Duration::from_secs(1);
/// Whose material this is, in metrics and log.
const LISTENER: &str = "partner";
const POLL: Duration = Duration::from_millis(250);
/// How often our own list's age is looked at: seldom against its life of hours.
const RENEW_EVERY_POLLS: u32 = 120;

/// What a listener needs to accept a connection and to judge one that is open.
#[derive(Debug)]
pub struct LiveMaterial {
    /// The server's side of a handshake.
    pub server: Arc<ServerConfig>,
    /// The certificate it shows, DER.
    pub certificate: CertificateDer<'static>,
    /// Who is trusted.
    pub trust: Arc<PartnerTrust>,
    /// The change number it was built at: whatever had changed by then is in it.
    pub change: i64,
}

impl LiveMaterial {
    /// A listener's configuration of a trust and a server's certificate.
    pub fn new(
        trust: Arc<PartnerTrust>,
        server: Arc<CertifiedKey>,
        clock: SharedClock,
    ) -> Result<Self, AuthorityError> {
        let certificate = server.end_entity_cert().map_err(AuthorityError::Tls)?.clone().into_owned();
        let server = tls::server_config(Arc::clone(&trust), server, clock).map_err(AuthorityError::Tls)?;
        Ok(Self { server: Arc::new(server), certificate, trust, change: 0 })
    }
}

/// The material in force, and when it was last known to be the newest.
#[derive(Debug)]
pub struct Live {
    material: ArcSwap<LiveMaterial>,
    confirmed_at: AtomicI64,
}

impl Live {
    /// Material that was the newest at an instant.
    pub fn new(material: LiveMaterial, at: Timestamp) -> Self {
        Self { material: ArcSwap::from_pointee(material), confirmed_at: AtomicI64::new(at.micros()) }
    }

    /// The material, whatever its age: a handshake under it is followed by a check that asks for its age.
    pub fn material(&self) -> Arc<LiveMaterial> {
        self.material.load_full()
    }

    /// The material, unless a change may have been missed.
    pub fn fresh(&self, now: Timestamp) -> Option<Arc<LiveMaterial>> {
        let confirmed = Timestamp::from_micros(self.confirmed_at.load(Ordering::SeqCst));
        (now.since(confirmed) <= MAX_AGE).then(|| self.material())
    }

    /// Replaces the material.
    pub fn publish(&self, material: LiveMaterial) {
        self.material.store(Arc::new(material));
    }

    /// Notes that the material was the newest at an instant.
    pub fn confirm(&self, at: Timestamp) {
        self.confirmed_at.fetch_max(at.micros(), Ordering::SeqCst);
    }
}

/// What tells that a file is another one. Replacing a file by renaming changes the inode even within one tick of the
/// file system's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

pub(super) async fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = tokio::fs::metadata(path).await.ok()?;
    Some(Stamp { modified: metadata.modified().ok(), length: metadata.len(), inode: metadata.ino() })
}

#[derive(Debug)]
struct State {
    files: ServerFiles,
    change: i64,
    generation: u64,
    /// Of every file that was looked at, taken before it was read.
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
    lists: HashMap<AuthorityId, Vec<RevocationList>>,
    server: Arc<CertifiedKey>,
    watch: Watch,
}

/// Keeps the live material up to date.
#[derive(Debug)]
pub struct Reloader {
    custody: Custody,
    live: Arc<Live>,
    state: Mutex<State>,
}

impl Reloader {
    /// Builds the first material. Here a server certificate that cannot be used is an error: there is no old one.
    pub async fn start(custody: Custody, files: ServerFiles) -> Result<Self, AuthorityError> {
        let now = custody.env.clock.now();
        local_ca::renew_list(&custody).await?;
        let mut stamps = BTreeMap::new();
        for path in [&files.certificate, &files.key] {
            stamps.insert(path.clone(), stamp(path).await);
        }
        let server = server::load(&files, &custody.crypter, now)?;
        let (lists, watch) = (HashMap::new(), Watch::default());
        let mut state = State { files, change: 0, generation: 0, stamps, lists, server, watch };
        let material = build(&custody, &mut state).await?;
        let live = Arc::new(Live::new(material, now));
        Ok(Self { custody, live, state: Mutex::new(state) })
    }

    /// The material in force.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }

    /// Looks whether anything changed and builds anew if so. Returns whether it did.
    pub async fn refresh(&self) -> Result<bool, AuthorityError> {
        let mut state = self.state.lock().await;
        let asked_at = self.custody.env.clock.now();
        let change = changes::current(&self.custody.env.db).await.map_err(AuthorityError::Store)?;
        let mut changed = change != state.change;
        let mut server_changed = false;
        for (path, seen) in state.stamps.clone() {
            let present = stamp(&path).await;
            if present != seen {
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
        self.live.confirm(asked_at);
        let material = self.live.material();
        state.watch.lists(&material.trust.lists(), asked_at);
        state.watch.server(LISTENER, &material.certificate, asked_at);
        Ok(changed)
    }

    async fn reload_server(&self, state: &mut State) {
        for path in [state.files.certificate.clone(), state.files.key.clone()] {
            let now = stamp(&path).await;
            state.stamps.insert(path, now);
        }
        match server::load(&state.files, &self.custody.crypter, self.custody.env.clock.now()) {
            Ok(server) => {
                state.server = server;
                expiry_alerts::server_accepted(LISTENER);
            }
            // Between the replacing of one file and of the other this is what one sees, too.
            Err(error) => expiry_alerts::server_rejected(LISTENER, &error),
        }
    }

    /// Keeps everything up to date until `shutdown`: polls for changes, and signs our own list anew at half its life.
    pub async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()> + Send) {
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut polls = 0_u32;
        let mut failing = false;
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = ticks.tick() => {}
            }
            let mut done = self.refresh().await.map(|_| ());
            if done.is_ok() && polls.is_multiple_of(RENEW_EVERY_POLLS) {
                done = local_ca::renew_list(&self.custody).await.map(|_| ());
            }
            polls = polls.wrapping_add(1);
            match (&done, failing) {
                (Err(error), false) => {
                    tracing::error!(error = %error_chain(error), "keys and certificates cannot be kept up to date");
                }
                (Ok(()), true) => tracing::info!("keys and certificates are up to date again"),
                _ => {}
            }
            failing = done.is_err();
        }
    }
}

async fn build(custody: &Custody, state: &mut State) -> Result<LiveMaterial, AuthorityError> {
    // The number first: a change that comes between the reads is then read again, never missed.
    let change = changes::current(&custody.env.db).await.map_err(AuthorityError::Store)?;
    let mut anchors = Vec::new();
    // A file nobody looks at any more must not look changed for ever.
    let mut in_use = HashSet::from([state.files.certificate.clone(), state.files.key.clone()]);
    for authority in partners::list(custody).await?.into_iter().filter(|known| known.removed_at.is_none()) {
        in_use.extend(authority.crl_file.as_ref().map(PathBuf::from));
        let lists = current_lists(custody, state, &authority).await;
        anchors.push(Anchor {
            id: authority.id,
            name: authority.name,
            certificate: CertificateDer::from(authority.certificate),
            lists,
        });
    }
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
    state.generation = generation;
    state.change = change;
    Ok(material)
}

/// The lists of an authority: new ones when they are good, the ones in use when they are not.
async fn current_lists(custody: &Custody, state: &mut State, authority: &AuthorityRecord) -> Vec<RevocationList> {
    let present = state.lists.get(&authority.id).cloned().unwrap_or_default();
    let read = match (&authority.crl, &authority.crl_file) {
        (Some(der), _) => RevocationList::read(der).map(|list| vec![list]),
        (None, Some(file)) => {
            let file = PathBuf::from(file);
            let now = stamp(&file).await;
            if !present.is_empty() && state.stamps.get(&file) == Some(&now) {
                return present;
            }
            state.stamps.insert(file.clone(), now);
            read_file(file, authority.certificate.clone(), custody.env.clock.now()).await
        }
        (None, None) => Err("it has neither a list nor a file".to_owned()),
    };
    let judged = read.and_then(|new| {
        let (id, name) = (authority.id, authority.name.clone());
        let certificate = CertificateDer::from(authority.certificate.clone());
        lists::check_not_older(&present, &new)?;
        lists::check_not_before(&new, &certificate, authority.youngest_list)?;
        // The library's own opinion: what it refuses must not spoil the trust in the others.
        PartnerTrust::new(0, vec![Anchor { id, name, certificate, lists: new.clone() }], HashSet::new())
            .map_err(|error| error.to_string())?;
        Ok(new)
    });
    let noted = match &judged {
        Ok(new) if authority.crl_file.is_some() => note(custody, authority, new).await,
        _ => Ok(()),
    };
    match judged.and_then(|new| noted.map(|()| new)) {
        Ok(new) => {
            expiry_alerts::list_accepted(&authority.name);
            state.lists.insert(authority.id, new.clone());
            new
        }
        Err(why) => {
            expiry_alerts::list_rejected(authority.id, &authority.name, &why);
            present
        }
    }
}

/// Remembers beyond this process how young the list is that is taken up.
async fn note(custody: &Custody, authority: &AuthorityRecord, lists: &[RevocationList]) -> Result<(), String> {
    let certificate = CertificateDer::from(authority.certificate.as_slice());
    let youngest = lists.iter().find(|list| list.is_issued_by(&certificate)).map(|list| list.this_update);
    if youngest <= authority.youngest_list {
        return Ok(());
    }
    let Some(youngest) = youngest else { return Ok(()) };
    let noted = async {
        let mut tx = custody.env.db.begin("authority::note_list").await?;
        authorities::note_list(&mut tx, &authority.id.to_string(), youngest).await?;
        tx.commit().await
    };
    noted.await.map_err(|error| error_chain(&error))
}

async fn read_file(file: PathBuf, authority: Vec<u8>, now: Timestamp) -> Result<Vec<RevocationList>, String> {
    // Large lists take a while to read and to verify.
    tokio::task::spawn_blocking(move || lists::read(&file, &CertificateDer::from(authority), now))
        .await
        .unwrap_or_else(|_| Err("reading it failed".into()))
}
