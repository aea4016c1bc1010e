//! The elite pool: good plans that differ, and the path between two of them.

use super::Shop;
use super::graph::Layout;
use crate::random::Random;

/// Good plans that differ from each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    members: Vec<Layout>,
    /// Plans offered in a row of which none was taken.
    n_refused: usize,
    n_offered: usize,
}

/// How many plans the pool holds.
const SIZE: usize = 20;
/// From so many plans on, paths between them are tried.
const FIRST: usize = 4;
/// While the pool grows, every so manieth run begins at a new random plan.
const FRESH_EVERY: usize = 3;
/// So many refusals in a row mean that the pool has converged.
const MAX_REFUSED: usize = 3 * SIZE;

impl Pool {
    pub(super) fn is_full(&self) -> bool {
        self.members.len() >= SIZE
    }

    /// Two different members in random order; `None` where a new random plan is worth more.
    pub(super) fn pair(&self, random: &mut Random) -> Option<(&Layout, &Layout)> {
        let n = self.members.len();
        if n < FIRST || (!self.is_full() && self.n_offered.is_multiple_of(FRESH_EVERY)) {
            return None;
        }
        let one = random.below(n);
        let other = (one + 1 + random.below(n - 1)) % n;
        Some((&self.members[one], &self.members[other]))
    }

    /// Takes a plan if it is better than the worst and not too near to a better one. A pool that takes nothing any
    /// more keeps its best and starts afresh.
    pub(super) fn offer(&mut self, layout: Layout) {
        self.n_offered += 1;
        if self.takes(layout) {
            self.n_refused = 0;
            return;
        }
        self.n_refused += 1;
        if self.n_refused > MAX_REFUSED {
            self.n_refused = 0;
            self.members.sort_by_key(|member| member.makespan);
            self.members.truncate(1);
        }
    }

    fn takes(&mut self, layout: Layout) -> bool {
        let nearest = 1 + layout.order.len() / 100;
        let twin = self.members.iter().position(|member| distance(member, &layout) < nearest);
        if let Some(idx) = twin {
            let is_better = layout.makespan < self.members[idx].makespan;
            if is_better {
                self.members[idx] = layout;
            }
            return is_better;
        }
        if !self.is_full() {
            self.members.push(layout);
            return true;
        }
        let worst = (0..SIZE).max_by_key(|&idx| self.members[idx].makespan).unwrap_or(0);
        let is_better = layout.makespan < self.members[worst].makespan;
        if is_better {
            self.members[worst] = layout;
        }
        is_better
    }
}

/// How many operations start at another time or take another choice.
fn distance(one: &Layout, other: &Layout) -> usize {
    let heads = one.head.iter().zip(&other.head);
    let choices = one.choice.iter().zip(&other.choice);
    heads.zip(choices).filter(|((a, b), (c, d))| a != b || c != d).count()
}

/// A plan between two: every operation is keyed by its start in both, weighted, and takes its choice from one.
///
/// Starts respect the order within a job and on a machine, and so does their mean: whatever both plans do in the
/// same order stays in that order, which is the point of path relinking (Peng, Lü & Cheng 2015). They walk the path
/// swap by swap; the mean jumps to any point of it and needs no repair.
pub(super) fn relink(
    from: &Layout,
    to: &Layout,
    share: f64,
    random: &mut Random,
) -> (Vec<u32>, Vec<u32>) {
    let choice: Vec<u32> = from
        .choice
        .iter()
        .zip(&to.choice)
        .map(|(&a, &b)| if a != b && random.share() < share { b } else { a })
        .collect();
    let key = |op: usize| (1.0 - share) * f64::from(from.head[op]) + share * f64::from(to.head[op]);
    let keys: Vec<f64> = (0..from.head.len()).map(key).collect();
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    order.sort_by(|&a, &b| keys[a as usize].total_cmp(&keys[b as usize]).then(a.cmp(&b)));
    (choice, order)
}

/// A random start: jobs in turn by lot, each operation where it would end first so far.
pub(super) fn random_start(shop: &Shop, random: &mut Random) -> (Vec<u32>, Vec<u32>) {
    let mut turns: Vec<u32> = Vec::with_capacity(shop.n_operations());
    for job in 0..shop.n_jobs() {
        turns.extend(shop.operations(job).map(|_| job as u32));
    }
    random.shuffle(&mut turns);
    let mut next: Vec<usize> = (0..shop.n_jobs()).map(|job| shop.operations(job).start).collect();
    let mut job_free = vec![0_i64; shop.n_jobs()];
    let mut machine_free = vec![0_i64; shop.n_machines()];
    let mut choice = vec![0; shop.n_operations()];
    let order = turns.iter().map(|&job| {
        let job = job as usize;
        let op = next[job];
        next[job] += 1;
        let end =
            |machine: usize, duration: i64| job_free[job].max(machine_free[machine]) + duration;
        let ends = shop.choices(op).iter().map(|chosen| end(chosen.machine, chosen.duration));
        let (best, end) = ends.enumerate().min_by_key(|&(_, end)| end).unwrap_or_default();
        choice[op] = best as u32;
        (job_free[job], machine_free[shop.choices(op)[best].machine]) = (end, end);
        op as u32
    });
    let order = order.collect();
    (choice, order)
}
