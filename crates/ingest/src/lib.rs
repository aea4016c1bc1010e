//! The hot path: everything between a source's rows and a screen, in one synchronous step.
//!
//! ```text
//! Inlet ──► Thread ──► Ingest::step { clean → log + fsync → buffer → live → answer the sender
//!              ▲                       → rows per machine → detector → alarms → record → live }
//! Registrar ───┘ new addresses become signals before their first sample arrives
//! ```
//!
//! Start reading at [`start`] and the module `step`. This crate never touches the lake: what is flushed,
//! trained or planned is the business of `jobs`.

mod alarm;
mod detect;
mod handle;
mod health;
mod limits;
mod live;
mod model;
mod registrar;
mod rows;
mod step;

pub use alarm::{
    Alarm, AlarmCommand, AlarmOverlay, AlarmState, CommandError, MAX_SHELVE_MINUTES, Record,
};
pub use detect::{DetectionSettings, DetectorView, Learning};
pub use handle::{Error, Handle, Start, Status, start};
pub use health::{Contribution, Diagnosis, Health, Level};
pub use limits::back_test;
pub use live::{AlarmChange, Last, Live, QualityCounts};
pub use model::Model;
pub use step::Options;
