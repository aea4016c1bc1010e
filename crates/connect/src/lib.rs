//! Doors to the plant: how data comes in, and who is told when it is safe.

mod decode;
mod directory;
mod inlet;
pub mod line;
pub mod mqtt;

pub use directory::{Directory, LooksLike, Target, Wanted};
pub use inlet::{Balance, Counts, Delivery, Fate, Inlet, InletError, InletQueue, Receipt, inlet};
