//! The listeners of the Audit Record Repository that do not speak HTTP, and its own work.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Context;
use hilum_audit::record_repository::{CONNECTIONS, RecordRepository, Via};
use hilum_transport::streams;
use tokio::net::{TcpListener, UdpSocket};

use super::Listeners;
use crate::config::Config;

/// Receives syslog where the configuration says, and gives a line for each listener. When nothing is
/// received any more, the log is signed for a last time.
pub(super) async fn serve(
    config: &Config,
    records: &Option<RecordRepository>,
    bound: &mut BTreeMap<SocketAddr, TcpListener>,
    listeners: &mut [Listeners; 2],
) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    let Some(records) = records else {
        return Ok(lines);
    };
    let (stream, datagrams) = config.syslog_listeners();
    let [receiving, closing] = listeners;
    if let Some(listener) = stream.and_then(|address| bound.remove(&address)) {
        let tls = config.node_tls().context("[tls]")?;
        let tls = tls.map(|tls| tls.server());
        let (via, scheme) = match tls {
            Some(_) => (Via::Tls, "syslog+tls"),
            None => (Via::Tcp, "syslog+tcp"),
        };
        lines.push(format!("listening {scheme}://{}", listener.local_addr()?));
        let records = records.clone();
        let handle = move |incoming| {
            let records = records.clone();
            async move { records.receive(via, incoming).await }
        };
        let (limits, stop) = (config.limits.clone(), receiving.stopped());
        let serving = streams::serve(listener, tls, limits, CONNECTIONS, handle, stop);
        receiving.running.spawn(serving);
    }
    if let Some(address) = datagrams {
        let socket = UdpSocket::bind(address).await;
        let socket = socket.with_context(|| format!("audit.syslog_udp: {address}"))?;
        lines.push(format!("listening syslog+udp://{}", socket.local_addr()?));
        let (records, stop) = (records.clone(), receiving.stopped());
        let receive = async move { records.receive_datagrams(socket, stop).await };
        receiving.running.spawn(receive);
    }
    for receiver in config.forwarding(records.audit())? {
        let (records, stop) = (records.clone(), receiving.stopped());
        let limits = config.limits.clone();
        let forwarding = async move { records.forward(receiver, limits, stop).await };
        receiving.running.spawn(forwarding);
    }
    let (records, stop) = (records.clone(), closing.stopped());
    closing
        .running
        .spawn(async move { records.run(stop).await });
    Ok(lines)
}
