//! What holds for the whole workspace.

#![allow(clippy::print_stdout, reason = "the shape report is printed")]

mod shape;
