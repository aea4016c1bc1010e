//! The vocabulary that every other crate speaks: what a signal is, what a sample is, how good it is.
//!
//! ```text
//! Asset ──has──► Signal ◄──feeds── Binding ◄──offers── Source
//!                  │
//!                  └── Sample (time, value, quality) ── many of them ──► SampleColumns ──► Delivery
//! ```
//!
//! Start reading at [`Sample`] and [`Quality`], then [`model`] for the plant model
//! (asset, asset type, signal, source, binding, mapping rule, payload).
//!
//! This crate never opens a file, a socket or a clock and has no dependency but `serde`
//! (the plant model is written to disk and to the wire as JSON, see [`model`]).

mod ids;
pub mod model;
pub mod pattern;
mod quality;
mod rows;
mod time;

pub use ids::{AssetId, SignalId, SourceId, TenantId};
pub use quality::{Flag, Quality};
pub use rows::{Event, EventKind, Rows, Sample, SampleColumns};
pub use time::{DAY_US, HOUR_US, MINUTE_US, SECOND_US, TimeRange, day_of};
