//! Ruin: strings of neighboring stops are taken off their tours (Christiaens & Vanden Berghe 2020, §5.2).

use super::state::{NONE, State};
use crate::random::Random;

/// Longest string, and how many stops are taken off on average.
const LONGEST: f64 = 10.0;
const AVERAGE: f64 = 10.0;
/// Share of split strings, and the chance that their gap does not grow by one more.
const SPLIT_SHARE: f64 = 0.5;
const GAP_STOP: f64 = 0.01;

/// Buffers of a ruin.
#[derive(Debug, Default)]
pub(super) struct Ruin {
    is_ruined: Vec<bool>,
    ruined: Vec<usize>,
    is_chosen: Vec<bool>,
    chosen: Vec<u32>,
}

impl Ruin {
    pub(super) fn new(state: &State<'_>) -> Self {
        Self {
            is_ruined: vec![false; state.routes.len()],
            is_chosen: vec![false; state.model.works.len()],
            ..Self::default()
        }
    }

    /// Takes strings off the tours around a stop drawn at random.
    pub(super) fn strings(&mut self, state: &mut State<'_>, random: &mut Random) {
        if state.used.is_empty() {
            return;
        }
        let n_served: usize =
            state.used.iter().map(|&route| state.routes[route as usize].stops.len()).sum();
        let longest = LONGEST.min(n_served as f64 / state.used.len() as f64);
        let most = 4.0 * AVERAGE / (1.0 + longest) - 1.0;
        let n_strings = (1.0 + random.share() * most.max(0.0)) as usize;
        let seed = random.below(state.model.nodes.len());
        let near = &state.model.near[seed];
        for &stop in near {
            if self.ruined.len() >= n_strings {
                break;
            }
            let route = state.spots[stop as usize].route;
            if route == NONE || self.is_ruined[route as usize] {
                continue;
            }
            self.ruin_route(state, route as usize, stop, longest, random);
        }
        for route in self.ruined.drain(..) {
            self.is_ruined[route] = false;
        }
    }

    fn ruin_route(
        &mut self,
        state: &mut State<'_>,
        route: usize,
        stop: u32,
        longest: f64,
        random: &mut Random,
    ) {
        let stops = &state.routes[route].stops;
        let longest = longest.min(stops.len() as f64);
        let length = ((1.0 + random.share() * longest) as usize).clamp(1, stops.len());
        let place = state.spots[stop as usize].place as usize;
        let mut gap = 0;
        if length > 1 && length < stops.len() && random.share() < SPLIT_SHARE {
            gap = 1;
            while length + gap < stops.len() && random.share() > GAP_STOP {
                gap += 1;
            }
        }
        let span = length + gap;
        let first = place.saturating_sub(span - 1);
        let last = place.min(stops.len() - span);
        let from = first + random.below(last - first + 1);
        // The gap keeps its stops; a stop that keeps its place may be the one that we came by.
        let gap_from = from + if gap > 0 { 1 + random.below(length - 1) } else { span };
        for (place, &stop) in stops.iter().enumerate().skip(from).take(span) {
            if !(gap_from..gap_from + gap).contains(&place) {
                let job = state.model.nodes[stop as usize].job;
                self.is_chosen[job as usize] = true;
                self.chosen.push(job);
            }
        }
        let is_chosen = &self.is_chosen;
        state.remove(route, |job| is_chosen[job as usize]);
        for job in self.chosen.drain(..) {
            self.is_chosen[job as usize] = false;
        }
        self.is_ruined[route] = true;
        self.ruined.push(route);
    }
}
