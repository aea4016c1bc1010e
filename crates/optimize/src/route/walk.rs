//! Driving a tour stop by stop: when everything happens, and whether it can.

use super::model::{Kind, Model, Unit};
use super::pause::take;

/// A tour as it is driven.
#[derive(Debug, Clone, Default)]
pub(super) struct Walk {
    pub(super) start: i32,
    pub(super) end: i32,
    pub(super) distance: i64,
    /// Arrival, start of service and end of service at each stop.
    pub(super) times: Vec<[i32; 3]>,
    /// Start of each break.
    pub(super) breaks: Vec<i32>,
}

impl Walk {
    pub(super) fn cost(&self, unit: &Unit) -> f64 {
        unit.fixed_cost
            + unit.distance_cost * self.distance as f64
            + unit.time_cost * f64::from(self.end - self.start)
    }
}

impl Model<'_> {
    /// Drives `stops` with a vehicle as early as possible, then leaves as late as that allows where time costs
    /// money. `None` if a window, the shift, a break or the capacity does not allow it.
    pub(super) fn walk(&self, unit: &Unit, stops: &[u32]) -> Option<Walk> {
        if !self.fits(unit, stops) {
            return None;
        }
        let early = self.drive(unit, stops, unit.shift.0)?;
        if unit.time_cost == 0.0 {
            return Some(early);
        }
        let late = self.drive(unit, stops, unit.shift.0 + self.slack(unit, stops, &early));
        Some(late.filter(|late| late.end - late.start < early.end - early.start).unwrap_or(early))
    }

    /// Whether the windows and the shift hold on a tour of a plain problem.
    pub(super) fn is_in_time(&self, unit: &Unit, stops: &[u32]) -> bool {
        let (mut now, mut at) = (unit.shift.0, unit.start);
        for &stop in stops {
            let node = &self.nodes[stop as usize];
            now += self.duration.get(at, stop);
            if now > node.close {
                return false;
            }
            (now, at) = (now.max(node.open) + node.service, stop);
        }
        now + self.duration.get(at, unit.end) <= unit.shift.1
    }

    /// How much later the tour could start without being later anywhere that matters: at most all of its waiting.
    fn slack(&self, unit: &Unit, stops: &[u32], walk: &Walk) -> i32 {
        let mut slack = unit.shift.1 - walk.end;
        let mut waited = 0;
        for (&stop, &[arrival, start, _]) in stops.iter().zip(&walk.times) {
            waited += start - arrival;
            slack = slack.min(waited + self.nodes[stop as usize].close - start);
        }
        slack.max(0).min(waited)
    }

    /// Whether the capacity holds everywhere on the tour, in every dimension.
    fn fits(&self, unit: &Unit, stops: &[u32]) -> bool {
        (0..self.n_dimensions).all(|dimension| {
            let capacity = unit.capacity[dimension];
            let work = |stop: u32| &self.works[self.nodes[stop as usize].job as usize];
            let is_delivery = |stop: &&u32| work(**stop).kind == Kind::Delivery;
            let load = |stop: u32| self.load(self.nodes[stop as usize].job)[dimension];
            let delivered = stops.iter().filter(is_delivery).map(|&stop| load(stop));
            let mut on_board: i64 = delivered.sum();
            let mut most = on_board;
            for &stop in stops {
                let work = work(stop);
                let is_loaded = match work.kind {
                    Kind::Delivery => false,
                    Kind::Pickup => true,
                    Kind::Shipment => stop == work.node,
                };
                on_board += if is_loaded { load(stop) } else { -load(stop) };
                most = most.max(on_board);
            }
            most <= capacity
        })
    }

    fn drive(&self, unit: &Unit, stops: &[u32], start: i32) -> Option<Walk> {
        let slots = self.slots(unit, stops, start)?;
        let mut walk = Walk { start, ..Walk::default() };
        let (mut now, mut at) = (start, unit.start);
        for (idx, &stop) in stops.iter().enumerate() {
            walk.distance += i64::from(self.distance.get(at, stop));
            now = pause(unit, &slots, 2 * idx, &mut walk, now);
            let arrival = now + self.duration.get(at, stop);
            let ready = pause(unit, &slots, 2 * idx + 1, &mut walk, arrival);
            let (start, end) = self.service(stop, ready)?;
            walk.times.push([arrival, start, end]);
            (now, at) = (end, stop);
        }
        walk.distance += i64::from(self.distance.get(at, unit.end));
        now = pause(unit, &slots, 2 * stops.len(), &mut walk, now);
        now += self.duration.get(at, unit.end);
        walk.end = pause(unit, &slots, 2 * stops.len() + 1, &mut walk, now);
        (walk.end <= unit.shift.1).then_some(walk)
    }

    /// Start and end of service when one arrives at `time`; `None` after the last window.
    pub(super) fn service(&self, stop: u32, time: i32) -> Option<(i32, i32)> {
        let node = &self.nodes[stop as usize];
        if time > node.close {
            return None;
        }
        let job = &self.problem.jobs[node.job as usize];
        let stops = job.task.stops();
        let second = usize::from(stop != self.works[node.job as usize].node);
        let windows = &stops[second].windows;
        let start = if windows.len() <= 1 {
            time.max(node.open)
        } else {
            let open = windows.iter().find(|window| i64::from(time) <= window.1)?;
            time.max(open.0 as i32)
        };
        Some((start, start + node.service))
    }
}

/// Takes the breaks that belong to a slot. Gives the time after them.
fn pause(unit: &Unit, slots: &[usize], slot: usize, walk: &mut Walk, mut now: i32) -> i32 {
    while slots.get(walk.breaks.len()) == Some(&slot) {
        let pause = &unit.breaks[walk.breaks.len()];
        let end = take(pause, now);
        walk.breaks.push((i64::from(end) - pause.duration) as i32);
        now = end;
    }
    now
}
