//! What really happens between order and delivery: the process map of an event log.
//!
//! ```text
//! (case, activity, start, end) ──► Log, in order of start ──► map(): activities, edges with waits, variants
//! ```
//!
//! An edge from A to B says that B directly followed A in some case. A log of a job shop gives hundreds of edges;
//! [`ProcessMap::busiest`] leaves out those that hardly carry anything. Start reading at [`map`].

mod advice;
mod log;
mod variants;

use std::collections::HashMap;

pub use advice::recommend;
pub use log::{Error, Event, Log, Row};
pub use variants::Variant;

/// One activity.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Activity {
    /// Its name in the log.
    pub name: String,
    /// How often it was done.
    pub n_events: usize,
    /// In how many cases.
    pub n_cases: usize,
    /// Cases that begin with it.
    pub n_first: usize,
    /// Cases that end with it.
    pub n_last: usize,
    /// Time spent on it, in microseconds, over all cases.
    pub busy_us: i64,
}

impl Activity {
    /// How often it was done again in a case that had seen it: rework, or a second operation of the same name.
    pub fn n_repeats(&self) -> usize {
        self.n_events - self.n_cases
    }
}

/// How often one activity directly followed another, and how long the case waited in between.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// Index of the activity before.
    pub from: usize,
    /// Index of the activity after.
    pub to: usize,
    /// How often.
    pub n: usize,
    /// All waiting in microseconds; an activity that began before the other ended waited for nothing.
    pub total_wait_us: i64,
    /// Median wait in microseconds; the lower of the two middle ones.
    pub median_wait_us: i64,
    /// Longest wait in microseconds.
    pub max_wait_us: i64,
}

/// The process as it was recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessMap {
    /// Activities, in the order in which the log first names them.
    pub activities: Vec<Activity>,
    /// Edges, most frequent first.
    pub edges: Vec<Edge>,
    /// Ways through the process, most frequent first.
    pub variants: Vec<Variant>,
    /// Cases in the log.
    pub n_cases: usize,
}

impl ProcessMap {
    /// The fewest edges that carry `share_percent` of all transitions, most frequent first; none for NaN.
    pub fn busiest(&self, share_percent: f64) -> &[Edge] {
        let total: usize = self.edges.iter().map(|edge| edge.n).sum();
        let wanted = share_percent / 100.0 * total as f64;
        let mut carried = 0;
        let is_short = |edge: &&Edge| {
            let is_needed = (carried as f64) < wanted;
            carried += edge.n;
            is_needed
        };
        let n = self.edges.iter().take_while(is_short).count();
        &self.edges[..n]
    }

    /// Edges by the time that cases lost on them, longest first.
    pub fn longest_waits(&self) -> Vec<&Edge> {
        let mut edges: Vec<&Edge> = self.edges.iter().collect();
        edges.sort_by_key(|edge| std::cmp::Reverse(edge.total_wait_us));
        edges
    }
}

/// Directly-follows graph, waits and variants of a log.
///
/// Cost: O(n log k) for n events in cases of k events. An empty log gives an empty map.
/// Source: van der Aalst (2016), "Process Mining", §6.2 (directly-follows relation).
///
/// ```
/// use optimize::process::{Log, Row, map};
/// let row = |case, activity, start_us, end_us| Row { case, activity, start_us, end_us };
/// let log = Log::new([
///     row("order 1", "saw", 0, 10), row("order 1", "mill", 30, 40),
///     row("order 2", "saw", 10, 20), row("order 2", "mill", 40, 50), row("order 2", "saw", 50, 60),
/// ])?;
/// let map = map(&log);
/// let saw_to_mill = &map.edges[0];
/// assert_eq!((saw_to_mill.n, saw_to_mill.total_wait_us), (2, 40)); // 20 and 20
/// assert_eq!(map.variants.len(), 2); // saw, mill | saw, mill, saw
/// assert_eq!(map.activities[0].n_repeats(), 1);
/// # Ok::<(), optimize::process::Error>(())
/// ```
pub fn map(log: &Log) -> ProcessMap {
    let mut activities: Vec<Activity> = log
        .activities()
        .iter()
        .map(|name| Activity { name: name.clone(), ..Activity::default() })
        .collect();
    let mut waits = Waits::default();
    let mut last_case = vec![usize::MAX; activities.len()];
    for (case_idx, case) in log.cases().enumerate() {
        for event in case {
            let activity = &mut activities[event.activity as usize];
            activity.n_events += 1;
            activity.busy_us = activity.busy_us.saturating_add(event.end_us - event.start_us);
            let last = &mut last_case[event.activity as usize];
            activity.n_cases += usize::from(*last != case_idx);
            *last = case_idx;
        }
        activities[case[0].activity as usize].n_first += 1;
        activities[case[case.len() - 1].activity as usize].n_last += 1;
        for pair in case.windows(2) {
            waits.add(
                pair[0].activity,
                pair[1].activity,
                (pair[1].start_us - pair[0].end_us).max(0),
            );
        }
    }
    let n_cases = log.cases().count();
    ProcessMap { activities, edges: waits.into_edges(), variants: variants::variants(log), n_cases }
}

/// Waits by edge, each edge with a place of its own.
#[derive(Default)]
struct Waits {
    places: HashMap<u64, usize>,
    waits_us: Vec<(u32, u32, Vec<i64>)>,
}

impl Waits {
    fn add(&mut self, from: u32, to: u32, wait_us: i64) {
        let key = u64::from(from) << 32 | u64::from(to);
        let place = *self.places.entry(key).or_insert_with(|| {
            self.waits_us.push((from, to, Vec::new()));
            self.waits_us.len() - 1
        });
        self.waits_us[place].2.push(wait_us);
    }

    fn into_edges(self) -> Vec<Edge> {
        let mut edges: Vec<Edge> = self.waits_us.into_iter().map(edge).collect();
        edges.sort_by_key(|edge| (std::cmp::Reverse(edge.n), edge.from, edge.to));
        edges
    }
}

fn edge((from, to, mut waits_us): (u32, u32, Vec<i64>)) -> Edge {
    let middle = (waits_us.len() - 1) / 2;
    let median_wait_us = *waits_us.select_nth_unstable(middle).1;
    Edge {
        from: from as usize,
        to: to as usize,
        n: waits_us.len(),
        total_wait_us: waits_us.iter().copied().fold(0, i64::saturating_add),
        median_wait_us,
        max_wait_us: waits_us.iter().copied().max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests;
