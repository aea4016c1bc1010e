//! Bounded load for `fettler bench` and the tests: many MQTT publishers, or many line-protocol writers.
//!
//! Every value that is sent is unique and known beforehand ([`value_of`]), so that loss and doubling can be
//! counted afterwards. Works against any MQTT 3.1.1 broker and any InfluxDB, so a peer can run beside.
//! Latencies are counted from the moment at which a message was due, not from when it could be sent:
//! a server that stalls the generator does not look fast.

mod latency;
mod line;
mod mqtt;

pub use latency::Latency;
pub use line::{LineLoad, LineReport, run_line};
pub use mqtt::{MqttLoad, MqttReport, run_mqtt};

/// The value of the `number`th message of a connection: unique over all connections of a run, and exact in a
/// double up to 8 million connections of a billion messages.
pub fn value_of(connection: u32, number: u64) -> f64 {
    f64::from(connection) * 1e9 + number as f64
}
