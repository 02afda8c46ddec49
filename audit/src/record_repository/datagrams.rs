//! How many datagrams the system dropped because nobody read them in time. Linux says so in
//! `/proc/net/udp`; elsewhere nobody knows.

use std::net::SocketAddr;

use tokio::net::UdpSocket;

/// Counts what is dropped for a socket.
#[derive(Debug)]
pub(super) struct Drops {
    address: Option<SocketAddr>,
    known: u64,
}

impl Drops {
    pub(super) fn of(socket: &UdpSocket) -> Self {
        let address = socket.local_addr().ok();
        Self { address, known: 0 }
    }

    /// How many were dropped since this was last asked.
    pub(super) fn since_last(&mut self) -> u64 {
        let Some(address) = self.address else {
            return 0;
        };
        let table = match address {
            SocketAddr::V4(_) => "/proc/net/udp",
            SocketAddr::V6(_) => "/proc/net/udp6",
        };
        let table = std::fs::read_to_string(table).unwrap_or_default();
        let now = dropped(&table, address.port());
        let dropped = now.saturating_sub(self.known);
        self.known = now;
        dropped
    }
}

/// The last column of the sockets with this port.
fn dropped(table: &str, port: u16) -> u64 {
    let end = format!(":{port:04X}");
    let of_line = |line: &str| {
        let local = line.split_whitespace().nth(1)?;
        let drops = line.split_whitespace().last()?;
        local.ends_with(&end).then(|| drops.parse().unwrap_or(0))
    };
    table.lines().skip(1).filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::dropped;

    #[test]
    fn the_last_column_counts() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  \
            277: 0100007F:47E9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1180 2 00000000f3 17\n  \
            278: 0100007F:47EA 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1181 2 00000000f4 4\n";
        assert_eq!(dropped(table, 0x47E9), 17);
        assert_eq!(dropped(table, 1), 0);
    }
}
