//! Doors to the plant: how data comes in, and who is told when it is safe.

mod decode;
mod directory;
mod inlet;
pub mod line;
pub mod load;
pub mod mqtt;
pub mod testing;

pub use decode::Template;
pub use directory::{Directory, LooksLike, Target, Wanted};
pub use inlet::{Balance, Counts, Delivery, Fate, Inlet, InletError, InletQueue, Receipt, inlet};

/// The wall clock in microseconds; only the rim of the house reads it.
pub fn now_us() -> i64 {
    mqtt::now_us()
}

/// A time as people and machines write it (ISO 8601, or s, ms, µs or ns since 1970), in µs; without zone it is UTC.
pub fn parse_time(text: &str) -> Option<i64> {
    decode::parse_time_text(text)
}
