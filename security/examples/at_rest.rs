//! How fast frames are sealed and opened, by their size:
//! `cargo run --release -p hilum-security --example at_rest`.
//!
//! AES-256-GCM alone, without files: what it costs for each frame, and what the smallest thing costs
//! that can be read. Times are those of the processor, so that others on the machine do not count.

use std::time::Duration;

use hilum_security::at_rest::{DataKey, FRAME, Opening, Sealing};

const BYTES: usize = 4 << 30;

/// What this process has used of the processor, in user and system.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(") ").unwrap_or_default().1;
    let ticks = |at: usize| fields.split(' ').nth(at)?.parse::<u64>().ok();
    let ticks = ticks(11).unwrap_or_default() + ticks(12).unwrap_or_default();
    Duration::from_millis(10 * ticks)
}

fn main() -> std::io::Result<()> {
    for log in 14..=20 {
        let size = 1 << log;
        let plain = vec![7_u8; size];
        let key = DataKey::random()?;
        let mut sealing = Sealing::new(&key)?;
        let mut sealed = Vec::with_capacity(size + 16);
        let frames = BYTES / size;
        let begun = cpu();
        for _ in 0..frames {
            sealed.clear();
            sealing.seal(&plain, false, &mut sealed)?;
        }
        let in_rate = BYTES as f64 / (cpu() - begun).as_secs_f64() / 1e9;
        let mut opening = Opening::new(&key)?;
        let last = frames as u64 - 1;
        let mut content = Vec::with_capacity(size);
        let begun = cpu();
        for _ in 0..frames {
            content.clear();
            opening.open(last, false, &sealed, &mut content)?;
        }
        let each = (cpu() - begun) / u32::try_from(frames).unwrap_or(u32::MAX);
        let out_rate = BYTES as f64 / (cpu() - begun).as_secs_f64() / 1e9;
        let mark = if size == FRAME { " <- written" } else { "" };
        println!(
            "{:>5} KiB: sealed {in_rate:.2} GB/s, opened {out_rate:.2} GB/s, one frame {each:.1?}{mark}",
            size >> 10
        );
    }
    Ok(())
}
