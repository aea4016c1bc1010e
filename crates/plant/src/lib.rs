//! A simulated plant that speaks MQTT as real machines do: for `fettler demo` and for tests.
//!
//! ```text
//! calendar ──► load ──► machine (first-order physics + noise) ──► fault ──► sensor imperfections ──► MQTT
//! ```
//!
//! One site, two lines, eight machines of four types. A machine steps by any interval: first-order lags and
//! noise are discretized exactly, so a history of one row a minute and live data have the same distribution.
//! Start reading at [`run`], then [`machine`]. Nothing here is known to the rest of the product.

mod calendar;
mod fault;
mod machine;
mod noise;
mod publish;

pub use fault::{Fault, FaultPlan, UnknownFault};
pub use machine::{Kind, Machine, Reading};
pub use publish::{Error, Options, Progress, run};

/// The machines: line, name, type.
pub const MACHINES: [(&str, &str, Kind); 8] = [
    ("line1", "press01", Kind::HydraulicPress),
    ("line1", "press02", Kind::HydraulicPress),
    ("line1", "spindle01", Kind::CncSpindle),
    ("line1", "compressor01", Kind::ScrewCompressor),
    ("line2", "spindle02", Kind::CncSpindle),
    ("line2", "filler01", Kind::FillingLine),
    ("line2", "filler02", Kind::FillingLine),
    ("line2", "compressor02", Kind::ScrewCompressor),
];
