//! XDS.b Document Registry.
#![allow(dead_code)]
mod db;
mod failure;
