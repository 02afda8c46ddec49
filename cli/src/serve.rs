//! `hilum serve`: runs the rooms of a node until it is asked to stop.

mod access;
mod audit;
mod certificates;
mod communities;
mod configured;
mod dicom;
mod feed;
mod watching;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use hilum_audit::sender::Sender;
use hilum_audit::{Audit, Event};
use hilum_gateway::Gateway;
use hilum_transport::{Client, Doorway, Incoming, Replies, Reply, Rest, Users};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use xds_schemas::soap::Fault;

use crate::client;
use crate::config::{Config, ConfigError};
use crate::metrics::Metrics;
use crate::open_files;
use crate::rooms::{self, Opened, Room};
use crate::terminal::say;
use watching::Watching;

#[derive(Debug, Args)]
#[command(after_help = "Example: hilum serve --config node/hilum.toml")]
pub(crate) struct Arguments {
    /// The node
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config)?;
    open_files::allow();
    let mut stop = signals()?;
    let mut running = Running::start(&config).await?;
    // Everything that has certificates is open now.
    let certificates = certificates::watch(&config, &running.ledger.audit);
    running.watching.extend(certificates);
    // Whoever started the node may have closed the other end as soon as it had read what it waited for;
    // that is no reason not to run.
    let _ = say(&running.lines.join("\n"));
    // The sender lives as long as the process, so this ends with a signal.
    let _ = stop.wait_for(|stopping| *stopping).await;
    running.stop().await
}

/// How long what goes on behind the rooms may take to record its last.
const LAST_RECORDS: Duration = Duration::from_secs(5);

/// A node that runs. `hilum demo` runs several.
pub(crate) struct Running {
    /// One line for each room: what listens where.
    pub(crate) lines: Vec<String>,
    ledger: Ledger,
    rooms: Vec<&'static str>,
    gateway: Option<Gateway>,
    /// In the order in which they are stopped. The registry's come after those of the other rooms, whose
    /// calls that are to finish may need it.
    listeners: [Listeners; 2],
    /// The same of the Audit Record Repository: first it receives no more, then its log is closed. It
    /// goes on for longer than the rooms, whose last records it may get.
    receiving: [Listeners; 2],
    /// Whoever reads rules, communities and certificates anew.
    watching: Vec<Watching>,
}

impl Running {
    /// Opens the rooms of a node, and accepts connections when this returns.
    pub(crate) async fn start(config: &Config) -> anyhow::Result<Self> {
        if config
            .listeners()
            .iter()
            .all(|(name, _)| *name == "metrics")
        {
            let problem = "no room has `listen`, so there is nothing to serve";
            return Err(ConfigError(problem.to_owned()).into());
        }
        for problem in config.open_secrets() {
            tracing::warn!("{problem}");
        }
        let tls = config.node_tls().context("[tls]")?;
        let tls = tls.map(|tls| tls.server());
        let users = config.users()?;
        let mut bound = bind(config).await?;
        let ledger = Ledger::open(config).await?;
        let (audit, client) = (&ledger.audit, &ledger.client);
        let opened = rooms::open(config, audit, client).await?;
        let rooms = &opened.rooms;
        let names = started(audit, rooms).await?;
        let watching = access::watch(config, &opened.access, audit).context("[access]")?;
        let communities = communities::watch(config, opened.gateway.as_ref(), audit);
        let communities = communities.context("[gateway]")?;
        if let Some(gateway) = &opened.gateway {
            ledger.metrics.watch_gateway(gateway.clone());
        }
        let line = |room: &Room| listening(room, tls.is_some());
        let mut lines: Vec<String> = rooms.iter().map(line).collect();
        let mut listeners = [Listeners::new(), Listeners::new()];
        let mut receiving = [Listeners::new(), Listeners::new()];
        let listening = (&mut listeners, &mut receiving);
        lines.extend(streams(config, &opened, audit, &mut bound, listening).await?);
        let metrics = &ledger.metrics;
        if let Some(records) = &opened.records {
            metrics.watch_records(records);
        }
        lines.extend(watched(config, metrics, &mut bound, &mut listeners[1])?);
        for (address, listener) in bound {
            let has_registry = rooms
                .iter()
                .any(|room| room.name == "registry" && room.address == address);
            let house = House::of(rooms, address, &ledger);
            let doorway = house.doorway(&users);
            let routes = move |incoming| {
                let house = Arc::clone(&house);
                async move { house.answer(incoming).await }
            };
            let listeners = &mut listeners[usize::from(has_registry)];
            let stop = listeners.stopped();
            let replies = Replies::new(&config.asynchronous, client.clone());
            let (tls, limits) = (tls.clone(), config.limits.clone());
            listeners.running.spawn(hilum_transport::serve_with(
                listener, tls, limits, replies, doorway, routes, stop,
            ));
        }
        metrics.set_ready(true);
        Ok(Self {
            lines,
            ledger,
            rooms: names,
            gateway: opened.gateway,
            listeners,
            receiving,
            watching: watching.into_iter().chain(communities).collect(),
        })
    }

    /// Lets calls that have begun finish, and closes the rooms.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let mut finished = true;
        self.ledger.metrics.set_ready(false);
        if let Some(gateway) = self.gateway {
            gateway.stop();
        }
        for listeners in self.listeners {
            finished &= listeners.stop().await?;
        }
        for watching in self.watching {
            watching.stop().await;
        }
        for room in &self.rooms {
            let event = Event::application_stopped(&process_name(room));
            self.ledger.audit.record(event, ()).await?.into_inner();
        }
        let Ledger {
            audit,
            client,
            metrics,
            sender,
        } = self.ledger;
        if let Some(sender) = sender {
            sender.stop().await;
        }
        for listeners in self.receiving {
            finished &= listeners.stop().await?;
        }
        drop((client, metrics));
        if !audit.close(LAST_RECORDS).await {
            tracing::warn!("something still records; it is not waited for");
        }
        match finished {
            true => Ok(()),
            false => bail!("some calls took too long and were cut off"),
        }
    }
}

/// What records, and what is recorded of it.
struct Ledger {
    audit: Audit,
    client: Client,
    metrics: Arc<Metrics>,
    /// Sends on what is recorded, if somebody wants it.
    sender: Option<Sender>,
}

impl Ledger {
    /// Begins to record, and to send what is recorded.
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let audit = Audit::open_in(config.audit(), &config.vault()?).context("[audit]")?;
        let client = client::recorded(config, &audit)?;
        configured::compare(config, &audit).await?;
        let sender = config.sender(Some(&audit)).context("[[audit.send]]")?;
        let sender = sender.map(|wanted| Sender::start(wanted, audit.durable()));
        let rooms = config.rooms().into_iter().map(|(room, _)| room);
        let watcher = sender.as_ref().map(Sender::watcher);
        Ok(Self {
            metrics: Metrics::new(&audit, rooms, watcher),
            audit,
            client,
            sender,
        })
    }
}

/// Listeners that are stopped together.
struct Listeners {
    stop: watch::Sender<bool>,
    running: JoinSet<bool>,
}

impl Listeners {
    fn new() -> Self {
        Self {
            stop: watch::Sender::new(false),
            running: JoinSet::new(),
        }
    }

    /// Ends when the listeners are to stop.
    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stopping = self.stop.subscribe();
        async move {
            // If the sender is gone, so is the node.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        }
    }

    /// Whether all calls that had begun could finish.
    async fn stop(mut self) -> anyhow::Result<bool> {
        self.stop.send_replace(true);
        let mut finished = true;
        while let Some(listener) = self.running.join_next().await {
            finished &= listener.context("a listener was lost")?;
        }
        Ok(finished)
    }
}

/// What is printed of a room.
fn listening(room: &Room, with_tls: bool) -> String {
    let scheme = if with_tls { "https" } else { "http" };
    let Room { name, address, .. } = room;
    match *name {
        // Its paths are those of IHE.
        "audit" => format!("listening audit {scheme}://{address}"),
        name => format!("listening {name} {scheme}://{address}/{name}"),
    }
}

/// Serves what does not speak HTTP.
async fn streams(
    config: &Config,
    opened: &Opened,
    audit: &Audit,
    bound: &mut BTreeMap<SocketAddr, TcpListener>,
    (listeners, receiving): (&mut [Listeners; 2], &mut [Listeners; 2]),
) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    if let Some(registry) = &opened.registry {
        // It needs nobody but the registry itself.
        lines.extend(feed::serve(config, registry, bound, &mut listeners[1])?);
    }
    if let Some(imaging) = &opened.imaging {
        let (imaging, listeners) = ((imaging, audit), &mut listeners[0]);
        dicom::serve(config, imaging, bound, &mut lines, listeners)?;
    }
    lines.extend(audit::serve(config, &opened.records, bound, receiving).await?);
    Ok(lines)
}

/// Tells machines how the node is, if it is said where.
fn watched(
    config: &Config,
    metrics: &Arc<Metrics>,
    bound: &mut BTreeMap<SocketAddr, TcpListener>,
    listeners: &mut Listeners,
) -> anyhow::Result<Option<String>> {
    let address = config.metrics.listen;
    let Some(listener) = address.and_then(|address| bound.remove(&address)) else {
        return Ok(None);
    };
    let metrics = Arc::clone(metrics);
    let routes = move |incoming| {
        let metrics = Arc::clone(&metrics);
        async move { metrics.answer(incoming).await }
    };
    let tls = config.node_tls().context("[tls]")?;
    let tls = tls.filter(|_| !config.metrics.is_plain());
    let tls = tls.map(|tls| tls.server());
    let (limits, stop) = (config.limits.clone(), listeners.stopped());
    let serving = hilum_transport::serve(listener, tls, limits, routes, stop);
    listeners.running.spawn(serving);
    let url = config.metrics_url();
    Ok(url.map(|url| format!("listening metrics {url}")))
}

/// Takes every address that is listened on, before anything else is begun.
async fn bind(config: &Config) -> anyhow::Result<BTreeMap<SocketAddr, TcpListener>> {
    let mut bound = BTreeMap::new();
    for (room, address) in config.listeners() {
        if let Entry::Vacant(free) = bound.entry(address) {
            let listener = TcpListener::bind(address).await;
            let key = if room.contains('.') { "" } else { ".listen" };
            free.insert(listener.with_context(|| format!("{room}{key}: {address}"))?);
        }
    }
    Ok(bound)
}

/// Records that the rooms are open, and gives their names.
async fn started(audit: &Audit, rooms: &[Room]) -> anyhow::Result<Vec<&'static str>> {
    for room in rooms {
        let event = Event::application_started(&process_name(room.name));
        audit.record(event, ()).await?.into_inner();
    }
    Ok(rooms.iter().map(|room| room.name).collect())
}

fn process_name(room: &str) -> String {
    format!("hilum {room}")
}

/// The rooms behind one address. The path says which of them is meant.
struct House {
    rooms: Vec<Room>,
    audit: Audit,
    metrics: Arc<Metrics>,
}

impl House {
    fn of(rooms: &[Room], address: SocketAddr, ledger: &Ledger) -> Arc<Self> {
        let here = |room: &&Room| room.address == address;
        Arc::new(Self {
            rooms: rooms.iter().filter(here).cloned().collect(),
            audit: ledger.audit.clone(),
            metrics: Arc::clone(&ledger.metrics),
        })
    }

    fn doorway(&self, users: &Users) -> Doorway {
        let beginnings = self.rooms.iter().flat_map(|room| room.rest);
        Doorway {
            rest: Rest::under(beginnings.filter_map(|beginning| beginning.split('/').next())),
            users: users.clone(),
        }
    }

    async fn answer(&self, incoming: Incoming) -> Reply {
        let path = match &incoming {
            Incoming::Call(call) => call.path(),
            Incoming::Get(get) if get.path == "/healthz" => return plain(200, "ok\n"),
            Incoming::Get(get) => &get.path,
            Incoming::Request(request) => request.path(),
            Incoming::Refused(refusal) => {
                let audit = &self.audit;
                return audit.refuse(Event::from(refusal), refusal.reply()).await;
            }
        };
        let serving = self.rooms.iter();
        let serving = serving.filter_map(|room| Some((room.serves(path)?, room)));
        let room = serving
            .max_by_key(|(length, _)| *length)
            .map(|(_, room)| room);
        let name = room.map(|room| room.name);
        let reply = match (room, incoming) {
            (Some(room), incoming) => (room.answer)(incoming).await,
            (None, Incoming::Call(call)) => {
                let fault = Fault::sender("nothing is served at this path");
                let event = Event::refused(call.caller(), &fault);
                self.audit.refuse(event, Reply::fault(&fault)).await
            }
            (None, _) => plain(404, "nothing is served at this path\n"),
        };
        self.metrics.counted(name, reply)
    }
}

pub(crate) fn plain(status: u16, text: &'static str) -> Reply {
    Reply::plain(status, "text/plain; charset=utf-8", text)
}

/// Becomes true with SIGTERM or SIGINT.
pub(crate) fn signals() -> anyhow::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        sender.send_replace(true);
    });
    Ok(receiver)
}
