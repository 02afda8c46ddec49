//! Communities that exist only here: gateways that answer ITI-38 after a while, or never.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hilum_security::Permission;
use hilum_transport::{Incoming, Limits, Reply, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::RegistryObject;
use xds_schemas::ebrs::AdhocQueryResponse;
use xds_schemas::iti38_cross_gateway_query::CrossGatewayQuery;
use xds_schemas::soap::Fault;

use crate::words;

/// What all of them answer, and how often they were asked.
#[derive(Debug)]
struct Answer {
    objects: Vec<RegistryObject>,
    pause: Duration,
    calls: AtomicUsize,
    /// Calls that run, and the most that ever ran.
    running: AtomicUsize,
    most: AtomicUsize,
}

/// Some of them, each with a port of its own.
#[derive(Debug)]
pub struct Simulated {
    ports: Vec<u16>,
    answer: Arc<Answer>,
    stops: Vec<oneshot::Sender<()>>,
}

impl Simulated {
    /// So many communities that have these objects and answer after `pause`. They run as long as the
    /// runtime, on which there should be threads enough.
    pub async fn communities(count: usize, objects: Vec<RegistryObject>, pause: Duration) -> Self {
        let answer = Arc::new(Answer {
            objects,
            pause,
            calls: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let mut simulated = Self {
            ports: Vec::new(),
            answer,
            stops: Vec::new(),
        };
        for _ in 0..count {
            let listener = TcpListener::bind("127.0.0.1:0").await;
            let listener = listener.expect("a port is free");
            let address = listener.local_addr().expect("it has an address");
            simulated.ports.push(address.port());
            let answer = Arc::clone(&simulated.answer);
            let routes = move |incoming| respond(Arc::clone(&answer), incoming);
            let (stop, stopped) = oneshot::channel();
            simulated.stops.push(stop);
            let stopped = async { drop(stopped.await) };
            tokio::spawn(serve(listener, None, Limits::default(), routes, stopped));
        }
        simulated
    }

    /// `homeCommunityId` of one of them.
    pub fn home(number: usize) -> String {
        format!("urn:oid:2.999.7.{}", number + 1)
    }

    /// What a node's configuration says of them, with more lines for each.
    pub fn configuration(&self, lines: &str) -> String {
        let community = |(number, port): (usize, &u16)| {
            format!(
                "\n[[gateway.community]]\nhome_community_id = \"{}\"\nname = \"simulated {number}\"\n\
                 query_url = \"http://127.0.0.1:{port}/\"\n{lines}\n",
                Self::home(number)
            )
        };
        self.ports.iter().enumerate().map(community).collect()
    }

    /// How often one of them was asked.
    pub fn calls(&self) -> usize {
        self.answer.calls.load(Ordering::Relaxed)
    }

    /// How many calls ever ran at one time, with all of them.
    pub fn most(&self) -> usize {
        self.answer.most.load(Ordering::Relaxed)
    }
}

async fn respond(answer: Arc<Answer>, incoming: Incoming) -> Reply {
    let Incoming::Call(call) = incoming else {
        return Reply::plain(404, "text/plain", "nothing");
    };
    let read = call
        .permitted(Permission::Query)
        .and_then(|permitted| permitted.read::<CrossGatewayQuery>());
    let request = match read {
        Ok((_, request, _)) => request,
        Err(fault) => return Reply::fault(&fault),
    };
    let Some(home) = request.home else {
        return Reply::fault(&Fault::sender("@home is missing"));
    };
    answer.calls.fetch_add(1, Ordering::Relaxed);
    let running = answer.running.fetch_add(1, Ordering::Relaxed) + 1;
    answer.most.fetch_max(running, Ordering::Relaxed);
    tokio::time::sleep(answer.pause).await;
    answer.running.fetch_sub(1, Ordering::Relaxed);
    let object = |object: &RegistryObject| RegistryObject {
        id: words::new_uuid(),
        home: Some(home.clone()),
        ..object.clone()
    };
    Reply::of::<CrossGatewayQuery>(&AdhocQueryResponse {
        status: ResponseStatus::Success,
        errors: Vec::new(),
        objects: answer.objects.iter().map(object).collect(),
    })
}
