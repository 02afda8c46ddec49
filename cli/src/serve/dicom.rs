//! The listeners of DICOM's own protocol.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Context;
use hilum_audit::Audit;
use hilum_repository::imaging::ImagingSource;
use hilum_repository::imaging::dimse::Requestor;
use hilum_security::iti19_authenticate_node as iti19;
use hilum_transport::streams;
use tokio::net::TcpListener;

use super::Listeners;
use crate::client;
use crate::config::Config;

/// Serves DICOM where the configuration says, and adds a line for each listener.
pub(super) fn serve(
    config: &Config,
    (imaging, audit): (&ImagingSource, &Audit),
    bound: &mut BTreeMap<SocketAddr, TcpListener>,
    lines: &mut Vec<String>,
    listeners: &mut Listeners,
) -> anyhow::Result<()> {
    let section = &config.dicom;
    let places = [(section.listen, true), (section.listen_plain, false)];
    let places = places
        .into_iter()
        .filter_map(|(address, tls)| Some((bound.remove(&address?)?, tls)));
    let places: Vec<_> = places.collect();
    if places.is_empty() {
        return Ok(());
    }
    let title = section.ae_title();
    let limits = &config.limits;
    let requestor = Requestor::new(title, client::recorded_tls(config, audit)?, limits.clone());
    let provider = imaging.dimse(section.config(limits.attachment_bytes), requestor);
    for (listener, with_tls) in places {
        let files = config.tls_files().filter(|_| with_tls);
        let tls = files.map(|files| iti19::server_config(&files)).transpose();
        let tls = tls.context("[tls]")?;
        let scheme = if tls.is_some() { "dicoms" } else { "dicom" };
        let address = listener.local_addr()?;
        lines.push(format!("listening dicom {scheme}://{address} ({title})"));
        let provider = provider.clone();
        let handle = move |incoming| {
            let provider = provider.clone();
            async move { provider.receive(incoming).await }
        };
        let stop = listeners.stopped();
        let most = section.associations();
        let serving = streams::serve(listener, tls, limits.clone(), most, handle, stop);
        listeners.running.spawn(serving);
    }
    Ok(())
}
