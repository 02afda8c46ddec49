//! The listener of HL7 v2.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Context;
use hilum_registry::Registry;
use hilum_security::iti19_authenticate_node as iti19;
use hilum_transport::mllp;
use tokio::net::TcpListener;

use super::Listeners;
use crate::config::Config;

/// Serves the feed of a registry where the configuration says, and gives a line for it.
pub(super) fn serve(
    config: &Config,
    registry: &Registry,
    bound: &mut BTreeMap<SocketAddr, TcpListener>,
    listeners: &mut Listeners,
) -> anyhow::Result<Option<String>> {
    let address = config.feed.listen;
    let Some(listener) = address.and_then(|address| bound.remove(&address)) else {
        return Ok(None);
    };
    let tls = config.tls_files();
    let tls = tls.map(|files| iti19::server_config(&files)).transpose();
    let tls = tls.context("[tls]")?;
    let scheme = if tls.is_some() { "mllps" } else { "mllp" };
    let line = format!("listening feed {scheme}://{}", listener.local_addr()?);
    let registry = registry.clone();
    let routes = move |incoming| {
        let registry = registry.clone();
        async move { hilum_registry::feed::receive(&registry, incoming).await }
    };
    let (limits, stop) = (config.limits.clone(), listeners.stopped());
    let serving = mllp::serve(listener, tls, limits, routes, stop);
    listeners.running.spawn(serving);
    Ok(Some(line))
}
