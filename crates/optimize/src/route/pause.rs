//! When a driver takes breaks: at any stop before or behind the ride to it, so that the tour ends as early as it can.

use super::model::{Model, Unit};
use super::problem::Break;

/// Where each break of a tour is taken, in order: `2 · idx` before the ride to stop `idx`, one more behind it. The
/// ride home comes last.
pub(super) type Slots = Vec<usize>;

/// A time that cannot be.
const NEVER: i32 = i32::MAX;

impl Model<'_> {
    /// The slots of all breaks with which a tour that begins at `start` ends first; `None` if none fit.
    ///
    /// With as many breaks behind one, earlier is never worse, because one may wait. So the earliest time with each
    /// number of breaks is all that has to be known of each slot. Cost: O(stops · breaks).
    pub(super) fn slots(&self, unit: &Unit, stops: &[u32], start: i32) -> Option<Slots> {
        let n_breaks = unit.breaks.len();
        if n_breaks == 0 {
            return Some(Slots::new());
        }
        let mut earliest = vec![NEVER; n_breaks + 1];
        earliest[0] = start;
        // For each slot and each number of breaks, whether the last of them is best taken there.
        let mut is_taken = vec![false; (2 * stops.len() + 2) * (n_breaks + 1)];
        let mut at = unit.start;
        for (slot, is_taken) in is_taken.chunks_exact_mut(n_breaks + 1).enumerate() {
            for (number, pause) in (1..).zip(&unit.breaks) {
                let end = take(pause, earliest[number - 1]);
                if end < earliest[number] {
                    (earliest[number], is_taken[number]) = (end, true);
                }
            }
            let stop = stops.get(slot / 2).copied();
            let moved = |time: i32| match stop {
                _ if time == NEVER => NEVER,
                _ if slot.is_multiple_of(2) => {
                    time + self.duration.get(at, stop.unwrap_or(unit.end))
                }
                Some(stop) => self.service(stop, time).map_or(NEVER, |(_, end)| end),
                None => time,
            };
            earliest.iter_mut().for_each(|time| *time = moved(*time));
            if let Some(stop) = stop.filter(|_| !slot.is_multiple_of(2)) {
                at = stop;
            }
        }
        (earliest[n_breaks] <= unit.shift.1).then(|| taken_at(&is_taken, n_breaks))
    }
}

/// Goes back over the slots from the last one, with all breaks taken, to the first one.
fn taken_at(is_taken: &[bool], n_breaks: usize) -> Slots {
    let mut slots = Slots::new();
    let mut number = n_breaks;
    for (slot, is_taken) in is_taken.chunks_exact(n_breaks + 1).enumerate().rev() {
        while number > 0 && is_taken[number] {
            slots.push(slot);
            number -= 1;
        }
    }
    slots.reverse();
    slots
}

/// The end of a break that is taken at `time` or when it may begin; never, if that is too late for it.
pub(super) fn take(pause: &Break, time: i32) -> i32 {
    let start = i64::from(time).max(pause.from);
    if start > pause.to { NEVER } else { (start + pause.duration) as i32 }
}
