//! The critical walk: back in time from the last part, always to the machine that was waited for.

use super::largest;
use super::observed::{Activity, Interval, Observed};

/// What the last part had to wait for, all the way back to the begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CriticalPath {
    /// Per machine: its working time on the path, in microseconds. Making the machine x % faster shortens the whole
    /// by x % of this, to first order.
    pub working_us: Vec<i64>,
    /// Per machine: its down time on the path. Repairing it x % faster shortens the whole by x % of this.
    pub down_us: Vec<i64>,
    /// Waiting for material from before the first machine.
    pub supply_us: i64,
    /// Waiting for someone to take parts from the last machine.
    pub demand_us: i64,
    /// Gaps in the record, and waits that nothing explains.
    pub unexplained_us: i64,
}

impl CriticalPath {
    /// The machine with most working time on the path: where speed helps most; `None` if nobody works on it.
    pub fn machine(&self) -> Option<usize> {
        largest(self.working_us.iter().map(|us| *us as f64))
            .filter(|best| self.working_us[*best] > 0)
    }
}

/// Walks back from the end of the last machine's last stretch.
///
/// An active machine is followed back to the begin of its activity. One that was starved before was waiting for
/// the machine before it, one that was blocked for the machine after it, and the walk goes on there. The working
/// time it passes is the derivative of the total time by each machine's speed, known as infinitesimal perturbation
/// analysis (Ho & Cao 1983); buffer sizes need not be known. Cost: O(path · log n).
///
/// ```
/// use optimize::bottleneck::{Activity::*, Interval, Observed, critical_path};
/// let on = |machine, from_us, to_us, activity| Interval { machine, from_us, to_us, activity };
/// // The saw takes 10 per part, the press 2; the press waits for the saw.
/// let seen = [
///     on(0, 0, 10, Working), on(0, 10, 20, Working),
///     on(1, 0, 10, Starved), on(1, 10, 12, Working), on(1, 12, 20, Starved), on(1, 20, 22, Working),
/// ];
/// let line = Observed::new(vec!["saw".to_owned(), "press".to_owned()], &seen, 0)?;
/// assert_eq!(critical_path(&line).working_us, [20, 2]);
/// # Ok::<(), optimize::bottleneck::Error>(())
/// ```
pub fn critical_path(line: &Observed) -> CriticalPath {
    let n_machines = line.names().len();
    let mut path = CriticalPath {
        working_us: vec![0; n_machines],
        down_us: vec![0; n_machines],
        supply_us: 0,
        demand_us: 0,
        unexplained_us: 0,
    };
    let Some(last) = n_machines.checked_sub(1) else {
        return path;
    };
    let Some(end_us) = line.stretches(last).last().map(|stretch| stretch.to_us) else {
        return path;
    };
    let mut place = Place { machine: last, at_us: end_us, direction: Direction::Either };
    while let Some(next) = step(line, &mut path, place) {
        place = next;
    }
    path
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Upstream,
    Downstream,
    Either,
}

#[derive(Clone, Copy)]
struct Place {
    machine: usize,
    at_us: i64,
    /// Where the walk came from at this very time, so that it cannot go to and fro without end.
    direction: Direction,
}

/// One step back: in time on the same machine, or at the same time to a neighbor. `None` at the begin.
fn step(line: &Observed, path: &mut CriticalPath, place: Place) -> Option<Place> {
    let Place { machine, at_us, direction } = place;
    let stretch = before(line.stretches(machine), at_us)?;
    let back_to = |at_us| Some(Place { machine, at_us, direction: Direction::Either });
    if stretch.to_us < at_us {
        path.unexplained_us += at_us - stretch.to_us;
        return back_to(stretch.to_us);
    }
    let length_us = at_us - stretch.from_us;
    let is_last = machine + 1 == path.working_us.len();
    match stretch.activity {
        Activity::Working => path.working_us[machine] += length_us,
        Activity::Down => path.down_us[machine] += length_us,
        Activity::Starved if machine == 0 => path.supply_us += length_us,
        Activity::Blocked if is_last => path.demand_us += length_us,
        Activity::Starved if direction != Direction::Downstream => {
            return Some(Place { machine: machine - 1, at_us, direction: Direction::Upstream });
        }
        Activity::Blocked if direction != Direction::Upstream => {
            return Some(Place { machine: machine + 1, at_us, direction: Direction::Downstream });
        }
        Activity::Starved | Activity::Blocked => path.unexplained_us += length_us,
    }
    back_to(stretch.from_us)
}

/// The last stretch that begins before `at_us`.
fn before(stretches: &[Interval], at_us: i64) -> Option<&Interval> {
    stretches
        .partition_point(|stretch| stretch.from_us < at_us)
        .checked_sub(1)
        .map(|idx| &stretches[idx])
}
