//! What only a whole process can show (judging an event takes no memory), and the laws that all algorithms keep.

mod allocations;
mod laws;
#[path = "../../src/testing.rs"]
mod testing;
