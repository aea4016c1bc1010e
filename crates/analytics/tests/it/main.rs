//! What only a whole process can show: judging an event takes no memory.

mod allocations;
