//! Vehicle routing of CVRPLIB X, Gehring & Homberger and Solomon, beside PyVRP.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use optimize::Control;
use optimize::route::{Job, Matrix, Plan, Problem, Stop, Task, Vehicle, solve, violations};

use crate::seeds::Spread;
use crate::{Bench, CpuClock, Options, Table, data, peer};

/// Capacitated routing, whatever instances of the X set the folder holds.
pub(super) const CAPACITY: Bench = Bench {
    name: "cvrp",
    about: "CVRPLIB X: gap to best known on one thread, beside PyVRP",
    run: capacity,
};

/// A thousand customers with time windows.
pub(super) const THOUSAND: Bench = Bench {
    name: "vrptw-1000",
    about: "Gehring-Homberger, 1000 customers: gap to best known on one thread, beside PyVRP",
    run: thousand,
};

/// A hundred customers with time windows.
pub(super) const SOLOMON: Bench = Bench {
    name: "vrptw-100",
    about: "Solomon's 56: gap to the best of both solvers on one thread, beside PyVRP",
    run: solomon,
};

fn capacity(options: &Options) -> anyhow::Result<Vec<Table>> {
    let mut instances = Vec::new();
    for path in data::files(&options.folder()?.join("cvrp_x"), ".vrp")? {
        instances.push(vrplib(&path, Rounding::Nearest)?);
    }
    let title = "Capacitated routing, CVRPLIB X: distance, and gap to the best known in percent";
    Ok(vec![compare(title, &instances, options, 30.0)?])
}

fn thousand(options: &Options) -> anyhow::Result<Vec<Table>> {
    let mut instances = Vec::new();
    for path in data::files(&options.folder()?.join("vrptw_gh1000"), ".vrp")? {
        instances.push(vrplib(&path, Rounding::Tenths)?);
    }
    let title = "Routing with time windows, Gehring-Homberger 1000: distance × 10, gap to the best known in percent";
    Ok(vec![compare(title, &instances, options, 60.0)?])
}

fn solomon(options: &Options) -> anyhow::Result<Vec<Table>> {
    let mut instances = Vec::new();
    for path in data::files(&options.folder()?.join("solomon_vrptw"), ".txt")? {
        instances.push(solomon_instance(&path)?);
    }
    let title =
        "Routing with time windows, Solomon 100: distance × 10, gap to the best of both in percent";
    Ok(vec![compare(title, &instances, options, 10.0)?])
}

/// How distances become whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rounding {
    /// To the nearest whole number, as CVRPLIB says.
    Nearest,
    /// Times ten and cut off, as the DIMACS challenge says.
    Tenths,
}

impl Rounding {
    fn name(self) -> &'static str {
        if self == Self::Nearest { "round" } else { "dimacs" }
    }

    fn distance(self, length: f64) -> i64 {
        if self == Self::Nearest { length.round() as i64 } else { (10.0 * length) as i64 }
    }

    fn time(self, value: i64) -> i64 {
        if self == Self::Nearest { value } else { 10 * value }
    }
}

struct Instance {
    name: String,
    rounding: Rounding,
    customers: Vec<Customer>,
    capacity: i64,
    n_vehicles: usize,
    best_known: Option<f64>,
}

/// The first one is the depot.
#[derive(Debug, Clone, Copy, Default)]
struct Customer {
    x: f64,
    y: f64,
    demand: i64,
    ready: i64,
    due: i64,
    service: i64,
}

fn compare(
    title: &str,
    instances: &[Instance],
    options: &Options,
    seconds: f64,
) -> anyhow::Result<Table> {
    let seconds = options.seconds.unwrap_or(seconds);
    let columns = [
        "instance",
        "best known",
        "ours",
        "gap %",
        "tours",
        "CPU s",
        "k steps",
        "PyVRP",
        "gap %",
        "CPU s",
    ];
    let mut table = Table::new(title, &columns);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for instance in instances {
        let runs = options.per_seed(|seed| race(instance, options, seconds, seed))?;
        let best = instance.best_known.unwrap_or_else(|| least_found(&runs));
        let cells = cells(instance, &runs, best);
        ours.push(gap(&runs, Raced::cost, best));
        theirs.push(gap(&runs, Raced::peer_cost, best));
        eprintln!("{}", cells.join(" "));
        table.row(cells);
    }
    table.note(format!("ours: mean gap {} %", Spread::mean(&ours).show(2)));
    if options.peers {
        let is_not_worse = |(ours, theirs): &(&Spread, &Spread)| ours.median() <= theirs.median();
        let n_not_worse = ours.iter().zip(&theirs).filter(is_not_worse).count();
        table.note(format!(
            "PyVRP: mean gap {} %; ours is no worse on {n_not_worse} of {}",
            Spread::mean(&theirs).show(2),
            ours.len()
        ));
    }
    table.note(format!(
        "{seconds} s of processor time on one thread each, started together, {}",
        options.seeds_note()
    ));
    Ok(table)
}

/// How far a cost is above the best, in percent, with each seed.
fn gap(runs: &[Raced], cost: fn(&Raced) -> f64, best: f64) -> Spread {
    Spread::of(runs, cost).map(|cost| 100.0 * (cost - best) / best)
}

fn cells(instance: &Instance, runs: &[Raced], best: f64) -> Vec<String> {
    let median = |figure: fn(&Raced) -> f64| Spread::of(runs, figure).median();
    let mut cells = vec![
        instance.name.clone(),
        instance.best_known.map_or_else(String::new, |best| best.to_string()),
        median(Raced::cost).to_string(),
        gap(runs, Raced::cost, best).show(2),
        median(|run| run.plan.tours.len() as f64).to_string(),
        format!("{:.0}", median(|run| run.cpu_s)),
        format!("{:.0}", median(|run| run.plan.n_iterations as f64 / 1e3)),
    ];
    if runs.iter().all(|run| run.peer.is_some()) {
        cells.extend([
            median(Raced::peer_cost).to_string(),
            gap(runs, Raced::peer_cost, best).show(2),
            format!("{:.0}", median(Raced::peer_cpu_s)),
        ]);
    }
    cells
}

/// Ours and the peer's cost and processor time, with one seed.
struct Raced {
    plan: Plan,
    cpu_s: f64,
    peer: Option<(f64, f64)>,
}

impl Raced {
    fn cost(&self) -> f64 {
        self.plan.cost
    }

    fn peer_cost(&self) -> f64 {
        self.peer.map_or(f64::INFINITY, |(cost, _)| cost)
    }

    fn peer_cpu_s(&self) -> f64 {
        self.peer.map_or(f64::NAN, |(_, cpu_s)| cpu_s)
    }
}

/// Least cost that either solver found with any seed.
fn least_found(runs: &[Raced]) -> f64 {
    Spread::of(runs, |run| run.cost().min(run.peer_cost())).least()
}

/// Ours and the peer at the same time, each with so many seconds of processor time, so that a busy machine is fair to
/// both and does not shorten the search.
fn race(instance: &Instance, options: &Options, seconds: f64, seed: u64) -> anyhow::Result<Raced> {
    let problem = instance.problem()?;
    std::thread::scope(|scope| {
        let peer = options.peers.then(|| scope.spawn(|| peer_cost(instance, seconds, seed)));
        let clock = CpuClock::start();
        let used = || clock.seconds() / seconds;
        let control = Control { budget: Some(&used), ..Control::iterations(seed, u64::MAX) };
        let plan = solve(&problem, &control)?;
        let cpu_s = clock.seconds();
        let found = violations(&problem, &plan);
        anyhow::ensure!(found.is_empty(), "{}: {}", instance.name, found.join("; "));
        anyhow::ensure!(
            plan.unserved.is_empty(),
            "{}: {} unserved",
            instance.name,
            plan.unserved.len()
        );
        let answer = peer
            .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("the peer's thread panicked")));
        let peer = answer.transpose()?.transpose()?;
        Ok(Raced { plan, cpu_s, peer })
    })
}

fn peer_cost(instance: &Instance, seconds: f64, seed: u64) -> anyhow::Result<(f64, f64)> {
    let name = format!("{}.vrp", instance.name);
    let (seconds, seed) = (seconds.to_string(), seed.to_string());
    let arguments = [instance.rounding.name(), &seconds, &seed];
    let answer = peer::run_on("optimize-route", &name, &instance.vrplib(), &arguments)?;
    let cost = answer["cost"].as_f64().unwrap_or(f64::INFINITY);
    Ok((cost, answer["cpu_s"].as_f64().unwrap_or(f64::NAN)))
}

impl Instance {
    fn problem(&self) -> anyhow::Result<Problem> {
        let length =
            |a: &Customer, b: &Customer| self.rounding.distance((a.x - b.x).hypot(a.y - b.y));
        let row = |a: &Customer| self.customers.iter().map(|b| length(a, b)).collect::<Vec<i64>>();
        let rows: Vec<Vec<i64>> = self.customers.iter().map(row).collect();
        let matrix = Matrix::new(&rows).context("distances out of range")?;
        let time = |value: i64| self.rounding.time(value);
        let job = |(place, customer): (usize, &Customer)| Job {
            name: format!("customer {place}"),
            task: Task::Delivery(Stop {
                place,
                service: time(customer.service),
                windows: self.window(customer),
            }),
            load: vec![customer.demand],
            skills: Vec::new(),
            unserved_cost: f64::INFINITY,
        };
        let depot = self.customers[0];
        let horizon = if self.has_windows() { time(depot.due) } else { 1 << 28 };
        let vehicle = |number: usize| Vehicle {
            name: format!("vehicle {number}"),
            start: 0,
            end: Some(0),
            shift: (0, horizon),
            capacity: vec![self.capacity],
            skills: Vec::new(),
            breaks: Vec::new(),
            fixed_cost: 0.0,
            distance_cost: 1.0,
            time_cost: 0.0,
        };
        Ok(Problem {
            distance: matrix.clone(),
            duration: matrix,
            jobs: self.customers.iter().enumerate().skip(1).map(job).collect(),
            vehicles: (1..=self.n_vehicles).map(vehicle).collect(),
            fewest_vehicles: false,
        })
    }

    fn has_windows(&self) -> bool {
        self.customers[0].due > 0
    }

    fn window(&self, customer: &Customer) -> Vec<(i64, i64)> {
        if self.has_windows() {
            vec![(self.rounding.time(customer.ready), self.rounding.time(customer.due))]
        } else {
            Vec::new()
        }
    }

    /// The instance in the peer's own format.
    fn vrplib(&self) -> String {
        let n = self.customers.len();
        let mut text = format!(
            "NAME : {}\nTYPE : VRPTW\nDIMENSION : {n}\nVEHICLES : {}\n",
            self.name, self.n_vehicles
        );
        let _ = write!(
            text,
            "CAPACITY : {}\nEDGE_WEIGHT_TYPE : EUC_2D\nNODE_COORD_SECTION\n",
            self.capacity
        );
        let mut section = |title: &str, cells: &dyn Fn(&Customer) -> String| {
            text.push_str(title);
            for (number, customer) in (1..).zip(&self.customers) {
                let _ = writeln!(text, "{number} {}", cells(customer));
            }
        };
        section("", &|customer| format!("{} {}", customer.x, customer.y));
        section("DEMAND_SECTION\n", &|customer| customer.demand.to_string());
        if self.has_windows() {
            section("TIME_WINDOW_SECTION\n", &|customer| {
                format!("{} {}", customer.ready, customer.due)
            });
            section("SERVICE_TIME_SECTION\n", &|customer| customer.service.to_string());
        }
        text.push_str("DEPOT_SECTION\n1\n-1\nEOF\n");
        text
    }
}

fn name(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A VRPLIB file, and the best known cost from the `.sol` beside it.
fn vrplib(path: &Path, rounding: Rounding) -> anyhow::Result<Instance> {
    let text = data::text(path)?;
    let mut instance = Instance {
        name: name(path),
        rounding,
        customers: Vec::new(),
        capacity: 0,
        n_vehicles: 0,
        best_known: None,
    };
    let (mut section, mut service) = (String::new(), 0);
    for line in text.lines().map(str::trim) {
        if let Some((key, value)) = line.split_once(':') {
            let value = value.trim();
            match key.trim() {
                "DIMENSION" => instance.customers.resize(value.parse()?, Customer::default()),
                "CAPACITY" => instance.capacity = value.parse()?,
                "VEHICLES" => instance.n_vehicles = value.parse()?,
                "SERVICE_TIME" => service = value.parse()?,
                _ => {}
            }
        } else if line.ends_with("SECTION") {
            section = line.to_owned();
        } else if let Some(row) = row(line) {
            instance.read_row(&section, &row);
        }
    }
    instance.customers.iter_mut().skip(1).for_each(|customer| customer.service = service);
    if instance.n_vehicles == 0 {
        instance.n_vehicles = instance.customers.len() - 1;
    }
    let solution = data::text(&path.with_extension("sol"))?;
    let cost =
        solution.lines().find_map(|line| line.strip_prefix("Cost ")?.trim().parse::<f64>().ok());
    let factor = if rounding == Rounding::Tenths { 10.0 } else { 1.0 };
    instance.best_known = cost.map(|cost| (cost * factor).round());
    Ok(instance)
}

fn row(line: &str) -> Option<Vec<f64>> {
    line.split_whitespace().map(|word| word.parse().ok()).collect()
}

impl Instance {
    fn read_row(&mut self, section: &str, row: &[f64]) {
        let Some(customer) = row
            .first()
            .and_then(|&number| self.customers.get_mut((number as usize).wrapping_sub(1)))
        else {
            return;
        };
        match (section, row) {
            ("NODE_COORD_SECTION", &[_, x, y]) => (customer.x, customer.y) = (x, y),
            ("DEMAND_SECTION", &[_, demand]) => customer.demand = demand as i64,
            ("TIME_WINDOW_SECTION", &[_, ready, due]) => {
                (customer.ready, customer.due) = (ready as i64, due as i64);
            }
            _ => {}
        }
    }
}

/// Solomon's own format: seven numbers per customer, the depot first.
fn solomon_instance(path: &Path) -> anyhow::Result<Instance> {
    let text = data::text(path)?;
    let rows: Vec<Vec<f64>> = text.lines().filter_map(row).filter(|row| !row.is_empty()).collect();
    let fleet = rows.iter().find(|row| row.len() == 2).context("no vehicles")?;
    let customer = |row: &Vec<f64>| Customer {
        x: row[1],
        y: row[2],
        demand: row[3] as i64,
        ready: row[4] as i64,
        due: row[5] as i64,
        service: row[6] as i64,
    };
    Ok(Instance {
        name: name(path),
        rounding: Rounding::Tenths,
        customers: rows.iter().filter(|row| row.len() == 7).map(customer).collect(),
        n_vehicles: fleet[0] as usize,
        capacity: fleet[1] as i64,
        best_known: None,
    })
}
