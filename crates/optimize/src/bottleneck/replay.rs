//! The same parts once more, with one machine faster.

use super::observed::{Activity, Interval, Observed};
use super::trace::{Faster, Service, Trace, TraceError};
use crate::random::Random;

/// When each part left each machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    n_machines: usize,
    /// Start, end of work, departure: part by part, machine by machine, in microseconds since the begin.
    times_us: Vec<[i64; 3]>,
    down_us: Vec<i64>,
}

/// What a faster machine brings.
#[derive(Debug, Clone, PartialEq)]
pub struct WhatIf {
    /// Index of the machine.
    pub machine: usize,
    /// Parts per hour as it was.
    pub now_per_hour: f64,
    /// Parts per hour with this machine faster.
    pub then_per_hour: f64,
    /// Gain in each tenth of the parts, in parts per hour: how steady it is.
    pub gain_by_tenth: Vec<f64>,
}

impl WhatIf {
    /// Parts per hour more.
    pub fn gain_per_hour(&self) -> f64 {
        self.then_per_hour - self.now_per_hour
    }
}

impl Trace {
    /// Replays all parts, all machines as they were or one of them [`faster`](Self::faster).
    ///
    /// A part starts when it has arrived and the machine is empty, and leaves when the next buffer has a place.
    /// Cost: O(parts · machines).
    pub fn replay(&self, faster: Option<Faster>) -> Replay {
        let n_machines = self.names.len();
        let mut times_us: Vec<[i64; 3]> = Vec::with_capacity(self.services.len());
        for (part, services) in self.services.chunks_exact(n_machines).enumerate() {
            let mut at_us = self.arrivals_us.get(part).copied().unwrap_or(0);
            for (machine, service) in services.iter().enumerate() {
                let before =
                    part.checked_sub(1).map(|part| times_us[part * n_machines + machine][2]);
                let start_us = at_us.max(before.unwrap_or(0));
                if machine > 0 && self.buffers[machine - 1] == 0 {
                    // Without a buffer the part stays on the machine before until this one takes it.
                    times_us[part * n_machines + machine - 1][2] = start_us;
                }
                let work_us = match faster {
                    Some(faster) if faster.machine == machine => {
                        (service.work_us as f64 * (1.0 - faster.percent / 100.0)).round() as i64
                    }
                    _ => service.work_us,
                };
                let done_us = start_us + work_us + service.down_us;
                let place_us = self.place_free_us(part, machine, &times_us);
                at_us = done_us.max(place_us);
                times_us.push([start_us, done_us, at_us]);
            }
        }
        let down_us = self.services.iter().map(|service| service.down_us).collect();
        Replay { n_machines, times_us, down_us }
    }

    /// When the buffer after `machine` has a place for `part`: when the next machine has taken the part that is as
    /// many places ahead as the buffer has.
    fn place_free_us(&self, part: usize, machine: usize, times_us: &[[i64; 3]]) -> i64 {
        let n_places = self.buffers.get(machine).copied().unwrap_or(0);
        let ahead = part.checked_sub(n_places).filter(|_| n_places > 0);
        ahead.map_or(0, |ahead| times_us[ahead * self.names.len() + machine + 1][0])
    }

    /// What it would have brought had each machine in turn worked `percent` less per part, in the order of the flow.
    ///
    /// Cost: one replay more than there are machines. Without parts all rates are 0.
    ///
    /// # Errors
    /// If the percentage is not between 0 and 95.
    ///
    /// ```
    /// use optimize::bottleneck::{Service, Trace};
    /// // 1,000 parts, 10 s on the saw and 8 s on the press: only the saw matters.
    /// let part = [10_000_000, 8_000_000].map(|work_us| Service { work_us, down_us: 0 }).to_vec();
    /// let names = vec!["saw".to_owned(), "press".to_owned()];
    /// let trace = Trace::new(names, &vec![part; 1000], vec![2], vec![])?;
    /// let what_if = trace.what_if(10.0)?;
    /// assert!((what_if[0].gain_per_hour() - 40.0).abs() < 0.1); // 400 instead of 360 an hour
    /// assert!(what_if[1].gain_per_hour() < 0.1);
    /// # Ok::<(), optimize::bottleneck::TraceError>(())
    /// ```
    pub fn what_if(&self, percent: f64) -> Result<Vec<WhatIf>, TraceError> {
        let now = self.replay(None);
        let ask = |machine| {
            let then = self.replay(Some(self.faster(machine, percent)?));
            Ok(WhatIf {
                machine,
                now_per_hour: now.parts_per_hour(),
                then_per_hour: then.parts_per_hour(),
                gain_by_tenth: gain_by_tenth(&now, &then),
            })
        };
        (0..self.names.len()).map(ask).collect()
    }
}

impl Trace {
    /// The mean of [`Self::what_if`] over this trace and `n_orders` more, in each of which every machine's services
    /// come in another random order.
    ///
    /// What a machine needs for a part is what was seen; by chance alone its stops met, or did not meet, those of the
    /// others, and the mean over many orders is free of that. It takes services as independent of what came before:
    /// not for a trace with a drift, or with set-ups by part. Tenths are those of the trace as it was.
    /// Cost: as `what_if`, times `n_orders` + 1.
    ///
    /// # Errors
    /// If the percentage is not between 0 and 95.
    ///
    /// ```
    /// use optimize::bottleneck::{Service, Trace};
    /// // Nothing differs from part to part, so no order differs from another.
    /// let part = [10_000_000, 8_000_000].map(|work_us| Service { work_us, down_us: 0 }).to_vec();
    /// let trace = Trace::new(vec!["saw".to_owned(), "press".to_owned()], &vec![part; 100], vec![2], vec![])?;
    /// assert_eq!(trace.what_if_in_orders(10.0, 3, 1)?, trace.what_if(10.0)?);
    /// # Ok::<(), optimize::bottleneck::TraceError>(())
    /// ```
    pub fn what_if_in_orders(
        &self,
        percent: f64,
        n_orders: usize,
        seed: u64,
    ) -> Result<Vec<WhatIf>, TraceError> {
        let mut mean = self.what_if(percent)?;
        let mut random = Random::new(seed);
        for order in 0..n_orders {
            let other = self.shuffled(&mut random).what_if(percent)?;
            for (mean, other) in mean.iter_mut().zip(other) {
                // A running mean, which is exact where all are the same.
                let share = (order as f64 + 2.0).recip();
                mean.now_per_hour += share * (other.now_per_hour - mean.now_per_hour);
                mean.then_per_hour += share * (other.then_per_hour - mean.then_per_hour);
            }
        }
        Ok(mean)
    }

    fn shuffled(&self, random: &mut Random) -> Self {
        let (mut other, n_machines) = (self.clone(), self.names.len());
        for machine in 0..n_machines {
            let own = self.services.iter().skip(machine).step_by(n_machines);
            let mut own: Vec<Service> = own.copied().collect();
            random.shuffle(&mut own);
            let places = other.services.iter_mut().skip(machine).step_by(n_machines);
            places.zip(own).for_each(|(place, service)| *place = service);
        }
        other
    }
}

fn gain_by_tenth(now: &Replay, then: &Replay) -> Vec<f64> {
    let n_parts = now.n_parts();
    if n_parts < 10 {
        return Vec::new();
    }
    let rate = |replay: &Replay, from: usize, to: usize| {
        let from_us = from.checked_sub(1).map_or(0, |part| replay.left_us(part));
        let hours = (replay.left_us(to - 1) - from_us) as f64 / 3.6e9;
        if hours > 0.0 { (to - from) as f64 / hours } else { f64::NAN }
    };
    let tenths = (0..10).map(|tenth| (tenth * n_parts / 10, (tenth + 1) * n_parts / 10));
    let gains = tenths.map(|(from, to)| rate(then, from, to) - rate(now, from, to));
    gains.filter(|gain| gain.is_finite()).collect()
}

impl Replay {
    /// Parts replayed.
    pub fn n_parts(&self) -> usize {
        self.times_us.len() / self.n_machines
    }

    /// Parts per hour from the begin to the last departure; 0 without parts.
    pub fn parts_per_hour(&self) -> f64 {
        let n_parts = self.n_parts();
        let hours = n_parts.checked_sub(1).map_or(0.0, |last| self.left_us(last) as f64 / 3.6e9);
        if hours > 0.0 { n_parts as f64 / hours } else { 0.0 }
    }

    /// When a part left the last machine, in microseconds since the begin.
    pub(super) fn left_us(&self, part: usize) -> i64 {
        self.times_us[(part + 1) * self.n_machines - 1][2]
    }

    #[cfg(test)]
    pub(super) fn times(&self, part: usize, machine: usize) -> [i64; 3] {
        self.times_us[part * self.n_machines + machine]
    }

    /// What a state recorder would have seen: starved before, working and down on, blocked after each part.
    pub fn intervals(&self) -> Vec<Interval> {
        let mut seen = Vec::with_capacity(3 * self.times_us.len());
        for machine in 0..self.n_machines {
            let mut free_us = 0;
            let own =
                self.times_us.iter().zip(&self.down_us).skip(machine).step_by(self.n_machines);
            for ([start_us, done_us, left_us], down_us) in own {
                let repaired_us = start_us + down_us;
                let stretches = [
                    (free_us, *start_us, Activity::Starved),
                    (*start_us, repaired_us, Activity::Down),
                    (repaired_us, *done_us, Activity::Working),
                    (*done_us, *left_us, Activity::Blocked),
                ];
                for (from_us, to_us, activity) in stretches {
                    if to_us > from_us {
                        seen.push(Interval { machine, from_us, to_us, activity });
                    }
                }
                free_us = *left_us;
            }
        }
        seen
    }

    /// The same, ready to be judged.
    pub fn observed(&self, names: &[String]) -> Observed {
        Observed::new(names.to_vec(), &self.intervals(), 0)
            .expect("a replay does one thing at a time")
    }
}
