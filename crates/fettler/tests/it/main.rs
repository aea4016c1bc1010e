//! What holds for the whole workspace, and the program as people run it.

#![allow(clippy::print_stdout, reason = "the shape report and the balance are printed")]

mod faults;
mod files;
mod house;
mod shape;
