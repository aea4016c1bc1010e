//! The proof that no plan is shorter: a constraint solver that is told every better plan as it is found.

use std::time::{Duration, Instant};

use aries_solver::lang::ModelView;
use aries_solver::prelude::*;
use aries_solver::solver::search::combinators::CombinatorExt;
use aries_solver::solver::search::conflicts::ConflictBasedBrancher;
use aries_solver::solver::search::{Brancher, lexical::Lexical};

use super::Shop;
use super::graph::Graph;
use super::race::Race;
use super::tabu::Watch;

/// Above this a proof within minutes is out of reach, and another searcher is worth more.
pub(super) const MAX_OPERATIONS: usize = 300;

/// How long the solver runs before it is told what the others have found.
const SLICE: Duration = Duration::from_millis(100);

/// Tries to show that the best plan of the race cannot be beaten, until that is shown or the race ends. A better
/// plan that it comes upon is handed to the race.
pub(super) fn prove(race: &Race<'_>) {
    let mut proof = Proof::new(race.shop, race.makespan());
    let mut goal = i32::MAX;
    while race.goes_on(0) {
        proof.solver.reset_search();
        let makespan = race.makespan();
        if makespan < goal {
            goal = makespan;
            proof.solver.enforce(leq(proof.makespan, goal - 1));
        }
        let slice = Instant::now() + SLICE;
        let until = race.deadline().map_or(slice, |deadline| deadline.min(slice));
        match proof.solver.solve(SearchLimit::Deadline(until)) {
            Ok(Some(solution)) => race.offer(&proof.layout(race.shop, &solution)),
            Ok(None) => {
                race.raise_bound(goal);
                return;
            }
            Err(_interrupted) => {}
        }
    }
}

struct Proof {
    solver: Solver<String>,
    makespan: Var,
    /// Start of each operation.
    starts: Vec<Var>,
    /// Whether an operation takes a choice; a constant where it has only one.
    takes: Vec<Vec<Lit>>,
}

impl Proof {
    fn new(shop: &Shop, horizon: i32) -> Self {
        let mut model = Model::new();
        let makespan = model.new_variable(0, horizon);
        let n = shop.n_operations();
        let starts: Vec<Var> = (0..n).map(|_| model.new_variable(0, horizon)).collect();
        let mut on_machine: Vec<Vec<Interval>> = vec![Vec::new(); shop.n_machines()];
        let mut decisions = Vec::new();
        let mut takes = Vec::with_capacity(n);
        for job in 0..shop.n_jobs() {
            for op in shop.operations(job) {
                let end: VarCst = match shop.choices(op) {
                    [only] => {
                        on_machine[only.machine]
                            .push(Interval::new_fixed_duration(starts[op], only.duration as i32));
                        takes.push(vec![Lit::TRUE]);
                        starts[op] + only.duration as i32
                    }
                    _ => {
                        let (lits, end) = alternatives(
                            &mut model,
                            shop,
                            op,
                            starts[op],
                            horizon,
                            &mut on_machine,
                        );
                        decisions.extend_from_slice(&lits);
                        takes.push(lits);
                        end
                    }
                };
                let is_last = op + 1 == shop.operations(job).end;
                let next = if is_last { makespan } else { starts[op + 1] };
                model.enforce(leq(end, next));
            }
        }
        for intervals in on_machine {
            let known: std::collections::BTreeSet<Var> = model.state.variables().collect();
            model.enforce(no_overlap(intervals));
            let added = model.state.variables().filter(|var| !known.contains(var));
            decisions.extend(
                added.filter(|&var| model.state.bounds(var) == (0, 1)).map(|var| var.geq(1)),
            );
        }
        let mut solver = Solver::new(model);
        let first: Brancher<String> = Box::new(ConflictBasedBrancher::new(decisions));
        solver.set_brancher_boxed(
            first.and_then(Box::new(Lexical::with_min())).with_restarts(100, 1.2),
        );
        Self { solver, makespan, starts, takes }
    }

    fn layout(&self, shop: &Shop, solution: &Solution) -> super::graph::Layout {
        let takes = |lits: &Vec<Lit>| {
            lits.iter().position(|&lit| solution.entails(lit)).unwrap_or(0) as u32
        };
        let choice: Vec<u32> = self.takes.iter().map(takes).collect();
        let mut order: Vec<u32> = (0..self.starts.len() as u32).collect();
        order.sort_by_key(|&op| (solution.eval(self.starts[op as usize]), op));
        let mut graph = Graph::new(shop);
        graph.load(&choice, &order);
        graph.layout()
    }
}

/// One optional interval per choice, of which exactly one is present. Gives who is present, and the common end.
fn alternatives(
    model: &mut Model,
    shop: &Shop,
    op: usize,
    start: Var,
    horizon: i32,
    on_machine: &mut [Vec<Interval>],
) -> (Vec<Lit>, VarCst) {
    let end = model.new_variable(0, horizon);
    let mut lits = Vec::new();
    for choice in shop.choices(op) {
        let is_taken = model.new_optional_bool_var(Lit::TRUE);
        let own = model.new_optional_variable(0, horizon, is_taken);
        model.enforce_scoped(eq(own, start), [is_taken]);
        model.enforce_scoped(eq(own + choice.duration as i32, end), [is_taken]);
        on_machine[choice.machine].push(Interval::new_fixed_duration(own, choice.duration as i32));
        lits.push(is_taken);
    }
    for (idx, &one) in lits.iter().enumerate() {
        lits[idx + 1..].iter().for_each(|&other| model.enforce(or([!one, !other])));
    }
    model.enforce(or(lits.clone()));
    (lits, end.into())
}
