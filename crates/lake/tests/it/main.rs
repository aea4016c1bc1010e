//! The lake against a real directory.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod house;
mod rows;
mod sql;
mod trend;
