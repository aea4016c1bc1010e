//! A simulated plant that speaks MQTT as real machines do: for `fettler demo` and for tests.
//!
//! ```text
//! calendar ──► machine ──► press, spindle, compressor, filler ──► imperfections ──► publish ──► MQTT
//! (plan)        ▲          (physics: thermal, noise)               (sensors)  └──► generate ──► columns
//!             faults
//! ```
//!
//! One site, two lines, eight machines of four types. A machine can be stepped by any interval: its lags and
//! its noise are discretized exactly, so a history of one row a minute and live values at 5 Hz come from the
//! same distribution, and what was learned from the one holds for the other. The same seed and times give the
//! same plant.
//!
//! Start reading at [`run`] or [`generate`], then [`Machine::step`]. Only [`run`] reads the clock and opens a
//! socket. The rest of the product does not know that this crate exists.

mod calendar;
mod compressor;
mod faults;
mod filler;
mod generate;
mod imperfections;
mod machine;
mod noise;
mod payload;
mod press;
mod publish;
mod spindle;
mod thermal;

pub use calendar::State;
pub use faults::{Fault, FaultPlan, Severity, UnknownFault, faults_of};
pub use generate::{Columns, generate};
pub use machine::{Kind, MACHINES, Machine, Place};
pub use publish::{Error, Options, Progress, run};
