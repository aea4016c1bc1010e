//! Vehicle routing of CVRPLIB X, Gehring & Homberger and Solomon, beside PyVRP.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use optimize::Control;
use optimize::route::{Job, Matrix, Plan, Problem, Stop, Task, Vehicle, solve, violations};

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
    for path in data::files(&options.data.join("cvrp_x"), ".vrp")? {
        instances.push(vrplib(&path, Rounding::Nearest)?);
    }
    let title = "Capacitated routing, CVRPLIB X: distance, and gap to the best known in percent";
    Ok(vec![compare(title, &instances, options, 30.0)?])
}

fn thousand(options: &Options) -> anyhow::Result<Vec<Table>> {
    let mut instances = Vec::new();
    for path in data::files(&options.data.join("vrptw_gh1000"), ".vrp")? {
        instances.push(vrplib(&path, Rounding::Tenths)?);
    }
    let title = "Routing with time windows, Gehring-Homberger 1000: distance × 10, gap to the best known in percent";
    Ok(vec![compare(title, &instances, options, 60.0)?])
}

fn solomon(options: &Options) -> anyhow::Result<Vec<Table>> {
    let mut instances = Vec::new();
    for path in data::files(&options.data.join("solomon_vrptw"), ".txt")? {
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
        let (plan, cpu_s, peer) = race(instance, options, seconds)?;
        let best = instance.best_known.unwrap_or_else(|| {
            let peer = peer.map_or(f64::INFINITY, |(cost, _)| cost);
            plan.cost.min(peer)
        });
        let gap = |cost: f64| 100.0 * (cost - best) / best;
        ours.push(gap(plan.cost));
        let known = instance.best_known.map_or_else(String::new, |best| best.to_string());
        let n_tours = plan.tours.len().to_string();
        let mut cells = vec![
            instance.name.clone(),
            known,
            plan.cost.to_string(),
            format!("{:.2}", gap(plan.cost)),
        ];
        cells.extend([n_tours, format!("{cpu_s:.0}"), (plan.n_iterations / 1000).to_string()]);
        if let Some((cost, cpu_s)) = peer {
            theirs.push(gap(cost));
            cells.extend([cost.to_string(), format!("{:.2}", gap(cost)), format!("{cpu_s:.0}")]);
        }
        eprintln!("{}", cells.join(" "));
        table.row(cells);
    }
    let mean = |gaps: &[f64]| gaps.iter().sum::<f64>() / gaps.len().max(1) as f64;
    table.note(format!("ours: mean gap {:.2} %", mean(&ours)));
    if options.peers {
        let n_not_worse = ours.iter().zip(&theirs).filter(|(ours, theirs)| ours <= theirs).count();
        table.note(format!(
            "PyVRP: mean gap {:.2} %; ours is no worse on {n_not_worse} of {}",
            mean(&theirs),
            ours.len()
        ));
    }
    table.note(format!(
        "{seconds} s of processor time on one thread each, started together, seed {}",
        options.seed
    ));
    Ok(table)
}

type Raced = (Plan, f64, Option<(f64, f64)>);

/// Ours and the peer at the same time, each with so many seconds of processor time, so that a busy machine is fair to
/// both and does not shorten the search.
fn race(instance: &Instance, options: &Options, seconds: f64) -> anyhow::Result<Raced> {
    let problem = instance.problem()?;
    std::thread::scope(|scope| {
        let peer =
            options.peers.then(|| scope.spawn(|| peer_cost(instance, seconds, options.seed)));
        let clock = CpuClock::start();
        let used = || clock.seconds() / seconds;
        let control =
            Control { budget: Some(&used), ..Control::iterations(options.seed, u64::MAX) };
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
        Ok((plan, cpu_s, peer))
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
