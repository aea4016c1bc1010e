//! Alarms after ISA-18.2-2016 / IEC 62682: the state machine, and limits with deadband and delays.
//!
//! ```text
//!             condition                 acknowledge
//!   normal ───────────────► unack ───────────────────► acked
//!     ▲                      │                           │
//!     │ acknowledge          │ condition gone            │ condition gone
//!     └────── rtn_unack ◄────┘          normal ◄─────────┘
//! ```
//! Three overlays hide an alarm without stopping its evaluation: shelved (by an operator, for a time),
//! suppressed (by design), out of service (by maintenance).

mod flood;
mod limit;
mod load;
mod machine;

pub use flood::{Chatter, Flood, STALE_US, is_stale};
pub use limit::{BackTest, Limit, LimitSpec, back_test};
pub use load::{Load, load};
pub use machine::{Input, Machine, NotAllowed, Overlay, Snapshot, State, Transition};
