//! Spare parts from remaining lives: the exact distribution beside a million draws, and the mean need.

use anyhow::Context;
use optimize::stock::Pmf;
use optimize::stock::spares::{Spare, needed, order_up_to};
use serde_json::{Value, json};

use crate::random::Random;
use crate::seeds::Spread;
use crate::{CpuClock, Options, Table, peer};

const N_PARTS: usize = 20;
/// Draws of the remaining life of one machine.
const N_LIVES: usize = 40;
/// Draws of the peer.
const N_DRAWS: &str = "1000000";

pub(super) fn table(options: &Options) -> anyhow::Result<Table> {
    let runs = options.per_seed(|seed| Run::new(seed, options.peers))?;
    let title = format!(
        "Spares from remaining lives: {N_PARTS} parts, 5 to 30 machines each with {N_LIVES} draws of its life"
    );
    let columns = [
        "rule",
        "mean level",
        "mean expected cost",
        "over the least %",
        "same level as ours",
        "CPU s",
    ];
    let mut table = Table::new(title, &columns);
    let n_rules = runs.iter().map(|run| run.rules.len()).min().unwrap_or(0);
    for idx in 0..n_rules {
        let show = |figure: fn(&Rule) -> f64, places: usize| {
            Spread::of(&runs, |run| figure(&run.rules[idx])).show(places)
        };
        table.row([
            runs[0].rules[idx].name.clone(),
            show(|rule| rule.level, 2),
            show(|rule| rule.cost, 2),
            show(|rule| rule.over_percent, 4),
            format!("{} of {N_PARTS}", show(|rule| rule.n_same, 0)),
            format!("{:.5}", Spread::of(&runs, |run| run.rules[idx].cpu_s).median()),
        ]);
    }
    table.note(
        "every level is judged by the exact distribution; over the least: mean over the parts",
    );
    if let Some(apart) = runs.iter().map(|run| run.apart_percent).collect::<Option<Vec<f64>>>() {
        let apart = Spread::of(&apart, |apart| *apart).show(2);
        table.note(format!(
            "the peer's own estimate of a cost is at most {apart} % from the exact one"
        ));
    }
    table.note(options.seeds_note());
    Ok(table)
}

/// A part with its machines.
struct Part {
    lives_h: Vec<Vec<f64>>,
    horizon_h: f64,
    /// Mean of demand from elsewhere.
    other: f64,
    spare: Spare,
}

impl Part {
    fn random(random: &mut Random) -> Self {
        let (scale_h, shape) = (random.between(1_000.0, 5_000.0), random.between(1.2, 3.0));
        let n_machines = 5 + random.below(26);
        let lives_h = (0..n_machines).map(|_| lives(random, scale_h, shape)).collect();
        let spare = Spare {
            name: "part".into(),
            on_hand: 0,
            on_order: 0,
            surplus_cost: random.between(10.0, 50.0),
            shortage_cost: random.between(100.0, 2_000.0),
        };
        Self {
            lives_h,
            horizon_h: random.between(200.0, 1_200.0),
            other: random.between(0.0, 2.0),
            spare,
        }
    }

    fn need(&self) -> anyhow::Result<Pmf> {
        let lives: Vec<&[f64]> = self.lives_h.iter().map(Vec::as_slice).collect();
        Ok(needed(&lives, self.horizon_h, &Pmf::poisson(self.other)?)?)
    }

    fn expected_cost(&self, need: &Pmf, level: usize) -> f64 {
        need.expect(|needed| {
            let left = level.saturating_sub(needed) as f64 * self.spare.surplus_cost;
            left + needed.saturating_sub(level) as f64 * self.spare.shortage_cost
        })
    }

    fn json(&self) -> Value {
        json!({
            "lives_h": self.lives_h,
            "horizon_h": self.horizon_h,
            "other": self.other,
            "surplus_cost": self.spare.surplus_cost,
            "shortage_cost": self.spare.shortage_cost,
        })
    }
}

/// What a machine of a random age has left of a Weibull life, many times.
fn lives(random: &mut Random, scale_h: f64, shape: f64) -> Vec<f64> {
    let age_h = random.between(0.0, scale_h);
    let survived = (age_h / scale_h).powf(shape);
    let life_h =
        |random: &mut Random| scale_h * (survived + random.exponential()).powf(1.0 / shape);
    (0..N_LIVES).map(|_| life_h(random) - age_h).collect()
}

/// How the levels of a rule do on all parts.
struct Rule {
    name: String,
    level: f64,
    cost: f64,
    over_percent: f64,
    n_same: f64,
    cpu_s: f64,
}

/// One seed.
struct Run {
    rules: Vec<Rule>,
    /// Largest difference between the peer's and the exact cost of the same level.
    apart_percent: Option<f64>,
}

impl Run {
    fn new(seed: u64, peers: bool) -> anyhow::Result<Self> {
        let mut random = Random::new(seed);
        let parts: Vec<Part> = (0..N_PARTS).map(|_| Part::random(&mut random)).collect();
        let clock = CpuClock::start();
        let needs = parts.iter().map(Part::need).collect::<anyhow::Result<Vec<Pmf>>>()?;
        let exact = |(part, need): (&Part, &Pmf)| order_up_to(need, &part.spare);
        let ours = parts.iter().zip(&needs).map(exact).collect::<Result<Vec<usize>, _>>()?;
        let cpu_s = clock.seconds();
        let clock = CpuClock::start();
        let mean: Vec<usize> = needs.iter().map(|need| need.mean().ceil() as usize).collect();
        let mean_s = clock.seconds();
        let judge = Judge { parts: &parts, needs: &needs, best: &ours };
        let mut rules = vec![
            judge.rule("ours, exact", &ours, cpu_s),
            judge.rule("mean need, rounded up (trivial)", &mean, mean_s),
        ];
        let mut apart_percent = None;
        if peers {
            let (rule, apart) = judge.peer(seed)?;
            rules.push(rule);
            apart_percent = Some(apart);
        }
        Ok(Self { rules, apart_percent })
    }
}

struct Judge<'a> {
    parts: &'a [Part],
    needs: &'a [Pmf],
    best: &'a [usize],
}

impl Judge<'_> {
    fn costs(&self, levels: &[usize]) -> Vec<f64> {
        let all = self.parts.iter().zip(self.needs).zip(levels);
        all.map(|((part, need), level)| part.expected_cost(need, *level)).collect()
    }

    fn rule(&self, name: &str, levels: &[usize], cpu_s: f64) -> Rule {
        let (costs, least) = (self.costs(levels), self.costs(self.best));
        let n = levels.len() as f64;
        let over = costs.iter().zip(&least).map(|(cost, least)| 100.0 * (cost / least - 1.0));
        Rule {
            name: name.to_owned(),
            level: levels.iter().sum::<usize>() as f64 / n,
            cost: costs.iter().sum::<f64>() / n,
            over_percent: over.sum::<f64>() / n,
            n_same: levels.iter().zip(self.best).filter(|(own, best)| own == best).count() as f64,
            cpu_s,
        }
    }

    /// The peer's levels, and how far its costs are from the exact ones at most, in percent.
    fn peer(&self, seed: u64) -> anyhow::Result<(Rule, f64)> {
        let text = Value::from_iter(self.parts.iter().map(Part::json)).to_string();
        let arguments = [N_DRAWS, &seed.to_string()];
        let answer = peer::run_on("optimize-spares", "parts.json", &text, &arguments)?;
        let numbers = |key: &str| -> anyhow::Result<Vec<f64>> {
            let all = answer[key].as_array().into_iter().flatten().filter_map(Value::as_f64);
            let all: Vec<f64> = all.collect();
            (all.len() == self.parts.len()).then_some(all).context("the peer left parts out")
        };
        let levels: Vec<usize> = numbers("levels")?.iter().map(|level| *level as usize).collect();
        let pairs = self.costs(&levels).into_iter().zip(numbers("costs")?);
        let apart = pairs.map(|(exact, theirs)| 100.0 * (theirs / exact - 1.0).abs());
        let name =
            format!("peer: numpy {}, {N_DRAWS} draws", answer["version"].as_str().unwrap_or("?"));
        let cpu_s = answer["cpu_s"].as_f64().unwrap_or(f64::NAN);
        Ok((self.rule(&name, &levels, cpu_s), apart.fold(0.0, f64::max)))
    }
}
