//! What one record of an encrypted audit log costs: sealed and opened, one after the other.
//!
//! `cargo run --release -p hilum-security --example records`

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use hilum_security::at_rest::KeyRing;
use hilum_security::at_rest::journal::Journal;

/// Records of one size.
const RECORDS: u64 = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let keys = folder.path().join("keys");
    KeyRing::generate(&keys, None)?;
    let ring = KeyRing::open(&keys, None)?;
    ring.install();
    let (journal, _) = Journal::begin(&ring, "records/1")?;
    for bytes in [200, 2_280, 20_000] {
        let record = vec![b'x'; bytes];
        let mut sealed = Vec::new();
        let began = Instant::now();
        for place in 0..RECORDS {
            sealed.clear();
            journal.seal(place, &record, &mut sealed)?;
        }
        let sealing = began.elapsed();
        let began = Instant::now();
        for _ in 0..RECORDS {
            black_box(journal.open(RECORDS - 1, &sealed)?).ok_or("it cannot be opened")?;
        }
        let opening = began.elapsed();
        let each = |took: std::time::Duration| took.as_secs_f64() * 1e6 / RECORDS as f64;
        println!(
            "{bytes} bytes: sealed in {:.2} µs, opened in {:.2} µs",
            each(sealing),
            each(opening)
        );
    }
    Ok(())
}
