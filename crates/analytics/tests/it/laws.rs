//! Laws that every algorithm keeps, seen from outside: it survives any numbers, goes on after a restart as if it had
//! never stopped, says the same row by row as at once, does not mind the order where order means nothing, and takes
//! a million rows.

mod any;
mod batch;
mod million;
mod restart;

use crate::testing::{Noise, wild, wild_value};
