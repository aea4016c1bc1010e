//! The ratios of one shift, by their names in ISO 22400-2:2014.

use super::buckets::Buckets;
use super::facts::Count;

/// What was made in one shift.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pieces {
    /// Good at once (GQ).
    pub good: f64,
    /// Thrown away (SQ).
    pub scrap: f64,
    /// To be worked on once more (RQ).
    pub rework: f64,
    /// Ideal seconds for all of them; `None` if the ideal cycle of any is unknown.
    pub ideal_s: Option<f64>,
    /// Ideal seconds of the rejects of start-ups; 0 where unknown.
    pub startup_reject_s: f64,
    /// Ideal seconds of the other rejects; 0 where unknown.
    pub production_reject_s: f64,
}

impl Pieces {
    pub(super) fn of(counts: &[Count]) -> Self {
        let mut sum = Self { ideal_s: Some(0.0), ..Self::default() };
        for count in counts {
            sum.good += count.good;
            sum.scrap += count.scrap;
            sum.rework += count.rework;
            let cycle_s = if count.produced() > 0.0 { count.ideal_cycle_s } else { Some(0.0) };
            sum.ideal_s = sum.ideal_s.zip(cycle_s).map(|(all, one)| all + one * count.produced());
            let reject_s = cycle_s.unwrap_or(0.0) * (count.scrap + count.rework);
            if count.is_startup {
                sum.startup_reject_s += reject_s;
            } else {
                sum.production_reject_s += reject_s;
            }
        }
        sum
    }

    /// All pieces (PQ).
    pub fn produced(&self) -> f64 {
        self.good + self.scrap + self.rework
    }

    fn plus(self, other: Self) -> Self {
        Self {
            good: self.good + other.good,
            scrap: self.scrap + other.scrap,
            rework: self.rework + other.rework,
            ideal_s: self.ideal_s.zip(other.ideal_s).map(|(one, other)| one + other),
            startup_reject_s: self.startup_reject_s + other.startup_reject_s,
            production_reject_s: self.production_reject_s + other.production_reject_s,
        }
    }
}

/// One of the three factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// Production time ÷ planned time.
    Availability,
    /// Ideal time of the pieces ÷ production time; "effectiveness" in ISO 22400.
    Performance,
    /// Good pieces ÷ pieces.
    Quality,
}

/// A product of those factors that are known.
#[derive(Debug, Clone, PartialEq)]
pub struct Partial {
    /// The product; 1 if nothing is known.
    pub value: f64,
    /// Factors left out; empty for a full OEE.
    pub missing: Vec<Factor>,
}

/// One shift of one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct ShiftOee {
    /// Name of the shift.
    pub name: String,
    /// Where its time went.
    pub buckets: Buckets,
    /// What was made; `None` if nothing was counted, which is not the same as zero.
    pub pieces: Option<Pieces>,
    /// Breakdowns that began in this shift.
    pub n_breakdowns: usize,
}

impl ShiftOee {
    /// Several shifts as one: its ratios are those of the sums, not means of ratios.
    ///
    /// Where a shift with running time counted nothing, the pieces of all together are unknown, and with them
    /// performance and quality: the time of the one must not be divided by the pieces of the others.
    pub fn total(name: &str, shifts: &[Self]) -> Self {
        let mut total =
            Self { name: name.into(), buckets: Buckets::default(), pieces: None, n_breakdowns: 0 };
        let is_blind = |shift: &Self| shift.pieces.is_none() && shift.buckets.running_us() > 0;
        let counted = shifts.iter().filter_map(|shift| shift.pieces).reduce(Pieces::plus);
        total.pieces = counted.filter(|_| !shifts.iter().any(is_blind));
        for shift in shifts {
            total.buckets = total.buckets.plus(shift.buckets);
            total.n_breakdowns += shift.n_breakdowns;
        }
        total
    }
}

/// Ratios; `None` where the denominator is zero or a part is unknown.
impl ShiftOee {
    /// APT ÷ PBT; missing when the state was unknown for all of the planned time.
    pub fn availability(&self) -> Option<f64> {
        let buckets = &self.buckets;
        let is_known = buckets.unknown_us < buckets.planned_us();
        is_known.then(|| ratio(buckets.production_us(), buckets.planned_us())).flatten()
    }

    /// PRI × PQ ÷ APT, the ideal time of all pieces over production time; above 1 if the ideal cycle is too long.
    pub fn performance(&self) -> Option<f64> {
        let production_s = self.buckets.production_us() as f64 / 1e6;
        let ideal_s = self.pieces?.ideal_s?;
        (production_s > 0.0).then(|| ideal_s / production_s)
    }

    /// GQ ÷ PQ, good pieces over all; also the first-pass yield, as reworked pieces are not good at once.
    pub fn quality(&self) -> Option<f64> {
        self.share(|pieces| pieces.good)
    }

    /// Availability × performance × quality, of those that are known.
    pub fn oee(&self) -> Partial {
        product([
            (Factor::Availability, self.availability()),
            (Factor::Performance, self.performance()),
            (Factor::Quality, self.quality()),
        ])
    }

    /// Net equipment effectiveness: (APT + set-up) ÷ PBT × performance × quality; set-up is not a loss here.
    pub fn nee(&self) -> Partial {
        let busy_us = self.buckets.production_us() + self.buckets.setup_us;
        let use_of_time =
            self.availability().and_then(|_| ratio(busy_us, self.buckets.planned_us()));
        product([
            (Factor::Availability, use_of_time),
            (Factor::Performance, self.performance()),
            (Factor::Quality, self.quality()),
        ])
    }

    /// APT ÷ AUBT, production time over the time in which the unit was busy or held up.
    pub fn utilization(&self) -> Option<f64> {
        let buckets = &self.buckets;
        let busy_us = buckets.production_us() + buckets.setup_us + buckets.breakdown_us;
        ratio(buckets.production_us(), busy_us)
    }

    /// AUST ÷ AUPT, set-up over set-up and production.
    pub fn setup_ratio(&self) -> Option<f64> {
        let setup_us = self.buckets.setup_us;
        ratio(setup_us, setup_us + self.buckets.production_us())
    }

    /// APT ÷ (APT + ADOT), production time over itself and unplanned stops.
    pub fn technical_efficiency(&self) -> Option<f64> {
        let production_us = self.buckets.production_us();
        ratio(production_us, production_us + self.buckets.breakdown_us)
    }

    /// PQ per hour of planned time.
    pub fn throughput_per_hour(&self) -> Option<f64> {
        let planned_h = self.buckets.planned_us() as f64 / 3.6e9;
        let produced = self.pieces?.produced();
        (planned_h > 0.0).then(|| produced / planned_h)
    }

    /// SQ ÷ PQ.
    pub fn scrap_ratio(&self) -> Option<f64> {
        self.share(|pieces| pieces.scrap)
    }

    /// RQ ÷ PQ.
    pub fn rework_ratio(&self) -> Option<f64> {
        self.share(|pieces| pieces.rework)
    }

    /// Mean running time between failures, in hours; `None` without a breakdown.
    pub fn mtbf_h(&self) -> Option<f64> {
        let n = self.n_breakdowns;
        (n > 0).then(|| self.buckets.running_us() as f64 / 3.6e9 / n as f64)
    }

    /// Mean time to restoration, in hours: time down in this shift per breakdown that began in it.
    pub fn mttr_h(&self) -> Option<f64> {
        let n = self.n_breakdowns;
        (n > 0).then(|| self.buckets.breakdown_us as f64 / 3.6e9 / n as f64)
    }

    fn share(&self, part: impl Fn(&Pieces) -> f64) -> Option<f64> {
        let pieces = self.pieces.as_ref()?;
        (pieces.produced() > 0.0).then(|| part(pieces) / pieces.produced())
    }
}

fn ratio(part_us: i64, whole_us: i64) -> Option<f64> {
    (whole_us > 0).then(|| part_us as f64 / whole_us as f64)
}

fn product(factors: [(Factor, Option<f64>); 3]) -> Partial {
    let mut partial = Partial { value: 1.0, missing: Vec::new() };
    for (factor, value) in factors {
        match value {
            Some(value) => partial.value *= value,
            None => partial.missing.push(factor),
        }
    }
    partial
}
