//! One transaction a file, over the wire.
