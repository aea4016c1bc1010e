//! What holds for the whole workspace.

#![allow(clippy::print_stdout, reason = "the shape report and the balance are printed")]

mod faults;
mod shape;
