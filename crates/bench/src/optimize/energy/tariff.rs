//! A house with a battery under a Norwegian tariff: the known optimum of 2022, and rolling control.
//!
//! The case of Pérez-Piñeiro, Skogestad, Boyd (2023): 40 kWh, 20 kW, efficiencies 0.95, prices by the hour, and a fee by
//! the mean of the three highest daily peaks of a month.

use std::time::Duration;

use anyhow::Context;
use optimize::energy::dispatch::forecast::{Habit, same_hours};
use optimize::energy::dispatch::{Battery, DemandCharge, Plan, Problem, plan};

use crate::{CpuClock, Options, Table, data};

/// Hours of 2020 and 2021, which come before 2022.
const N_BEFORE: usize = (366 + 365) * 24;
const N_YEAR: usize = 365 * 24;
const OPTIMUM: f64 = 21_203.534_1;
const MONTHS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// Hours that the rolling control looks ahead.
const HORIZON: usize = 72;
/// Price per kW that keeps the control from using up a tier too early; chosen on 2021, as the margin of the loads.
const CAUTION: f64 = 4.0;
/// Standard deviations added to expected loads.
const MARGIN: f64 = 1.0;

struct House {
    load: Vec<f64>,
    price: Vec<f64>,
    spot: Vec<f64>,
    tou: Vec<f64>,
    month: Vec<usize>,
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

fn tiers(caution: f64) -> DemandCharge {
    let tiers = vec![(2.0, 83.0), (5.0, 147.0), (10.0, 252.0), (15.0, 371.0), (20.0, 490.0)];
    DemandCharge::Tiered { tiers, n_days: 3, caution }
}

impl House {
    /// All hours from 2020 on; `month` counts those of 2022 from 0.
    fn read(options: &Options) -> anyhow::Result<Self> {
        let folder = options.data.join("hem_battery_tariff");
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
            n >= N_BEFORE + N_YEAR,
            "the tariff case has {n} hours, fewer than three years"
        );
        let price = spot.iter().zip(&tou).map(|(spot, tou)| spot + tou).collect();
        let days = MONTHS
            .iter()
            .enumerate()
            .flat_map(|(month, days)| std::iter::repeat_n(month, days * 24));
        Ok(Self { load, price, spot, tou, month: days.collect() })
    }

    fn year(&self) -> std::ops::Range<usize> {
        N_BEFORE..N_BEFORE + N_YEAR
    }

    /// The whole of 2022, known in advance.
    fn problem<'a>(&'a self, day: &'a [usize]) -> Problem<'a> {
        Problem {
            step_h: 1.0,
            load_kw: &self.load[self.year()],
            solar_kw: &[],
            price: &self.price[self.year()],
            feed_in: &[],
            grid_kw: 20.0,
            month: &self.month,
            day,
            demand: tiers(0.0),
            past_peaks_kw: &[],
            peak_today_kw: 0.0,
            battery: Some(battery()),
            shiftable: &[],
            co2: None,
        }
    }
}

pub(super) fn optimum(options: &Options) -> anyhow::Result<Table> {
    let house = House::read(options)?;
    let day: Vec<usize> = (0..N_YEAR).map(|hour| hour / 24).collect();
    let problem = house.problem(&day);
    let clock = CpuClock::start();
    let best = plan(&problem, &limit(options.seconds.unwrap_or(600.0)))?;
    let cpu_s = clock.seconds();
    let (energy, demand) = problem.cost_of(&best)?;
    let mut table = Table::new(
        "Dispatch: battery and tiered peak fees, 8,760 hours known in advance",
        &["", "NOK", "difference", "CPU s"],
    );
    table.row([
        "ours, proven".into(),
        format!("{:.4}", energy + demand),
        format!("{:.4}", energy + demand - OPTIMUM),
        format!("{cpu_s:.1}"),
    ]);
    table.row(["published optimum", "21203.53", "", ""]);
    table.row(["published, no battery", "25051.67", "", ""]);
    table.note(format!(
        "target: 21,203.53 ± 0.01 in 30 s; energy {energy:.2}, peaks {demand:.2}; proven: {}",
        best.is_optimal
    ));
    Ok(table)
}

pub(super) fn rolling(options: &Options) -> anyhow::Result<Table> {
    let house = House::read(options)?;
    let clock = CpuClock::start();
    let mut control =
        Control { house: &house, stored: 20.0, month: 0, peaks: Vec::new(), slowest_s: 0.0 };
    let mut done = Plan::default();
    for hour in 0..N_YEAR {
        control.step(hour, &mut done)?;
    }
    let cpu_s = clock.seconds();
    let day: Vec<usize> = (0..N_YEAR).map(|hour| hour / 24).collect();
    let problem = house.problem(&day);
    let (energy, demand) = problem.cost_of(&done)?;
    let total = energy + demand;
    let mut table = Table::new(
        "Dispatch: rolling control, loads forecast, prices known until the auction's end",
        &["", "NOK", "over the optimum %", "CPU s", "slowest plan s"],
    );
    let over = |cost: f64| format!("{:.2}", 100.0 * (cost / OPTIMUM - 1.0));
    table.row([
        format!("ours, {HORIZON} h ahead"),
        format!("{total:.2}"),
        over(total),
        format!("{cpu_s:.0}"),
        format!("{:.3}", control.slowest_s),
    ]);
    table.row(["published, 720 h ahead".into(), "21567.69".into(), over(21_567.69)]);
    table.row(["published, 168 h ahead".into(), "21851.71".into(), over(21_851.71)]);
    table.row(["published, 24 h ahead".into(), "22845.88".into(), over(22_845.88)]);
    table.row(["published, rule: shave above 5 kW".into(), "23745.45".into(), over(23_745.45)]);
    table.note(format!("target: at most 21,568 with each plan below 1 s; energy {energy:.2}, peaks {demand:.2}, left in the battery {:.1} kWh", control.stored));
    Ok(table)
}

/// What the control knows between two hours.
struct Control<'a> {
    house: &'a House,
    stored: f64,
    month: usize,
    /// Daily peaks of this month so far, today's last.
    peaks: Vec<(usize, f64)>,
    slowest_s: f64,
}

impl Control<'_> {
    fn step(&mut self, hour: usize, done: &mut Plan) -> anyhow::Result<()> {
        let now = N_BEFORE + hour;
        if self.house.month[hour] != self.month {
            (self.month, self.peaks) = (self.house.month[hour], Vec::new());
        }
        let n = HORIZON.min(N_YEAR - hour);
        let (load, price) = (self.loads(now, n), self.prices(now, n));
        let month: Vec<usize> =
            (0..n).map(|ahead| self.house.month[hour + ahead] - self.month).collect();
        let day: Vec<usize> = (0..n).map(|ahead| (hour + ahead) / 24 - hour / 24).collect();
        let today = hour / 24;
        let past: Vec<f64> =
            self.peaks.iter().filter(|(day, _)| *day != today).map(|(_, peak)| *peak).collect();
        let so_far =
            self.peaks.iter().find(|(day, _)| *day == today).map_or(0.0, |(_, peak)| *peak);
        let is_end = hour + n == N_YEAR;
        let battery = Battery {
            start_kwh: self.stored.clamp(0.0, 40.0),
            end_kwh: is_end.then_some(20.0),
            end_value: if is_end { 0.0 } else { self.worth(&price) },
            ..battery()
        };
        let clock = CpuClock::start();
        let problem = Problem {
            step_h: 1.0,
            load_kw: &load,
            solar_kw: &[],
            price: &price,
            feed_in: &[],
            grid_kw: 20.0,
            month: &month,
            day: &day,
            demand: tiers(CAUTION),
            past_peaks_kw: &past,
            peak_today_kw: so_far,
            battery: Some(battery),
            shiftable: &[],
            co2: None,
        };
        let best = plan(&problem, &limit(10.0))?;
        self.slowest_s = self.slowest_s.max(clock.seconds());
        self.stored = best.stored_kwh[0];
        let grid = best.grid_kw[0];
        self.peaks.retain(|(day, _)| *day != today);
        self.peaks.push((today, so_far.max(grid)));
        done.grid_kw.push(grid);
        done.sold_kw.push(0.0);
        done.charge_kw.push(best.charge_kw[0]);
        done.discharge_kw.push(best.discharge_kw[0]);
        Ok(())
    }

    /// This hour's load is known, the others are expected.
    fn loads(&self, now: usize, n: usize) -> Vec<f64> {
        let habit =
            Habit { day: 24, n_days: 14, weekday_weight: 2.0, persistence: 0.8, margin: MARGIN };
        let ahead = same_hours(&self.house.load[..=now], n - 1, habit);
        std::iter::once(self.house.load[now])
            .chain(ahead.iter().map(|load| load.clamp(0.0, 20.0)))
            .collect()
    }

    /// Spot prices are known to the end of the day, from 13:00 to the end of the next; then as on past days.
    fn prices(&self, now: usize, n: usize) -> Vec<f64> {
        let hour = now % 24;
        let known = if hour < 13 { 24 - hour } else { 48 - hour }.min(n);
        let habit =
            Habit { day: 24, n_days: 7, weekday_weight: 1.0, persistence: 0.97, margin: 0.0 };
        let spot = &self.house.spot;
        let ahead = same_hours(&spot[..now + known], n - known, habit);
        let all = spot[now..now + known].iter().copied().chain(ahead);
        all.zip(&self.house.tou[now..now + n]).map(|(spot, tou)| spot + tou).collect()
    }

    /// A kWh left at the end will replace one bought at about the mean price.
    fn worth(&self, price: &[f64]) -> f64 {
        0.95 * price.iter().sum::<f64>() / price.len() as f64
    }
}
