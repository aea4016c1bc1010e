//! A bottleneck that never waits, with machines before it that keep it fed.

use super::hours::Hours;
use super::{At, Draft, mode, operation};
use crate::random::Random;

/// When the bottleneck does one step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) start: i64,
    pub(super) end: i64,
}

/// Steps of these open minutes right behind each other, from the first open moment on.
pub(super) fn slots(hours: &Hours, minutes: impl IntoIterator<Item = i64>) -> Vec<Slot> {
    let mut free = 0;
    let mut slots = Vec::new();
    for minutes in minutes {
        let start = hours.next_open(free);
        free = hours.end_of(start, minutes);
        slots.push(Slot { start, end: free });
    }
    slots
}

/// Two machines, 0 and 1, that prepare what the bottleneck needs next.
#[derive(Debug, Default)]
pub(super) struct Feeder {
    free: [i64; 2],
}

impl Feeder {
    /// Gives an order its first step, done by `deadline` in the plan and on the other machine at least as long; none
    /// where there is no room. `staff` are skill and workers of both machines.
    pub(super) fn prepare(
        &mut self,
        draft: &mut Draft,
        order: usize,
        deadline: i64,
        staff: Option<(&str, [usize; 2])>,
        random: &mut Random,
    ) {
        let machine = usize::from(self.free[1] < self.free[0]);
        let room = deadline - self.free[machine];
        if room < 1 {
            return;
        }
        let start = self.free[machine];
        let duration = random.whole(1, room.min(40));
        let mut modes =
            vec![mode(machine, duration), mode(1 - machine, duration + random.whole(0, 5))];
        random.shuffle(&mut modes);
        let mut step = operation("prepare", modes);
        step.skill = staff.map(|(skill, _)| skill.to_owned());
        let worker = staff.map(|(_, workers)| workers[machine]);
        self.free[machine] = start + duration;
        draft.step(order, step, At { machine, worker, start, setup: 0, end: start + duration });
    }
}

/// Gives each order a last step on `machine`, as long as the bottleneck still works on the next one; the last order of
/// the bottleneck has none.
pub(super) fn pack(
    draft: &mut Draft,
    orders: &[usize],
    slots: &[Slot],
    machine: usize,
    random: &mut Random,
) {
    for (order, pair) in orders.iter().zip(slots.windows(2)) {
        let start = pair[0].end;
        let duration = random.whole(1, (pair[1].end - start).min(20));
        let at = At { machine, start, end: start + duration, ..At::default() };
        draft.step(*order, operation("pack", vec![mode(machine, duration)]), at);
    }
}
