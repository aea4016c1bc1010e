//! Random serial lines whose bottleneck is known.

use optimize::bottleneck::{Service, Trace, WhatIf};

use crate::random::Random;

/// Parts that a method sees, and in the rows that say so.
pub(super) const N_PARTS: usize = 6_000;
pub(super) const N_MORE: usize = 20_000;
/// Parts of the run that gives the truth.
pub(super) const N_TRUE: usize = 200_000;

/// A line, what was seen of it, and the gain of each machine in parts per hour in the run that gives the truth.
pub(super) struct Line {
    parts: Vec<Vec<Service>>,
    buffers: Vec<usize>,
    gains: Vec<f64>,
}

impl Line {
    pub(super) fn random(seed: u64, idx: u64) -> Self {
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(idx));
        let n_machines = 4 + random.below(5);
        let machines: Vec<Machine> =
            (0..n_machines).map(|_| Machine::random(&mut random)).collect();
        let buffers: Vec<usize> = (1..n_machines).map(|_| 1 + random.below(10)).collect();
        let mut run = |n_parts: usize| -> Vec<Vec<Service>> {
            (0..n_parts)
                .map(|_| machines.iter().map(|machine| machine.service(&mut random)).collect())
                .collect()
        };
        let (parts, true_run) = (run(N_MORE), run(N_TRUE));
        let gains = gains(&trace(&true_run, &buffers));
        Self { parts, buffers, gains }
    }

    pub(super) fn trace(&self, n_parts: usize) -> Trace {
        trace(&self.parts[..n_parts], &self.buffers)
    }

    pub(super) fn truth(&self) -> usize {
        best(&self.gains)
    }

    /// What is gained at `machine` as a share of what is gained at the right one.
    pub(super) fn share_of_gain(&self, machine: usize) -> f64 {
        self.gains[machine] / self.gains[self.truth()]
    }

    /// Clear if the best machine brings at least a fifth more than the second.
    pub(super) fn is_clear(&self) -> bool {
        let mut sorted = self.gains.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() - 1] >= 1.2 * sorted[sorted.len() - 2]
    }
}

fn trace(parts: &[Vec<Service>], buffers: &[usize]) -> Trace {
    let names = (1..=buffers.len() + 1).map(|idx| format!("M{idx}")).collect();
    Trace::new(names, parts, buffers.to_vec(), vec![]).expect("the generator makes sound lines")
}

/// Gain of each machine with 5 % less work, in parts per hour.
pub(super) fn gains(trace: &Trace) -> Vec<f64> {
    let found = trace.what_if(5.0).expect("5 % less work is possible");
    found.iter().map(WhatIf::gain_per_hour).collect()
}

pub(super) fn best(values: &[f64]) -> usize {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0)
}

/// Nearly normal working times, and failures that take the time of many parts.
struct Machine {
    mean_us: f64,
    spread: f64,
    failure_rate: f64,
    repair_us: f64,
}

impl Machine {
    fn random(random: &mut Random) -> Self {
        let mean_us = 60e6 * random.between(0.8, 1.0);
        Self {
            mean_us,
            spread: random.between(0.05, 0.5),
            failure_rate: 1.0 / random.between(50.0, 400.0),
            repair_us: mean_us * random.between(3.0, 25.0),
        }
    }

    fn service(&self, random: &mut Random) -> Service {
        let normal = (0..12).map(|_| random.uniform()).sum::<f64>() - 6.0;
        let work_us = (self.mean_us * (1.0 + self.spread * normal)).max(0.1 * self.mean_us);
        let fails = random.uniform() < self.failure_rate;
        let down_us = if fails { self.repair_us * random.exponential() } else { 0.0 };
        Service { work_us: work_us as i64, down_us: down_us as i64 }
    }
}
