//! The race between those who search for a better plan and the one who proves that there is none.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use super::bound::bound;
use super::graph::{Graph, Layout};
use super::pool::{Pool, random_start, relink};
use super::prove::{MAX_OPERATIONS, prove};
use super::rounds::in_rounds;
use super::tabu::{Tabu, Watch};
use super::{Placed, Shop, ShopPlan};
use crate::random::Random;
use crate::{Control, Progress, Stop};

/// Moves without a better plan after which a tabu run ends.
pub(super) const PATIENCE: u64 = 12_500;

/// What the threads of a race share.
pub(super) struct Race<'a> {
    pub(super) shop: &'a Shop,
    pub(super) control: &'a Control<'a>,
    best: Mutex<Layout>,
    /// Makespan of `best`, to be read without the lock.
    makespan: AtomicI32,
    bound: AtomicI32,
    n_iterations: AtomicU64,
    stopped: Mutex<Option<Stop>>,
    pool: Mutex<Pool>,
}

/// Looks for the shortest plan of a shop until it is proven, or `control` says stop.
///
/// With a clock, or without any limit, all threads race: they share what they find, and of several the last one
/// proves (up to 300 operations; beyond, it searches too). With a limit of iterations alone the result is the same
/// for a seed and a number of threads: each searches with its share of the iterations and nobody proves; they share
/// what they found after every 50,000 moves. `n_iterations` counts tabu moves, and limits are seen every 256 of them.
///
/// Source: tabu search and path relinking after Peng, Lü & Cheng (2015), neighborhood N7 of Zhang et al. (2007);
/// plans between two elite plans are made by weighing starts instead of swapping pairs.
///
/// ```
/// use optimize::Control;
/// use optimize::schedule::{Shop, solve_shop};
///
/// // Both jobs need both machines, in opposite order: one machine has 3 + 2 to do, the other 2 + 4.
/// let shop = Shop::classic(&[vec![(0, 3), (1, 2)], vec![(1, 4), (0, 2)]])?;
/// let plan = solve_shop(&shop, &Control::iterations(1, 1_000));
/// assert_eq!((plan.makespan, plan.bound), (6, 6));
/// assert!(plan.violations(&shop).is_empty());
/// # Ok::<(), optimize::schedule::ShopError>(())
/// ```
pub fn solve(shop: &Shop, control: &Control<'_>) -> ShopPlan {
    let mut random = Random::new(control.seed);
    let mut graph = Graph::new(shop);
    let (choice, order) = random_start(shop, &mut random);
    graph.load(&choice, &order);
    let race = Race {
        shop,
        control,
        makespan: AtomicI32::new(graph.makespan),
        best: Mutex::new(graph.layout()),
        bound: AtomicI32::new(bound(shop) as i32),
        n_iterations: AtomicU64::new(0),
        stopped: Mutex::new(None),
        pool: Mutex::default(),
    };
    let n_threads = control.n_threads();
    if n_threads > 1 && control.max_iterations < u64::MAX && !control.has_clock() {
        return in_rounds(&race, &graph, n_threads);
    }
    let proves = n_threads > 1 && shop.n_operations() <= MAX_OPERATIONS;
    std::thread::scope(|scope| {
        for thread in 1..n_threads {
            let (race, graph) = (&race, graph.clone());
            let random = Random::new(control.seed.wrapping_add(thread as u64 * 0x9e37));
            let proves = proves && thread + 1 == n_threads;
            scope.spawn(move || if proves { prove(race) } else { race.search(graph, random) });
        }
        race.search(graph.clone(), random);
    });
    race.plan()
}

impl Race<'_> {
    fn search(&self, graph: Graph<'_>, mut random: Random) {
        let mut tabu = Tabu::new(graph);
        while self.goes_on(0) {
            let between =
                lock(&self.pool).pair(&mut random).map(|(from, to)| (from.clone(), to.clone()));
            let start = start(self.shop, between, &mut random);
            let goal = self.bound.load(Ordering::Relaxed);
            let found = tabu.run(&start, (PATIENCE, goal), &mut random, self);
            self.offer(&found);
            lock(&self.pool).offer(found);
        }
    }

    pub(super) fn makespan(&self) -> i32 {
        self.makespan.load(Ordering::Acquire)
    }

    /// Takes a plan if it is the best so far.
    pub(super) fn offer(&self, layout: &Layout) {
        let mut best = lock(&self.best);
        if layout.makespan < best.makespan {
            best.clone_from(layout);
            self.makespan.store(layout.makespan, Ordering::Release);
        }
    }

    pub(super) fn raise_bound(&self, bound: i32) {
        self.bound.fetch_max(bound, Ordering::AcqRel);
    }

    pub(super) fn deadline(&self) -> Option<std::time::Instant> {
        self.control.deadline
    }

    /// Notes moves and asks the caller, who sees the best of all threads.
    pub(super) fn tell(&self, n_moves: u64) -> Option<Stop> {
        // Under the lock, so that the caller sees nothing go back.
        let mut stopped = lock(&self.stopped);
        let now = self.progress(n_moves);
        if stopped.is_none() {
            *stopped = self.control.interruption(now);
        }
        *stopped
    }

    /// Notes why the race ends, unless it ended before.
    pub(super) fn end(&self, stop: Stop) {
        lock(&self.stopped).get_or_insert(stop);
    }

    pub(super) fn bound(&self) -> i32 {
        self.bound.load(Ordering::Acquire)
    }

    fn progress(&self, n_moves: u64) -> Progress {
        let n_iterations = self.n_iterations.fetch_add(n_moves, Ordering::AcqRel) + n_moves;
        Progress { n_iterations, best: f64::from(self.makespan()), bound: f64::from(self.bound()) }
    }

    fn plan(&self) -> ShopPlan {
        self.plan_of(&lock(&self.best).clone())
    }

    pub(super) fn plan_of(&self, best: &Layout) -> ShopPlan {
        let placed = |op: usize| {
            let chosen = self.shop.choices(op)[best.choice[op] as usize];
            let start = i64::from(best.head[op]);
            Placed { machine: chosen.machine, start, end: start + chosen.duration }
        };
        let jobs =
            (0..self.shop.n_jobs()).map(|job| self.shop.operations(job).map(placed).collect());
        let bound = self.bound.load(Ordering::Acquire).min(best.makespan);
        ShopPlan {
            jobs: jobs.collect(),
            makespan: i64::from(best.makespan),
            bound: i64::from(bound),
            n_iterations: self.n_iterations.load(Ordering::Acquire),
            stop: lock(&self.stopped).unwrap_or(Stop::Optimal),
        }
    }
}

/// A plan to search from: between two that are good, or a random one.
pub(super) fn start(
    shop: &Shop,
    between: Option<(Layout, Layout)>,
    random: &mut Random,
) -> (Vec<u32>, Vec<u32>) {
    let Some((from, to)) = between else { return random_start(shop, random) };
    let share = 0.3 + 0.4 * random.share();
    relink(&from, &to, share, random)
}

impl Watch for Race<'_> {
    /// Whether the race goes on; the first reason to stop is kept.
    fn goes_on(&self, n_moves: u64) -> bool {
        // Under the lock, so that the caller sees nothing go back.
        let mut stopped = lock(&self.stopped);
        let now = self.progress(n_moves);
        if stopped.is_none() {
            *stopped = self.control.stop(now);
        }
        stopped.is_none()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A thread that panicked takes the whole race down with it; what it left is not read.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
