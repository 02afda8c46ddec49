//! hilum-repository

pub mod dicom;
