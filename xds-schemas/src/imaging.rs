//! What Hilum says of imaging beyond the attributes that IHE defines: acquisition parameters,
//! measured values and specimens, in slots that any registry can carry (ITI TF-3 4.2.3.1.6).
//!
//! A document entry of a manifest carries them in its extra metadata. How the slots are named and
//! what stands in them is written in `docs/imaging-metadata.md`.

pub mod acquisition;
pub mod measurement;
pub mod scheme;
pub mod specimen;
pub mod unit;
