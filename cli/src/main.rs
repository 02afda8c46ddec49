//! `hilum`
fn main() {}
