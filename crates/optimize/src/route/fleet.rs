//! Fewer vehicles: a tour is dissolved, and jobs that are hard to place push others out until all have a place.

use super::recreate::Fleet;
use super::search::Search;

/// Share of the time spent on it.
const SHARE: f64 = 0.25;

impl Search<'_> {
    /// Dissolves one tour after another as long as its jobs find a place on the others.
    ///
    /// Source: Christiaens & Vanden Berghe (2020), §5.4: a change is taken if fewer jobs are absent, or jobs that
    /// were absent less often.
    pub(super) fn shrink_fleet(&mut self) {
        let n_absent = self.best.absent.len();
        let mut times_absent = vec![1_u64; self.state.model.works.len()];
        while self.state.used.len() > 1 && self.pace.share_done() < SHARE && self.goes_on() {
            self.state.mark();
            self.dissolve(&times_absent);
            while self.state.absent.len() > n_absent
                && self.pace.share_done() < SHARE
                && self.goes_on()
            {
                self.push(&mut times_absent);
            }
            self.keep();
        }
        self.restore();
    }

    /// Empties the tour whose jobs have found a place most easily so far.
    fn dissolve(&mut self, times_absent: &[u64]) {
        let nodes = &self.state.model.nodes;
        let weight = |route: u32| -> u64 {
            let stops = &self.state.routes[route as usize].stops;
            stops.iter().map(|&stop| times_absent[nodes[stop as usize].job as usize]).sum()
        };
        if let Some(&route) = self.state.used.iter().min_by_key(|&&route| weight(route)) {
            self.state.remove(route as usize, |_| true);
            self.touch();
        }
    }

    /// One step of ruin and recreate without new vehicles.
    fn push(&mut self, times_absent: &mut [u64]) {
        self.pace.n_iterations += 1;
        let weight = |absent: &[u32], times: &[u64]| {
            absent.iter().map(|&job| times[job as usize]).sum::<u64>()
        };
        let before =
            (self.state.absent.len(), weight(&self.state.absent, times_absent), self.state.cost);
        self.state.mark();
        self.ruin.strings(&mut self.state, &mut self.pace.random);
        self.state.recreate(Fleet::Closed, &mut self.pace.random);
        let after =
            (self.state.absent.len(), weight(&self.state.absent, times_absent), self.state.cost);
        let is_better = after.0 < before.0
            || after.1 < before.1
            || (after.1 == before.1 && after.2 <= before.2);
        for &job in &self.state.absent {
            times_absent[job as usize] += 1;
        }
        if is_better {
            self.touch();
        } else {
            self.state.undo();
        }
    }
}
