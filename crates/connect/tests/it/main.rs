//! The broker over real sockets.

mod broker;
mod wire;
