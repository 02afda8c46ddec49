//! De-identification measured on planted identities, and on files made to get through.

mod score;
mod single;

use dicom_core::VR;

use super::*;

fn key() -> Key {
    Key::new(&[7; 32]).unwrap()
}
