//! The plant as others use it: as columns, and over the wire.

mod columns;
mod wire;
