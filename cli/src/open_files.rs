//! As many files and sockets as the system lets this process have. The soft limit of many systems, 1024,
//! is there for programs that cannot count further; a gateway may have a connection to each of hundreds of
//! communities for each of those who ask it.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard one.
pub(crate) fn allow() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the number of open files cannot be raised");
    }
}
