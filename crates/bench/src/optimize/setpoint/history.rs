//! Proposals from a historian, on plants that trip where they have never been run.

use optimize::setpoint::{History, Knob, Limit, Trial};
use serde_json::{Value, json};

use crate::random::Random;
use crate::seeds::Spread;
use crate::{CpuClock, Options, Table, peer};

const N_PLANTS: usize = 20;
/// Rows of the historian.
const N_ROWS: usize = 300;
const N_KNOBS: usize = 3;
/// Half axes of the region in which a plant was run, in widths of its engineering range.
const HALF_AXES: [f64; N_KNOBS] = [0.25, 0.15, 0.1];
/// Beyond this multiple of the region the plant trips.
const TRIP: f64 = 1.3;
/// Points of the region among which the best is looked for.
const N_POINTS: usize = 100_000;

pub(super) fn table(options: &Options) -> anyhow::Result<Table> {
    let runs = options.per_seed(|seed| Run::new(seed, options.peers))?;
    let title = format!(
        "Set-points from history: {N_PLANTS} plants of {N_KNOBS} knobs, {N_ROWS} rows with 1 % noise, one limit"
    );
    let columns = [
        "proposal",
        "share of the gain there is, median",
        "worst plant",
        "beyond the limit",
        "trips",
        "farthest, region = 1",
        "CPU s per plant",
    ];
    let mut table = Table::new(title, &columns);
    for idx in 0..runs[0].rules.len() {
        let spread = |figure: fn(&Rule) -> f64| Spread::of(&runs, |run| figure(&run.rules[idx]));
        table.row([
            runs[0].rules[idx].name.clone(),
            spread(|rule| Spread::of(&rule.found, |found| found.share).median()).show(3),
            spread(|rule| Spread::of(&rule.found, |found| found.share).least()).show(3),
            spread(|rule| rule.count(|found| found.is_beyond)).show(0),
            spread(|rule| rule.count(|found| found.norm > TRIP)).show(0),
            spread(|rule| Spread::of(&rule.found, |found| found.norm).most()).show(2),
            format!("{:.3}", spread(|rule| rule.cpu_s / N_PLANTS as f64).median()),
        ]);
    }
    table.note(format!("gain there is: true objective of the best of {N_POINTS} points of the region that keep the limit, less that of its middle, where the plant runs now; a trip counts as no gain"));
    table.note(options.seeds_note());
    Ok(table)
}

/// A hill with a limit, of which a tilted ellipsoid was seen. Knobs are shares of their engineering range.
struct Plant {
    top: [f64; N_KNOBS],
    steepness: [f64; N_KNOBS],
    slope: [f64; N_KNOBS],
    middle: [f64; N_KNOBS],
    /// Angle by which the first two knobs were moved together.
    tilt: f64,
    most: f64,
    rows: Vec<Trial>,
}

impl Plant {
    fn random(random: &mut Random) -> Self {
        let mut each = |low: f64, high: f64| [(); N_KNOBS].map(|()| random.between(low, high));
        let (middle, top, steepness) = (each(0.4, 0.6), each(0.2, 0.8), each(30.0, 90.0));
        let slope = each(-1.0, 1.0);
        let tilt = random.between(0.0, std::f64::consts::TAU);
        let mut plant = Self { top, steepness, slope, middle, tilt, most: 0.0, rows: Vec::new() };
        // The limit leaves some nine tenths of what is above the middle.
        plant.most = plant.outcome(&plant.middle) + random.between(0.02, 0.1);
        plant.rows = (0..N_ROWS).map(|_| plant.row(random)).collect();
        plant
    }

    fn objective(&self, at: &[f64]) -> f64 {
        let slack = |idx: usize| self.steepness[idx] * (at[idx] - self.top[idx]).powi(2);
        100.0 - (0..N_KNOBS).map(slack).sum::<f64>()
    }

    fn outcome(&self, at: &[f64]) -> f64 {
        1.0 + (0..N_KNOBS).map(|idx| self.slope[idx] * at[idx]).sum::<f64>()
    }

    /// A point of the region, evenly drawn.
    fn point(&self, random: &mut Random) -> Vec<f64> {
        let mut ball = [(); N_KNOBS].map(|()| random.normal());
        let length = ball.iter().map(|x| x * x).sum::<f64>().sqrt();
        let radius = random.uniform().cbrt();
        ball.iter_mut().zip(HALF_AXES).for_each(|(x, half)| *x *= half * radius / length);
        let (sin, cos) = self.tilt.sin_cos();
        let turned = [cos * ball[0] - sin * ball[1], sin * ball[0] + cos * ball[1], ball[2]];
        turned.iter().zip(self.middle).map(|(x, middle)| x + middle).collect()
    }

    /// Distance from the middle; 1 at the edge of the region.
    fn norm(&self, at: &[f64]) -> f64 {
        let away: Vec<f64> = at.iter().zip(self.middle).map(|(x, middle)| x - middle).collect();
        let (sin, cos) = self.tilt.sin_cos();
        let back = [cos * away[0] + sin * away[1], cos * away[1] - sin * away[0], away[2]];
        back.iter().zip(HALF_AXES).map(|(x, half)| (x / half).powi(2)).sum::<f64>().sqrt()
    }

    fn row(&self, random: &mut Random) -> Trial {
        let settings = self.point(random);
        let objective = self.objective(&settings) + random.normal();
        let outcomes = vec![self.outcome(&settings) + 0.01 * random.normal()];
        Trial { settings, objective, outcomes }
    }

    /// The largest objective of the region that keeps the limit.
    fn best(&self, random: &mut Random) -> f64 {
        let points = (0..N_POINTS).map(|_| self.point(random));
        let allowed = points.filter(|at| self.outcome(at) <= self.most);
        allowed.map(|at| self.objective(&at)).fold(f64::NEG_INFINITY, f64::max)
    }

    fn judge(&self, best: f64, at: &[f64]) -> Found {
        let (norm, now) = (self.norm(at), self.objective(&self.middle));
        let share = (self.objective(at) - now) / (best - now);
        let is_beyond = self.outcome(at) > self.most;
        Found { share: if norm > TRIP { 0.0 } else { share }, is_beyond, norm }
    }

    fn json(&self) -> Value {
        let columns =
            self.rows.iter().map(|row| json!([row.settings, row.objective, row.outcomes[0]]));
        json!({ "rows": columns.collect::<Vec<Value>>(), "most": self.most })
    }
}

struct Found {
    share: f64,
    is_beyond: bool,
    norm: f64,
}

struct Rule {
    name: String,
    found: Vec<Found>,
    cpu_s: f64,
}

impl Rule {
    fn count(&self, is_so: impl Fn(&Found) -> bool) -> f64 {
        self.found.iter().filter(|found| is_so(found)).count() as f64
    }
}

/// One seed.
struct Run {
    rules: Vec<Rule>,
}

impl Run {
    fn new(seed: u64, peers: bool) -> anyhow::Result<Self> {
        let mut random = Random::new(seed);
        let plants: Vec<Plant> = (0..N_PLANTS).map(|_| Plant::random(&mut random)).collect();
        let best: Vec<f64> = plants.iter().map(|plant| plant.best(&mut random)).collect();
        let rule = |name: &str, points: &[Vec<f64>], cpu_s: f64| {
            let all = plants.iter().zip(&best).zip(points);
            let found = all.map(|((plant, best), at)| plant.judge(*best, at)).collect();
            Rule { name: name.to_owned(), found, cpu_s }
        };
        let clock = CpuClock::start();
        let ours: Vec<Vec<f64>> =
            plants.iter().map(|plant| propose(plant, seed)).collect::<anyhow::Result<_>>()?;
        let mut rules = vec![rule("ours", &ours, clock.seconds())];
        let clock = CpuClock::start();
        let rows: Vec<Vec<f64>> = plants.iter().map(best_row).collect();
        rules.push(rule("best row of the historian (trivial)", &rows, clock.seconds()));
        if peers {
            let text = Value::from_iter(plants.iter().map(Plant::json)).to_string();
            let arguments = [seed.to_string()];
            let answer = peer::run_on("optimize-history", "plants.json", &text, &[&arguments[0]])?;
            for (key, limits) in
                [("box", "engineering limits"), ("range", "range of each knob seen")]
            {
                let points: Vec<Vec<f64>> =
                    serde_json::from_value(answer[key]["settings"].clone())?;
                anyhow::ensure!(points.len() == N_PLANTS, "the peer left plants out");
                let version = answer["version"].as_str().unwrap_or("?");
                let name = format!("peer: Gaussian process of scikit-learn {version}, {limits}");
                let cpu_s = answer[key]["cpu_s"].as_f64().unwrap_or(f64::NAN);
                rules.push(rule(&name, &points, cpu_s));
            }
        }
        Ok(Self { rules })
    }
}

/// Ours; the plant stays where it is if there is no proposal.
fn propose(plant: &Plant, seed: u64) -> anyhow::Result<Vec<f64>> {
    let knobs = ["a", "b", "c"].map(|name| Knob::new(name, 0.0, 1.0)).to_vec();
    let limits = [Limit { name: "outcome".into(), most: plant.most }];
    let history = History::new(knobs, &limits, &plant.rows, seed)?;
    let found = history.propose(&plant.middle)?;
    Ok(found.map_or_else(|| plant.middle.to_vec(), |found| found.settings))
}

/// The settings of the row with the largest objective among those that kept the limit.
fn best_row(plant: &Plant) -> Vec<f64> {
    let kept = plant.rows.iter().filter(|row| row.outcomes[0] <= plant.most);
    let best = kept.max_by(|a, b| a.objective.total_cmp(&b.objective));
    best.map_or_else(|| plant.middle.to_vec(), |row| row.settings.clone())
}
