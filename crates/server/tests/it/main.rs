//! The server at its border: a real one on a free port, in a temporary directory, over TCP.
//!
//! `tests/http/*.yaml` hold the cases of request and answer; live sockets, limits and the contract are here.

mod cases;
mod contract;
mod files;
mod live;
mod plant;
mod writes;
