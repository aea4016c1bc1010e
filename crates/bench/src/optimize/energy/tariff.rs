//! A house with a battery under a Norwegian tariff: the known optimum, and rolling control.
//!
//! The case of Pérez-Piñeiro, Skogestad, Boyd (2023): 40 kWh, 20 kW, efficiencies 0.95, prices by the hour, and a fee by
//! the mean of the three highest daily peaks of a month. 2021 is where settings were chosen, 2022 is where they count.

use std::time::Duration;

use anyhow::Context;
use optimize::energy::dispatch::forecast::{Habit, same_hours};
use optimize::energy::dispatch::pattern::Pattern;
use optimize::energy::dispatch::policy::{Action, Chance, Memory, Policy};
use optimize::energy::dispatch::{Battery, DemandCharge, Plan, Problem, plan};

use crate::seeds::NO_SEED;
use crate::{CpuClock, Options, Table, data, peer};

const OPTIMUM: f64 = 21_203.534_1;
/// Hours from the Monday before 2020, when the data begin on a Wednesday.
const FIRST_H: usize = 48;
/// Hours after the end of the month that the control looks ahead.
const TAIL_H: usize = 72;
/// Price per kW and hour above what keeps a tier, in planning.
const EXCESS_PRICE: f64 = 30.0;
/// Equally likely surprises of a load.
const N_SURPRISES: usize = 5;
/// Spot prices not known yet are those of the same hours on these many days.
const PRICES: Habit =
    Habit { day: 24, n_days: 28, weekday_weight: 1.0, persistence: 0.97, margin: 0.0 };

struct House {
    load: Vec<f64>,
    price: Vec<f64>,
    spot: Vec<f64>,
    tou: Vec<f64>,
}

/// A calendar year of the data, in hours from the begin of 2020.
#[derive(Clone, Copy)]
struct Year {
    number: usize,
    first_h: usize,
    days: [usize; 12],
}

const BEFORE: Year = Year {
    number: 2021,
    first_h: 366 * 24,
    days: [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31],
};
const JUDGED: Year = Year { number: 2022, first_h: (366 + 365) * 24, ..BEFORE };

impl Year {
    fn n_hours(self) -> usize {
        self.days.iter().sum::<usize>() * 24
    }

    fn end_h(self) -> usize {
        self.first_h + self.n_hours()
    }

    /// Month of each hour, from 0.
    fn months(self) -> Vec<usize> {
        let month = |(month, days): (usize, &usize)| std::iter::repeat_n(month, days * 24);
        self.days.iter().enumerate().flat_map(month).collect()
    }
}

fn limit(seconds: f64) -> optimize::Control<'static> {
    optimize::Control::time(0, Duration::from_secs_f64(seconds), 1)
}

fn battery() -> Battery {
    Battery {
        capacity_kwh: 40.0,
        charge_kw: 20.0,
        discharge_kw: 20.0,
        charge_efficiency: 0.95,
        discharge_efficiency: 0.95,
        kept_per_h: 0.99998,
        start_kwh: 20.0,
        end_kwh: Some(20.0),
        end_value: 0.0,
    }
}

fn tiers() -> DemandCharge {
    let tiers = vec![(2.0, 83.0), (5.0, 147.0), (10.0, 252.0), (15.0, 371.0), (20.0, 490.0)];
    DemandCharge::Tiered { tiers, n_days: 3, caution: 0.0 }
}

/// A horizon of the house, with nothing behind it.
fn horizon<'a>(
    load_kw: &'a [f64],
    price: &'a [f64],
    month: &'a [usize],
    day: &'a [usize],
) -> Problem<'a> {
    Problem {
        step_h: 1.0,
        load_kw,
        solar_kw: &[],
        price,
        feed_in: &[],
        grid_kw: 20.0,
        month,
        day,
        demand: tiers(),
        past_peaks_kw: &[],
        peak_today_kw: 0.0,
        battery: Some(battery()),
        shiftable: &[],
        co2: None,
    }
}

impl House {
    /// All hours from 2020 on.
    fn read(options: &Options) -> anyhow::Result<Self> {
        let folder = options.folder()?.join("hem_battery_tariff");
        let column = |name: &str| -> anyhow::Result<Vec<f64>> {
            let text = data::text(&folder.join(name))?;
            let values = text
                .lines()
                .skip(1)
                .map(|line| line.rsplit(',').next().unwrap_or_default().parse());
            values.collect::<Result<Vec<f64>, _>>().with_context(|| format!("reading {name}"))
        };
        let (load, spot, tou) =
            (column("loads.csv")?, column("da_prices.csv")?, column("tou_prices.csv")?);
        let n = load.len().min(spot.len()).min(tou.len());
        anyhow::ensure!(
            n >= JUDGED.end_h(),
            "the tariff case has {n} hours, fewer than three years"
        );
        let price = spot.iter().zip(&tou).map(|(spot, tou)| spot + tou).collect();
        Ok(Self { load, price, spot, tou })
    }
}

pub(super) fn optimum(options: &Options) -> anyhow::Result<Table> {
    let house = House::read(options)?;
    let mut table = Table::new(
        "Dispatch: battery and tiered peak fees, 8,760 hours known in advance",
        &["", "NOK", "difference", "CPU s"],
    );
    for year in [JUDGED, BEFORE] {
        let (month, day) = (year.months(), days(year));
        let hours = year.first_h..year.end_h();
        let problem = horizon(&house.load[hours.clone()], &house.price[hours], &month, &day);
        let clock = CpuClock::start();
        let best = plan(&problem, &limit(options.seconds.unwrap_or(600.0)))?;
        let cpu_s = clock.seconds();
        let (energy, demand) = problem.cost_of(&best)?;
        let total = energy + demand;
        let known = year.number == JUDGED.number;
        table.row([
            format!("ours, {}", year.number),
            format!("{total:.4}"),
            if known { format!("{:.4}", total - OPTIMUM) } else { String::new() },
            format!("{cpu_s:.1}"),
        ]);
        table.note(format!(
            "{}: energy {energy:.2}, peaks {demand:.2}; proven: {}",
            year.number, best.is_optimal
        ));
    }
    if options.peers {
        beside_highs(options, &mut table)?;
    }
    table.row(["published optimum, 2022", "21203.53", "", ""]);
    table.row(["published, no battery, 2022", "25051.67", "", ""]);
    table.note("target: 21,203.53 ± 0.01 in 30 s");
    table.note(NO_SEED);
    Ok(table)
}

/// The same two years in HiGHS, from a program that was written from the case and not from ours.
fn beside_highs(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let folder = options.folder()?.join("hem_battery_tariff");
    let years = [JUDGED, BEFORE].map(|year| year.number.to_string());
    let answer =
        peer::run("optimize-dispatch", &[&folder.to_string_lossy(), &years[0], &years[1]])?;
    for year in [JUDGED, BEFORE] {
        let found = &answer["years"][year.number.to_string()];
        let number = |key: &str| found[key].as_f64().unwrap_or(f64::NAN);
        let known = year.number == JUDGED.number;
        table.row([
            format!("peer: HiGHS {}, {}", answer["version"].as_str().unwrap_or("?"), year.number),
            format!("{:.4}", number("cost")),
            if known { format!("{:.4}", number("cost") - OPTIMUM) } else { String::new() },
            format!("{:.1}", number("cpu_s")),
        ]);
    }
    Ok(())
}

fn days(year: Year) -> Vec<usize> {
    (0..year.n_hours()).map(|hour| hour / 24).collect()
}

pub(super) fn rolling(options: &Options) -> anyhow::Result<Table> {
    let house = House::read(options)?;
    let mut table = Table::new(
        "Dispatch: rolling control, loads uncertain, prices known until the auction's end",
        &["", "NOK", "over the optimum %", "CPU s", "slowest plan s"],
    );
    let over = |cost: f64| format!("{:.2}", 100.0 * (cost / OPTIMUM - 1.0));
    for year in [JUDGED, BEFORE] {
        let clock = CpuClock::start();
        let run = Run::year(&house, year)?;
        let (energy, demand) = run.cost(&house, year)?;
        let known = year.number == JUDGED.number;
        table.row([
            format!("ours, {}", year.number),
            format!("{:.2}", energy + demand),
            if known { over(energy + demand) } else { String::new() },
            format!("{:.0}", clock.seconds()),
            format!("{:.3}", run.slowest_s),
        ]);
        table.note(format!(
            "{}: energy {energy:.2}, peaks {demand:.2}, {} plans, left in the battery {:.1} kWh",
            year.number, run.n_plans, run.memory.stored_kwh
        ));
    }
    for (name, cost) in [
        ("published, 720 h ahead", 21_567.69),
        ("published, 168 h ahead", 21_851.71),
        ("published, 24 h ahead", 22_845.88),
        ("published, rule: shave above 5 kW", 23_745.45),
    ] {
        table.row([format!("{name}, 2022"), format!("{cost:.2}"), over(cost)]);
    }
    table.note("target: at most 21,568 in 2022 with each plan below 1 s");
    table.note(NO_SEED);
    Ok(table)
}

/// A year of control.
struct Run {
    memory: Memory,
    done: Plan,
    n_plans: usize,
    slowest_s: f64,
}

impl Run {
    fn year(house: &House, year: Year) -> anyhow::Result<Self> {
        let memory = Memory { stored_kwh: battery().start_kwh, ..Memory::default() };
        let mut run = Self { memory, done: Plan::default(), n_plans: 0, slowest_s: 0.0 };
        let mut month_h = year.first_h;
        for days in year.days {
            let end_h = month_h + days * 24;
            run.month(house, year, month_h..end_h)?;
            month_h = end_h;
        }
        Ok(run)
    }

    fn month(
        &mut self,
        house: &House,
        year: Year,
        hours: std::ops::Range<usize>,
    ) -> anyhow::Result<()> {
        let history = &house.load[..hours.start];
        let pattern = Pattern::fit(history, FIRST_H, N_SURPRISES)?;
        self.memory.begin_month();
        self.memory.deviation_kw = pattern.deviation_kw(history, FIRST_H);
        let mut current: Option<(usize, Policy)> = None;
        for now in hours.clone() {
            if now % 24 == 0 && now > hours.start {
                self.memory.begin_day();
            }
            let is_news = now % 24 == 0 || now % 24 == 13;
            let kept = current
                .take()
                .filter(|(made, policy)| !is_news && policy.fits(now - made, &self.memory));
            let (made, policy) = match kept {
                Some(kept) => kept,
                None => (now, self.plan(house, &pattern, now, hours.end, year)?),
            };
            let action = policy.act(now - made, house.load[now], &mut self.memory)?;
            self.record(action);
            current = Some((made, policy));
        }
        Ok(())
    }

    /// A policy to the end of the month and some days more.
    fn plan(
        &mut self,
        house: &House,
        pattern: &Pattern,
        now: usize,
        month_end: usize,
        year: Year,
    ) -> anyhow::Result<Policy> {
        let clock = CpuClock::start();
        let end = (month_end + TAIL_H).min(year.end_h());
        let load: Vec<f64> = (now..end).map(|hour| pattern.usual_kw(FIRST_H + hour)).collect();
        let spread: Vec<f64> = (now..end).map(|hour| pattern.spread_kw(FIRST_H + hour)).collect();
        let price = house.prices(now, end - now);
        let month: Vec<usize> = (now..end).map(|hour| usize::from(hour >= month_end)).collect();
        let day: Vec<usize> = (now..end).map(|hour| hour / 24 - now / 24).collect();
        let is_end = end == year.end_h();
        let mean = price.iter().sum::<f64>() / price.len() as f64;
        let battery = Battery {
            start_kwh: self.memory.stored_kwh,
            end_kwh: is_end.then_some(20.0),
            end_value: 0.95 * mean,
            ..battery()
        };
        let problem = Problem {
            past_peaks_kw: &self.memory.past_peaks_kw,
            peak_today_kw: self.memory.peak_today_kw,
            battery: Some(battery),
            ..horizon(&load, &price, &month, &day)
        };
        let chance = Chance {
            persistence: pattern.persistence,
            gain: pattern.gain,
            spread_kw: &spread,
            surprises: &pattern.surprises,
            excess_price: EXCESS_PRICE,
        };
        let policy = Policy::new(&problem, &chance)?;
        self.n_plans += 1;
        self.slowest_s = self.slowest_s.max(clock.seconds());
        Ok(policy)
    }

    fn record(&mut self, action: Action) {
        self.done.grid_kw.push(action.grid_kw);
        self.done.sold_kw.push(action.sold_kw);
        self.done.charge_kw.push(action.charge_kw);
        self.done.discharge_kw.push(action.discharge_kw);
    }

    /// Energy and peaks of what was done, by the checker, which knows only loads, prices and limits.
    fn cost(&self, house: &House, year: Year) -> anyhow::Result<(f64, f64)> {
        let (month, day) = (year.months(), days(year));
        let hours = year.first_h..year.end_h();
        let problem = horizon(&house.load[hours.clone()], &house.price[hours], &month, &day);
        anyhow::ensure!(self.memory.stored_kwh > 20.0 - 1e-3, "the battery ends below its begin");
        Ok(problem.cost_of(&self.done)?)
    }
}

impl House {
    /// Spot prices are known to the end of the day, from 13:00 to the end of the next; then as on past days, week by
    /// week.
    fn prices(&self, now: usize, n: usize) -> Vec<f64> {
        let hour = now % 24;
        let known = if hour < 13 { 24 - hour } else { 48 - hour }.min(n);
        let week = same_hours(&self.spot[..now + known], 168, PRICES);
        let all = self.spot[now..now + known].iter().chain(week.iter().cycle());
        all.zip(&self.tou[now..now + n]).map(|(spot, tou)| spot + tou).collect()
    }
}
