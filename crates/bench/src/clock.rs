//! Processor time, which a busy machine does not stretch as it does wall time.

use rustix::time::{ClockId, clock_gettime};

/// Processor time of the whole process since it was started, over all its threads.
#[derive(Debug, Clone, Copy)]
pub struct CpuClock(f64);

impl CpuClock {
    /// Begins to measure.
    pub fn start() -> Self {
        Self(now_s())
    }

    /// Seconds of processor time since the start.
    pub fn seconds(self) -> f64 {
        now_s() - self.0
    }
}

fn now_s() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
