//! A machine: its plan drives its physics, and its sensors show what comes out.

use signal::{HOUR_US, MINUTE_US, SECOND_US, TimeRange};

use crate::calendar::{self, Plan, State};
use crate::compressor::Compressor;
use crate::faults::{Fault, Severity};
use crate::filler::Filler;
use crate::imperfections::{Chances, Sensor, SensorSpec};
use crate::noise::{Noise, Wander, follow};
use crate::press::Press;
use crate::spindle::Spindle;
use crate::thermal::ambient;
use crate::{compressor, filler, press, spindle};

/// So long before its first reading a machine already works, so that its oil is warm.
const WARM_UP_US: i64 = 8 * HOUR_US;
/// A machine comes up to its load within so many seconds.
const RAMP_S: f64 = 3.0;
/// Length of working cycles varies so much around its mean (standard deviation of one cycle).
const CYCLE_JITTER: f64 = 0.05;
/// A step that holds more parts than this counts their expected rejects instead of each.
const MOST_SINGLE_PARTS: u64 = 10_000;

/// Types of machines; names as in the library of asset types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Forms metal.
    HydraulicPress,
    /// Cuts metal.
    CncSpindle,
    /// Makes compressed air.
    ScrewCompressor,
    /// Fills bottles.
    FillingLine,
}

/// Where a machine stands and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its line, such as `line1`.
    pub line: &'static str,
    /// Its name, such as `press01`.
    pub machine: &'static str,
    /// Its type.
    pub kind: Kind,
}

const fn place(line: &'static str, machine: &'static str, kind: Kind) -> Place {
    Place { line, machine, kind }
}

/// The machines of the plant. Their index names them everywhere else.
pub const MACHINES: [Place; 8] = [
    place("line1", "press01", Kind::HydraulicPress),
    place("line1", "press02", Kind::HydraulicPress),
    place("line1", "spindle01", Kind::CncSpindle),
    place("line1", "compressor01", Kind::ScrewCompressor),
    place("line2", "spindle02", Kind::CncSpindle),
    place("line2", "filler01", Kind::FillingLine),
    place("line2", "filler02", Kind::FillingLine),
    place("line2", "compressor02", Kind::ScrewCompressor),
];

impl Kind {
    /// Such as `hydraulic_press`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::HydraulicPress => "hydraulic_press",
            Kind::CncSpindle => "cnc_spindle",
            Kind::ScrewCompressor => "screw_compressor",
            Kind::FillingLine => "filling_line",
        }
    }

    /// Names of the measured signals, in the order of [`Machine::values`].
    pub fn signals(self) -> impl Iterator<Item = &'static str> {
        self.sensors().iter().map(|spec| spec.name)
    }

    /// Whether it counts parts.
    pub fn makes_parts(self) -> bool {
        self != Kind::ScrewCompressor
    }

    pub(crate) fn sensors(self) -> &'static [SensorSpec] {
        match self {
            Kind::HydraulicPress => &press::SENSORS,
            Kind::CncSpindle => &spindle::SENSORS,
            Kind::ScrewCompressor => &compressor::SENSORS,
            Kind::FillingLine => &filler::SENSORS,
        }
    }

    /// The sensor that drifts, and by how much at most.
    fn drift(self) -> (&'static str, f64) {
        match self {
            Kind::HydraulicPress => press::DRIFT,
            Kind::CncSpindle => spindle::DRIFT,
            Kind::ScrewCompressor => compressor::DRIFT,
            Kind::FillingLine => filler::DRIFT,
        }
    }
}

/// What acts on a machine during one step.
pub(crate) struct Drive<'a> {
    pub(crate) step_s: f64,
    pub(crate) state: State,
    /// 0 off, 1 on; follows the state within seconds.
    pub(crate) on: f64,
    /// 0 idle, 1 producing; follows the state within seconds.
    pub(crate) work: f64,
    pub(crate) product: usize,
    /// How hard it is driven, about 1.
    pub(crate) pace: f64,
    /// Where in its working cycle it is, 0 to 1.
    pub(crate) phase: f64,
    pub(crate) ambient_c: f64,
    pub(crate) severity: &'a Severity,
}

enum Physics {
    Press(Press),
    Spindle(Spindle),
    Compressor(Compressor),
    Filler(Filler),
}

/// What a step makes of the parts.
pub(crate) struct Cycle {
    /// Seconds per part, or per working cycle where there are no parts.
    pub(crate) length_s: f64,
    /// Share of rejects.
    pub(crate) reject_share: f64,
}

/// One simulated machine, as it is at one moment.
pub struct Machine {
    kind: Kind,
    seed: u64,
    number: usize,
    rush: Option<TimeRange>,
    time_us: i64,
    state: State,
    on: f64,
    work: f64,
    pace: Wander,
    cycles: f64,
    counted: u64,
    rejects: u64,
    rejects_rest: f64,
    noise: Noise,
    physics: Physics,
    chances: Chances,
    sensors: Vec<Sensor>,
    values: Vec<f64>,
}

impl Machine {
    /// Machine `number` of [`MACHINES`] as it is at `time_us`, warm from the hours before.
    ///
    /// `rush`: an urgent order, during which it runs without breaks and stops.
    ///
    /// # Panics
    /// When `number` is not an index into [`MACHINES`].
    pub fn new(seed: u64, number: usize, time_us: i64, rush: Option<TimeRange>) -> Machine {
        let kind = MACHINES[number].kind;
        let n_sensors = kind.sensors().len();
        let mut machine = Machine {
            kind,
            seed,
            number,
            rush,
            time_us: time_us - WARM_UP_US,
            state: State::Stopped,
            on: 0.0,
            work: 0.0,
            pace: Wander::new(300.0),
            cycles: 0.0,
            counted: 0,
            rejects: 0,
            rejects_rest: 0.0,
            noise: Noise::new(seed ^ (number as u64 + 1).wrapping_mul(0x0100_0000_01B3)),
            physics: Physics::new(kind),
            chances: Chances::new(60.0),
            sensors: vec![Sensor::new(); n_sensors],
            values: vec![0.0; n_sensors],
        };
        while machine.time_us < time_us {
            machine.step((machine.time_us + MINUTE_US).min(time_us), &Severity::NONE);
        }
        machine
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The time that it has got to.
    pub fn time_us(&self) -> i64 {
        self.time_us
    }

    /// What it does now.
    pub fn state(&self) -> State {
        self.state
    }

    /// What its sensors show now, in the order of [`Kind::signals`]; NaN where one has dropped out.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Good and rejected parts since it was made; never fewer than before. None when it makes no parts.
    pub fn counters(&self) -> Option<(u64, u64)> {
        self.kind.makes_parts().then(|| (self.counted - self.rejects, self.rejects))
    }

    /// Moves on to `time_us` and reads all sensors. A time that is not later only reads them again.
    pub fn step(&mut self, time_us: i64, severity: &Severity) {
        let step_s = (time_us - self.time_us).max(0) as f64 / SECOND_US as f64;
        self.time_us = self.time_us.max(time_us);
        let plan = self.plan();
        self.state = plan.state;
        let is_on = matches!(plan.state, State::Idle | State::Running);
        self.on = follow(self.on, f64::from(u8::from(is_on)), step_s, RAMP_S);
        let works = plan.state == State::Running;
        self.work = follow(self.work, f64::from(u8::from(works)), step_s, RAMP_S);
        let drive = Drive {
            step_s,
            state: plan.state,
            on: self.on,
            work: self.work,
            product: plan.product,
            pace: plan.pace * (1.0 + 0.012 * self.pace.step(step_s, &mut self.noise)),
            phase: self.cycles.fract(),
            ambient_c: ambient(self.seed, self.time_us),
            severity,
        };
        let cycle = self.physics.step(&drive, self.demand(), &mut self.noise, &mut self.values);
        if works {
            self.make_parts(step_s, &cycle);
        }
        self.read_sensors(step_s, severity);
    }

    fn plan(&self) -> Plan {
        let plan = match self.kind {
            Kind::ScrewCompressor => calendar::supply(self.seed, self.number, self.time_us),
            _ => calendar::production(self.seed, self.number, self.time_us),
        };
        let rushes = self.rush.is_some_and(|rush| rush.contains(self.time_us));
        if rushes { Plan { state: State::Running, ..plan } } else { plan }
    }

    /// How much compressed air the plant wants, as the share of producing machines; only compressors ask.
    fn demand(&self) -> f64 {
        if self.kind != Kind::ScrewCompressor {
            return 0.0;
        }
        let makers = MACHINES.iter().enumerate().filter(|(_, place)| place.kind.makes_parts());
        let running =
            makers.map(|(number, _)| calendar::production(self.seed, number, self.time_us).state);
        let (n_running, n_all) = running.fold((0.0, 0.0), |(n, all), state| {
            (n + f64::from(u8::from(state == State::Running)), all + 1.0)
        });
        n_running / n_all
    }

    fn make_parts(&mut self, step_s: f64, cycle: &Cycle) {
        let mean = step_s / cycle.length_s;
        self.cycles += (mean + CYCLE_JITTER * mean.sqrt() * self.noise.normal()).max(0.0);
        let made = self.cycles as u64 - self.counted;
        if made > MOST_SINGLE_PARTS {
            self.rejects_rest += made as f64 * cycle.reject_share;
            self.rejects += self.rejects_rest as u64;
            self.rejects_rest = self.rejects_rest.fract();
        } else {
            let bad = (0..made).filter(|_| self.noise.uniform() < cycle.reject_share).count();
            self.rejects += bad as u64;
        }
        self.counted += made;
    }

    fn read_sensors(&mut self, step_s: f64, severity: &Severity) {
        self.chances = self.chances.for_step(step_s);
        let (drifting, size) = self.kind.drift();
        let drift = severity.of(Fault::SensorDrift) * size;
        for ((value, sensor), spec) in
            self.values.iter_mut().zip(&mut self.sensors).zip(self.kind.sensors())
        {
            let physical = if spec.name == drifting { *value + drift } else { *value };
            *value = sensor.read(spec, physical, &self.chances, &mut self.noise);
        }
    }
}

impl Physics {
    fn new(kind: Kind) -> Physics {
        match kind {
            Kind::HydraulicPress => Physics::Press(Press::new()),
            Kind::CncSpindle => Physics::Spindle(Spindle::new()),
            Kind::ScrewCompressor => Physics::Compressor(Compressor::new()),
            Kind::FillingLine => Physics::Filler(Filler::new()),
        }
    }

    /// Writes the physical values in the order of the sensors.
    fn step(
        &mut self,
        drive: &Drive<'_>,
        demand: f64,
        noise: &mut Noise,
        values: &mut [f64],
    ) -> Cycle {
        match self {
            Physics::Press(press) => press.step(drive, noise, values),
            Physics::Spindle(spindle) => spindle.step(drive, noise, values),
            Physics::Compressor(compressor) => compressor.step(drive, demand, noise, values),
            Physics::Filler(filler) => filler.step(drive, noise, values),
        }
    }
}

/// Share of rejects: the product's own, and more as something breaks.
pub(crate) fn reject_share(base: f64, severity: &Severity) -> f64 {
    base + 0.06 * severity.worst()
}

/// RMS of vibrations that have nothing to do with each other.
pub(crate) fn rms<const N: usize>(parts: [f64; N]) -> f64 {
    parts.iter().map(|part| part * part).sum::<f64>().sqrt()
}
