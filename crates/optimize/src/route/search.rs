//! Simulated annealing over ruin and recreate.

use super::bound;
use super::model::Model;
use super::problem::{Plan, Problem, ProblemError, Tour, Unserved, Visit};
use super::reason::reason;
use super::recreate::Fleet;
use super::ruin::Ruin;
use super::state::State;
use crate::Control;
use crate::anneal::{Curve, Pace, on_threads};

/// First and last temperature as a share of the mean cost per job.
const HOT: f64 = 1.0;
const COLD: f64 = 0.02;
/// Share of the steps in which vehicles that differ exchange their tours.
const EXCHANGE: f64 = 0.05;

/// Plans tours, until `control` says stop.
///
/// Jobs that fit on no tour, or cost more than leaving them undone, are left out with their reasons; so a problem
/// without jobs, without vehicles or with impossible jobs has a plan too. Every thread of `control` searches by
/// itself, with up to `max_iterations` steps, and the best answer is taken: the same seed, thread count and iteration
/// limit give the same plan. Memory: two matrices of (stops + ends)².
///
/// Source: Christiaens & Vanden Berghe (2020), "Slack induction by string removals for vehicle routing problems".
/// Departures: the temperature follows the time that is left, and falls from the mean cost per job to a fiftieth of
/// it; new tours compete with old ones on cost, unless fewer vehicles come first, and now and then one is opened at
/// any cost; vehicles that differ now and then exchange their tours; places that are not beside one of the nearest
/// stops are looked at only where those are none.
///
/// ```
/// use optimize::Control;
/// use optimize::route::{Job, Matrix, Problem, Stop, Task, Vehicle, solve};
///
/// // A depot at 0 and two customers on a line, at 3 and at 5: there and back is 10.
/// let rows = [vec![0, 3, 5], vec![3, 0, 2], vec![5, 2, 0]];
/// let matrix = Matrix::new(&rows).expect("square");
/// let job = |place: usize| Job {
///     name: format!("order {place}"),
///     task: Task::Delivery(Stop { place, service: 0, windows: vec![] }),
///     load: vec![1],
///     skills: vec![],
///     unserved_cost: f64::INFINITY,
/// };
/// let vehicle = Vehicle {
///     name: "van".to_owned(), start: 0, end: Some(0), shift: (0, 100), capacity: vec![2], skills: vec![],
///     breaks: vec![], fixed_cost: 0.0, distance_cost: 1.0, time_cost: 0.0,
/// };
/// let problem = Problem {
///     distance: matrix.clone(), duration: matrix, jobs: vec![job(1), job(2)], vehicles: vec![vehicle],
///     fewest_vehicles: false,
/// };
/// let plan = solve(&problem, &Control::iterations(1, 100))?;
/// assert_eq!(plan.cost, 10.0);
/// # Ok::<(), optimize::route::ProblemError>(())
/// ```
///
/// # Errors
/// If the problem is malformed; see [`Problem::check`].
pub fn solve(problem: &Problem, control: &Control<'_>) -> Result<Plan, ProblemError> {
    problem.check()?;
    let model = Model::new(problem);
    let curve = Curve::new(control, objective_bound(&model));
    let mut found = on_threads(control, |thread| Search::run(&model, Pace::new(&curve, thread)));
    let n_iterations = found.iter().map(|search| search.pace.n_iterations).sum();
    let best = (0..found.len())
        .min_by(|&a, &b| found[a].best.objective.total_cmp(&found[b].best.objective));
    let search = found.swap_remove(best.unwrap_or(0));
    let mut plan = plan(&model, &search);
    plan.n_iterations = n_iterations;
    Ok(plan)
}

/// The best tours so far.
#[derive(Debug, Clone)]
pub(super) struct Best {
    routes: Vec<Vec<u32>>,
    pub(super) absent: Vec<u32>,
    objective: f64,
    /// Whether a tour differs from what the state holds.
    is_stale: Vec<bool>,
}

pub(super) struct Search<'a> {
    pub(super) state: State<'a>,
    pub(super) ruin: Ruin,
    pub(super) pace: Pace<'a>,
    pub(super) best: Best,
}

impl<'a> Search<'a> {
    fn run(model: &'a Model<'a>, mut pace: Pace<'a>) -> Self {
        let mut state = State::new(model);
        state.recreate(fleet(model), &mut pace.random);
        let ruin = Ruin::new(&state);
        let best = Best {
            routes: state.routes.iter().map(|route| route.stops.clone()).collect(),
            absent: state.absent.clone(),
            objective: objective(&state),
            is_stale: vec![false; state.routes.len()],
        };
        let mut search = Self { state, ruin, pace, best };
        if model.problem.fewest_vehicles {
            search.shrink_fleet();
        }
        search.anneal();
        search
    }

    fn anneal(&mut self) {
        let n_jobs = self.state.model.works.len().max(1) as f64;
        let mean = self.state.cost / n_jobs;
        let (hot, cold) = (HOT * mean, COLD * mean);
        let mut now = objective(&self.state);
        let mut temperature = hot;
        let fleet = fleet(self.state.model);
        let is_mixed = self.state.model.classes.len() > 1;
        while self.goes_on() {
            temperature = self.pace.temperature((hot, cold)).unwrap_or(temperature);
            self.pace.n_iterations += 1;
            self.state.mark();
            if is_mixed && self.pace.random.share() < EXCHANGE {
                self.exchange();
            } else {
                self.ruin.strings(&mut self.state, &mut self.pace.random);
                self.state.recreate(fleet, &mut self.pace.random);
            }
            let next = objective(&self.state);
            let threshold =
                now - temperature * self.pace.random.share().max(f64::MIN_POSITIVE).ln();
            // Not written as `<`, so that equal ones pass at a temperature of zero.
            if next <= threshold {
                now = next;
                self.keep();
            } else {
                self.state.undo();
            }
        }
    }

    /// Gives a tour to another vehicle, for the one that it has: what fits a large vehicle to the last piece never gets
    /// there stop by stop.
    fn exchange(&mut self) {
        let (units, used) = (&self.state.model.units, &self.state.used);
        if used.is_empty() {
            return;
        }
        let one = used[self.pace.random.below(used.len())] as usize;
        let other = self.pace.random.below(units.len());
        if units[one].class != units[other].class && !self.state.exchange(one, other) {
            self.state.undo();
        }
    }

    /// Notes what changed, and the whole if it is the best so far.
    pub(super) fn keep(&mut self) {
        let next = objective(&self.state);
        self.touch();
        if next >= self.best.objective - 1e-9 {
            return;
        }
        self.best.objective = next;
        self.best.absent.clone_from(&self.state.absent);
        for (route, is_stale) in self.best.is_stale.iter_mut().enumerate() {
            if std::mem::replace(is_stale, false) {
                self.best.routes[route].clone_from(&self.state.routes[route].stops);
            }
        }
    }

    /// Notes which tours differ from the best ones.
    pub(super) fn touch(&mut self) {
        for route in self.state.changed() {
            self.best.is_stale[route as usize] = true;
        }
    }

    /// Goes back to the best tours.
    pub(super) fn restore(&mut self) {
        self.state = State::new(self.state.model);
        for (route, stops) in self.best.routes.iter().enumerate() {
            self.state.set_stops(route, stops);
        }
        self.state.absent.clone_from(&self.best.absent);
        self.best.is_stale.fill(false);
        self.state.mark();
    }

    pub(super) fn goes_on(&mut self) -> bool {
        self.pace.goes_on(self.best.objective)
    }
}

/// Opening a tour only where a job has no other place was tried for all problems: after as many steps R2_10_1 had
/// 23 tours instead of 26, and was 3 % longer.
fn fleet(model: &Model<'_>) -> Fleet {
    if model.problem.fewest_vehicles { Fleet::Needed } else { Fleet::Open }
}

/// What is minimized.
fn objective(state: &State<'_>) -> f64 {
    state.cost + state.absent_cost() + state.model.vehicle_weight * state.used.len() as f64
}

/// A simple lower bound of the objective, for the caller who watches: every stop is come to and left by its cheapest legs, at the least cost of
/// distance, or its job is left undone if that is cheaper.
fn objective_bound(model: &Model<'_>) -> f64 {
    let per_distance =
        model.units.iter().map(|unit| unit.distance_cost).fold(f64::INFINITY, f64::min);
    if model.units.is_empty() {
        return model.works.iter().map(|work| work.unserved_cost.min(model.must_weight)).sum();
    }
    let cheapest = |row: &[i32], own: u32| {
        let others = row.iter().enumerate().filter(|&(other, _)| other as u32 != own);
        f64::from(others.map(|(_, &leg)| leg).min().unwrap_or(0))
    };
    let half = |node: u32| {
        0.5 * (cheapest(model.distance.from(node), node) + cheapest(model.distance.to(node), node))
    };
    let mut jobs = vec![0.0; model.works.len()];
    for (node, described) in model.nodes.iter().enumerate() {
        jobs[described.job as usize] += per_distance * half(node as u32);
    }
    jobs.iter().zip(&model.works).map(|(cost, work)| cost.min(work.unserved_cost)).sum()
}

fn plan(model: &Model<'_>, search: &Search<'_>) -> Plan {
    let best = &search.best;
    let mut absent = best.absent.clone();
    let mut tours = Vec::new();
    for (vehicle, stops) in best.routes.iter().enumerate().filter(|(_, stops)| !stops.is_empty()) {
        match tour(model, vehicle, stops) {
            Some(tour) => tours.push(tour),
            // No job is ever lost, even if the caches of the search and the drive should disagree.
            None => absent.extend(stops.iter().map(|&stop| model.nodes[stop as usize].job)),
        }
    }
    absent.sort_unstable();
    absent.dedup();
    let cost = tours.iter().map(|tour: &Tour| tour.cost).sum();
    let bound = bound::bound(model, &absent, cost);
    let unserved = absent.into_iter().map(|job| {
        let job = job as usize;
        Unserved { job, reason: reason(model.problem, job) }
    });
    Plan {
        unserved: unserved.collect(),
        cost,
        tours,
        bound,
        n_iterations: search.pace.n_iterations,
        stop: search.pace.stop(),
    }
}

fn tour(model: &Model<'_>, vehicle: usize, stops: &[u32]) -> Option<Tour> {
    let unit = &model.units[vehicle];
    let walk = model.walk(unit, stops)?;
    let visit = |(&stop, &[arrival, start, end]): (&u32, &[i32; 3])| {
        let job = model.nodes[stop as usize].job as usize;
        let second = usize::from(model.works[job].node != stop);
        let [arrival, start, end] = [arrival, start, end].map(i64::from);
        Visit { job, stop: second, arrival, start, end }
    };
    Some(Tour {
        vehicle,
        start: i64::from(walk.start),
        end: i64::from(walk.end),
        visits: stops.iter().zip(&walk.times).map(visit).collect(),
        breaks: walk.breaks.iter().map(|&start| i64::from(start)).collect(),
        distance: walk.distance,
        cost: walk.cost(unit),
    })
}
