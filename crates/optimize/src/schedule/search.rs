//! Simulated annealing over turns, modes and delays.

use super::bound::bound;
use super::conflict::{SolveError, conflicts};
use super::decode::{Decision, Decoder};
use super::plan::{Cost, Placement, Plan};
use super::problem::Problem;
use super::shop::{ShopPlan, solve as solve_shop};
use super::start::{Rule, by_rule, due_first, durations_only, in_force, remaining_shop};
use crate::anneal::{Curve, Pace, on_threads};
use crate::random::Random;
use crate::{Control, Progress};

/// First and last temperature as a share of the mean cost per operation.
const HOT: f64 = 0.5;
const COLD: f64 = 0.0005;
/// Share of the makespan's weight that the mean end of work has while plans are compared: the makespan alone does not
/// tell a plan with idle times in its middle from one without.
const GUIDE: f64 = 0.1;
/// Cost of one unit of time after the horizon, above all that weights can say.
const OVERRUN: f64 = 1e15;

/// Plans a plant's orders, until `control` says stop.
///
/// A problem that is a plain job shop goes to the shop kernel with all its proofs. Any other starts from the best of a
/// due-date rule, four dispatching rules, the plan in force and the kernel's plan for the durations alone, and is
/// annealed: orders take turns, an operation is placed as early as its order, machine, set-up, calendar and worker
/// allow, not before a start that it is to keep or a cheaper hour that it is to wait for, behind what its machine
/// and worker have got so far. One iteration is one plan looked at. Every thread searches by itself; the same seed,
/// thread count and iteration limit give the same plan.
///
/// A set-up is done right before its operation and by its worker, and waits for the material as that does.
///
/// ```
/// use optimize::Control;
/// use optimize::schedule::{Machine, Mode, Operation, Order, Problem, Weights, solve};
///
/// // Two orders of 4 on one machine that is closed from 4 to 10: the urgent one goes first, the other after.
/// let order = |name: &str, due: i64| Order {
///     name: name.to_owned(), due: Some(due), weight: 1.0,
///     operations: vec![Operation {
///         modes: vec![Mode { machine: 0, duration: 4, power_kw: 0.0 }],
///         ..Operation::default()
///     }],
///     ..Order::default()
/// };
/// let problem = Problem {
///     machines: vec![Machine { name: "mill".to_owned(), closed: vec![(4, 10)], ..Machine::default() }],
///     orders: vec![order("relaxed", 20), order("urgent", 4)],
///     weights: Weights { tardiness: 1.0, ..Weights::default() },
///     horizon: 100,
///     ..Problem::default()
/// };
/// let plan = solve(&problem, &Control::iterations(1, 100))?;
/// assert_eq!(plan.placements[0].start, 10);
/// assert_eq!(plan.cost.tardiness, 0.0);
/// # Ok::<(), optimize::schedule::SolveError>(())
/// ```
///
/// # Errors
/// If the problem is malformed or has no plan; then every reason that can be named is.
pub fn solve(problem: &Problem, control: &Control<'_>) -> Result<Plan, SolveError> {
    problem.check()?;
    let found = conflicts(problem);
    if !found.is_empty() {
        return Err(SolveError::Infeasible(found));
    }
    let decoder = Decoder::new(problem);
    let plan = match remaining_shop(&decoder).filter(|_| is_plain_shop(problem)) {
        Some(shop) => {
            let cost = |end: f64| problem.weights.makespan * (end + problem.now as f64);
            let watch = |seen: Progress| {
                (control.watch)(Progress { best: cost(seen.best), bound: cost(seen.bound), ..seen })
            };
            shop_plan(&decoder, &solve_shop(&shop, &Control { watch: &watch, ..*control }))
        }
        None => annealed(&decoder, control),
    };
    if plan.cost.makespan > problem.horizon {
        return Err(SolveError::TooLate { end: plan.cost.makespan, horizon: problem.horizon });
    }
    Ok(plan)
}

/// The best of one search per thread.
fn annealed(decoder: &Decoder<'_>, control: &Control<'_>) -> Plan {
    let bound = bound(decoder);
    let curve = Curve::new(control, bound);
    let mut found = on_threads(control, |thread| {
        let mut search = Search::new(decoder, control, &curve, thread);
        search.anneal();
        search
    });
    let n_iterations = found.iter().map(|search| search.pace.n_iterations).sum();
    let best =
        (0..found.len()).min_by(|&a, &b| found[a].best.0.total_cmp(&found[b].best.0)).unwrap_or(0);
    let search = found.swap_remove(best);
    let mut placements = Vec::new();
    decoder.decode(&search.best.1, &mut placements);
    let cost = decoder.cost(&placements);
    let bound = bound.min(cost.total);
    Plan { placements, cost, bound, n_iterations, stop: search.pace.stop() }
}

/// What a decision is worth.
struct Score {
    /// The cost, and above all the time after the horizon.
    judged: f64,
    /// What is minimized.
    guided: f64,
}

struct Search<'a> {
    decoder: &'a Decoder<'a>,
    pace: Pace<'a>,
    placements: Vec<Placement>,
    /// Operations with a choice of modes, as (index, number of modes).
    flexible: Vec<(usize, usize)>,
    /// What a unit of [`Search::mean_end`] weighs.
    guide: f64,
    /// Share of each operation in all work, in its shortest mode.
    shares: Vec<f64>,
    /// Whether waiting for a cheaper hour can pay.
    can_wait: bool,
    /// Operations that cost something if they do not start when the plan in force has them, and when that is.
    kept: Vec<(usize, i64)>,
    /// Orders with a step of the same family, where a machine has set-ups.
    families: Vec<Vec<u32>>,
    best: (f64, Decision),
    /// Cost of the best plan that ends by the horizon.
    best_cost: f64,
}

impl<'a> Search<'a> {
    fn new(
        decoder: &'a Decoder<'a>,
        control: &Control<'_>,
        curve: &'a Curve<'a>,
        thread: u64,
    ) -> Self {
        let operations =
            decoder.problem.orders.iter().flat_map(|order| &order.operations).enumerate();
        let mut search = Self {
            flexible: operations
                .map(|(idx, it)| (idx, it.modes.len()))
                .filter(|&(_, n)| n > 1)
                .collect(),
            guide: GUIDE * decoder.problem.weights.makespan,
            shares: shares(decoder.problem),
            can_wait: decoder.problem.weights.energy > 0.0
                && !decoder.problem.prices.is_empty()
                && decoder.problem.n_operations() > 0,
            kept: decoder.kept(),
            families: families(decoder),
            decoder,
            pace: Pace::new(curve, thread),
            placements: Vec::new(),
            best: (f64::INFINITY, due_first(decoder)),
            best_cost: f64::INFINITY,
        };
        search.start(search.best.1.clone());
        for rule in Rule::ALL {
            if curve.ask(search.best_cost, 0).is_some() {
                break;
            }
            by_rule(decoder, rule).into_iter().for_each(|start| search.start(start));
        }
        if !search.kept.is_empty() {
            search.start(in_force(decoder, &search.kept));
        }
        let watch = |_: Progress| curve.ask(search.best_cost, 0).is_none();
        if let Some(start) = durations_only(decoder, control, &watch) {
            search.start(start);
        }
        search
    }

    /// Takes a decision if it is better than the best so far.
    fn start(&mut self, decision: Decision) {
        let score = self.score(&decision);
        if score.judged < self.best.0 {
            self.best = (score.judged, decision);
        }
    }

    fn anneal(&mut self) {
        let n = self.decoder.problem.n_operations().max(1) as f64;
        let mut now = self.best.1.clone();
        let mut now_guided = self.score(&now).guided;
        let weighed = self.decoder.cost(&self.placements).total;
        let (hot, cold) = (HOT * weighed / n, COLD * weighed / n);
        let mut temperature = hot;
        let mut next = now.clone();
        while self.pace.goes_on(self.best_cost) {
            temperature = self.pace.temperature((hot, cold)).unwrap_or(temperature);
            self.pace.n_iterations += 1;
            next.clone_from(&now);
            self.change(&mut next);
            let score = self.score(&next);
            let threshold =
                now_guided - temperature * self.pace.random.share().max(f64::MIN_POSITIVE).ln();
            if score.judged < self.best.0 {
                self.best.0 = score.judged;
                self.best.1.clone_from(&next);
            }
            if score.guided <= threshold {
                now_guided = score.guided;
                std::mem::swap(&mut now, &mut next);
            }
        }
    }

    fn score(&mut self, decision: &Decision) -> Score {
        self.decoder.decode(decision, &mut self.placements);
        let cost: Cost = self.decoder.cost(&self.placements);
        if cost.makespan <= self.decoder.problem.horizon {
            self.best_cost = self.best_cost.min(cost.total);
        }
        let overrun = (cost.makespan - self.decoder.problem.horizon).max(0) as f64;
        let judged = cost.total + OVERRUN * overrun;
        let mean_end = if self.guide > 0.0 { self.mean_end() } else { 0.0 };
        Score { judged, guided: judged + self.guide * mean_end }
    }

    /// The mean end of all work, an hour of it counted as often as it is long: the same for all plans of a machine
    /// without idle times, whatever their order, and larger with every idle time that work waits for.
    fn mean_end(&self) -> f64 {
        let mut sum = 0.0;
        for placement in &self.placements {
            let idx = self.decoder.first[placement.order] + placement.operation;
            sum += self.shares[idx] * placement.end as f64;
        }
        sum
    }

    /// One random change: another place in the turns for one step or for a family, another mode, a later start for a
    /// cheaper hour, or the start that the plan in force has.
    fn change(&mut self, decision: &mut Decision) {
        let random = &mut self.pace.random;
        let problem = self.decoder.problem;
        let drawn = random.share();
        if drawn < 0.2 && !self.flexible.is_empty() {
            let (idx, n_modes) = self.flexible[random.below(self.flexible.len())];
            let other = (decision.modes[idx] as usize + 1 + random.below(n_modes - 1)) % n_modes;
            decision.modes[idx] = other as u32;
        } else if drawn < 0.4 && self.can_wait {
            let idx = random.below(decision.not_before.len());
            let price = random.below(problem.prices.len() + 1);
            decision.not_before[idx] = problem.prices.get(price).map_or(0, |&(from, _)| from);
        } else if drawn < 0.6 && !self.kept.is_empty() {
            let (idx, start) = self.kept[random.below(self.kept.len())];
            let is_held = decision.not_before[idx] == start;
            decision.not_before[idx] = if is_held { 0 } else { start };
        } else if drawn > 0.97 && !self.families.is_empty() {
            gather(&mut decision.turns, &self.families[random.below(self.families.len())], random);
        } else if let Some(last) = decision.turns.len().checked_sub(1) {
            let from = random.below(last + 1);
            let reach = if random.below(4) == 0 { last } else { 10.min(last) };
            let to = (from + random.below(2 * reach + 1)).saturating_sub(reach).min(last);
            if random.below(2) == 0 {
                decision.turns.swap(from, to);
            } else if from < to {
                decision.turns[from..=to].rotate_left(1);
            } else {
                decision.turns[to..=from].rotate_right(1);
            }
        }
    }
}

fn shares(problem: &Problem) -> Vec<f64> {
    let operations = problem.orders.iter().flat_map(|order| &order.operations);
    let shortest = operations.map(|it| it.modes.iter().map(|mode| mode.duration).min());
    let work: Vec<f64> = shortest.map(|shortest| shortest.unwrap_or(0) as f64).collect();
    let all = work.iter().sum::<f64>().max(1.0);
    work.into_iter().map(|work| work / all).collect()
}

/// Orders that have a step of a family on a machine with set-ups, for each of the families of which there is more than
/// one.
fn families(decoder: &Decoder<'_>) -> Vec<Vec<u32>> {
    let problem = decoder.problem;
    let mut families: Vec<Vec<u32>> = Vec::new();
    for (number, order) in problem.orders.iter().enumerate() {
        for operation in &order.operations {
            let has_setups = |mode: &super::Mode| !problem.machines[mode.machine].setups.is_empty();
            if operation.modes.iter().any(has_setups) {
                families.resize(families.len().max(operation.family + 1), Vec::new());
                families[operation.family].push(number as u32);
            }
        }
    }
    families.iter_mut().for_each(Vec::dedup);
    families.retain(|orders| !orders.is_empty());
    if families.len() > 1 { families } else { Vec::new() }
}

/// Brings the turns of these orders together, at a random place among the others.
fn gather(turns: &mut Vec<u32>, orders: &[u32], random: &mut Random) {
    // They are in order of their numbers.
    let is_member = |order: &u32| orders.binary_search(order).is_ok();
    let (members, mut others): (Vec<u32>, Vec<u32>) = turns.iter().partition(|it| is_member(it));
    let at = random.below(others.len() + 1);
    others.splice(at..at, members);
    *turns = others;
}

/// Whether nothing but durations and the makespan counts.
fn is_plain_shop(problem: &Problem) -> bool {
    let weights = &problem.weights;
    let only_makespan = [weights.tardiness, weights.energy, weights.change] == [0.0; 3];
    let is_plain = |order: &super::Order| {
        order.release <= problem.now
            && order.operations.iter().all(|operation| operation.skill.is_none())
    };
    let is_open = |machine: &super::Machine| machine.closed.is_empty() && machine.setups.is_empty();
    only_makespan
        && problem.frozen.is_empty()
        && problem.orders.iter().all(is_plain)
        && problem.machines.iter().all(is_open)
}

fn shop_plan(decoder: &Decoder<'_>, plan: &ShopPlan) -> Plan {
    let problem = decoder.problem;
    let mut placements = Vec::new();
    for (order, placed) in plan.jobs.iter().enumerate() {
        for (operation, placed) in placed.iter().enumerate() {
            let (start, end) = (placed.start + problem.now, placed.end + problem.now);
            let machine = placed.machine;
            placements.push(Placement {
                order,
                operation,
                machine,
                worker: None,
                start,
                setup: 0,
                end,
            });
        }
    }
    let bound = problem.weights.makespan
        * (plan.bound + if placements.is_empty() { 0 } else { problem.now }) as f64;
    let cost = decoder.cost(&placements);
    Plan { placements, cost, bound, n_iterations: plan.n_iterations, stop: plan.stop }
}
