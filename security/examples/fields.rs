//! What a field costs: `cargo run --release -p hilum-security --example fields`.
//!
//! Times are those of the processor, so that others on the machine do not count.

use std::fmt::Display;
use std::hint::black_box;
use std::time::Duration;

use hilum_security::at_rest::KeyRing;
use hilum_security::at_rest::fields::database::{self, Database};
use hilum_security::at_rest::fields::{Fields, Place};

const TIMES: u32 = 200_000;

/// What this process has used of the processor, in user and system.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(") ").unwrap_or_default().1;
    let ticks = |at: usize| fields.split(' ').nth(at)?.parse::<u64>().ok();
    let ticks = ticks(11).unwrap_or_default() + ticks(12).unwrap_or_default();
    Duration::from_millis(10 * ticks)
}

/// How long something takes, done so often.
fn each(mut done: impl FnMut(i64) -> std::io::Result<()>) -> std::io::Result<Duration> {
    let begun = cpu();
    for at in 0..TIMES {
        done(at.into())?;
    }
    Ok((cpu() - begun) / TIMES)
}

fn place(row: &dyn Display) -> Place<'_> {
    Place::of("table.column", row)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    KeyRing::generate(&folder.path().join("keys"), None)?;
    let ring = KeyRing::open(&folder.path().join("keys"), None)?;
    let of = Database {
        name: "example",
        called: "an example",
    };
    let (sealing, _) = database::new(of, &ring)?;
    for (how, fields) in [("plain", Fields::default()), ("sealed", sealing)] {
        for bytes in [40, 1024, 8 * 1024] {
            let text = "x".repeat(bytes);
            let kept = fields.seal(place(&0), &text)?.into_owned();
            let seal = each(|row| {
                fields
                    .seal(place(&row), &text)
                    .map(|it| drop(black_box(it)))
            })?;
            let open = each(|_| {
                let text = fields.open(place(&0), kept.clone())?;
                drop(black_box(text));
                Ok(())
            })?;
            println!("{how}, {bytes:>4} bytes: written {seal:.2?}, read {open:.2?}");
        }
        let named = each(|_| {
            let name = fields.pseudonym("table.column", "4711^^^&1.2.3.4.5&ISO")?;
            drop(black_box(name));
            Ok(())
        })?;
        println!("{how}, a pseudonym: {named:.2?}");
    }
    Ok(())
}
