//! Doors to the plant: how data comes in, and who is told when it is safe.

mod directory;
mod inlet;

pub use directory::{Directory, LooksLike, Target, Wanted};
pub use inlet::{Balance, Counts, Delivery, Fate, Inlet, InletError, InletQueue, Receipt, inlet};
