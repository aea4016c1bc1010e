//! Columns that look the same at any step, and faults that show where they should.

use plant::{
    Columns, Fault, FaultPlan, Kind, MACHINES, Machine, Severity, State, faults_of, generate,
};
use proptest::prelude::*;
use signal::{DAY_US, HOUR_US, MINUTE_US, SECOND_US, TimeRange};

/// 2026-01-01 00:00 UTC.
const T0: i64 = 1_767_225_600_000_000;
const RUNNING: u8 = State::Running as u8;

fn days(n: i64) -> TimeRange {
    TimeRange { start_us: T0, end_us: T0 + n * DAY_US }
}

/// Values of a signal while the machine has been running for a while.
fn settled(columns: &Columns, signal: &str, settle_us: i64) -> Vec<f64> {
    let mut running_since_us = None;
    let mut values = Vec::new();
    for ((time_us, state), value) in columns
        .time_us
        .iter()
        .zip(&columns.state)
        .zip(columns.column(signal).expect("a signal of the machine"))
    {
        running_since_us =
            if *state == RUNNING { running_since_us.or(Some(*time_us)) } else { None };
        if value.is_finite()
            && running_since_us.is_some_and(|since_us| time_us - since_us >= settle_us)
        {
            values.push(*value);
        }
    }
    values
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// Signals of a machine that is kept running, over `length_us`, at some step.
fn rushed(number: usize, severity: Severity, length_us: i64, step_us: i64) -> Vec<Vec<f64>> {
    // In the morning, before the breaks: compressors follow what the lines want.
    let start_us = T0 + 5 * HOUR_US;
    let rush = TimeRange { start_us: start_us - HOUR_US, end_us: start_us + 2 * length_us };
    let mut machine = Machine::new(11, number, start_us, Some(rush));
    let mut columns = vec![Vec::new(); machine.values().len()];
    for n in 1..=length_us / step_us {
        machine.step(start_us + n * step_us, &severity);
        for (column, value) in columns.iter_mut().zip(machine.values()) {
            column.extend(value.is_finite().then_some(*value));
        }
    }
    columns
}

#[test]
fn history_and_live_values_have_one_distribution() {
    for number in [0, 4, 5, 7] {
        let slow = generate(3, number, days(6), MINUTE_US, &[]);
        let fast = generate(3, number, days(6), 2 * SECOND_US, &[]);
        for signal in MACHINES[number].kind.signals() {
            let [mut slow, mut fast] =
                [&slow, &fast].map(|columns| settled(columns, signal, 2 * MINUTE_US));
            let [a, b] = [&mut slow, &mut fast]
                .map(|values| [0.1, 0.5, 0.9].map(|share| quantile(values, share)));
            let spread = a[2] - a[0];
            for (a, b) in a.iter().zip(b) {
                assert!(
                    (a - b).abs() < 0.12 * spread,
                    "{number} {signal}: {a} {b} spread {spread}"
                );
            }
            assert!((mean(&slow) - mean(&fast)).abs() < 0.1 * spread, "{number} {signal}");
        }
    }
}

#[test]
fn relations_between_signals_are_the_same_at_any_step() {
    let residual = |columns: &Columns, x: &str, y: &str| {
        let (x, y) = (settled(columns, x, 2 * MINUTE_US), settled(columns, y, 2 * MINUTE_US));
        let (mx, my) = (mean(&x), mean(&y));
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (x, y) in x.iter().zip(&y) {
            xx += (x - mx) * (x - mx);
            xy += (x - mx) * (y - my);
            yy += (y - my) * (y - my);
        }
        (xy / (xx * yy).sqrt(), xy / xx)
    };
    for (number, x, y) in
        [(0, "pump/power", "pump/current"), (4, "spindle/power", "spindle/current")]
    {
        let [slow, fast] = [MINUTE_US, 2 * SECOND_US].map(|step_us| {
            let mut columns = generate(3, number, days(4), step_us, &[]);
            // Rows with a dropout would shift one signal against the other.
            for column in &mut columns.values {
                let mut last = 0.0;
                for value in column {
                    last = if value.is_finite() { *value } else { last };
                    *value = last;
                }
            }
            residual(&columns, x, y)
        });
        assert!(slow.0 > 0.97 && fast.0 > 0.97, "{x} {y}: {slow:?} {fast:?}");
        assert!((slow.1 / fast.1 - 1.0).abs() < 0.03, "{x} {y}: {slow:?} {fast:?}");
    }
}

#[test]
fn every_fault_moves_its_signals_the_documented_way() {
    for (number, place) in MACHINES.iter().enumerate() {
        let names: Vec<&str> = place.kind.signals().collect();
        let well = rushed(number, Severity::NONE, 40 * MINUTE_US, SECOND_US);
        for fault in faults_of(place.kind) {
            let ill = rushed(number, Severity::only(fault, 1.0), 40 * MINUTE_US, SECOND_US);
            for (signal, up) in fault.signs(place.kind) {
                let idx =
                    names.iter().position(|name| name == signal).expect("a signal of the machine");
                let moved = mean(&ill[idx]) - mean(&well[idx]);
                let spread =
                    quantile(&mut well[idx].clone(), 0.95) - quantile(&mut well[idx].clone(), 0.05);
                let moved = if *up { moved } else { -moved };
                assert!(
                    moved > 0.06 * spread,
                    "{} {} {signal}: {moved} of {spread}",
                    place.machine,
                    fault.name()
                );
            }
        }
    }
}

#[test]
fn what_a_fault_does_not_touch_stays_as_it_was() {
    let check = |number: usize, fault: Fault, signal: &str| {
        let idx =
            MACHINES[number].kind.signals().position(|name| name == signal).expect("a signal");
        let well = rushed(number, Severity::NONE, HOUR_US, SECOND_US);
        let ill = rushed(number, Severity::only(fault, 1.0), HOUR_US, SECOND_US);
        let spread =
            quantile(&mut well[idx].clone(), 0.95) - quantile(&mut well[idx].clone(), 0.05);
        let moved = mean(&ill[idx]) - mean(&well[idx]);
        assert!(
            moved.abs() < 0.3 * spread,
            "{number} {} {signal}: {moved} of {spread}",
            fault.name()
        );
    };
    check(0, Fault::SensorDrift, "hydraulics/pressure");
    check(0, Fault::BearingWear, "hydraulics/pressure");
    check(2, Fault::BearingWear, "coolant/flow");
    check(2, Fault::SensorDrift, "spindle/vibration_rms");
    check(3, Fault::HydraulicLeak, "motor/vibration");
    check(3, Fault::SensorDrift, "air/flow");
    check(5, Fault::Misalignment, "pump/power");
    check(5, Fault::SensorDrift, "product/pressure");
}

/// The vibration limit of ISO 10816-3 for class II machines, zone D, and what else stops a machine.
#[test]
fn a_full_fault_crosses_a_limit_that_a_healthy_machine_keeps() {
    let limits: &[(Kind, &str, f64, bool)] = &[
        (Kind::HydraulicPress, "hydraulics/pressure", 120.0, false),
        (Kind::HydraulicPress, "hydraulics/oil_temperature", 65.0, true),
        (Kind::HydraulicPress, "hydraulics/filter_dp", 3.5, true),
        (Kind::HydraulicPress, "pump/vibration", 7.1, true),
        (Kind::CncSpindle, "spindle/vibration_rms", 4.5, true),
        (Kind::CncSpindle, "spindle/temperature", 60.0, true),
        (Kind::CncSpindle, "coolant/flow", 6.0, false),
        (Kind::ScrewCompressor, "air/pressure", 9.0, true),
        (Kind::ScrewCompressor, "oil/pressure", 2.8, false),
        (Kind::ScrewCompressor, "filter/dp", 800.0, true),
        (Kind::ScrewCompressor, "motor/vibration", 7.1, true),
        (Kind::FillingLine, "fill/volume", 510.0, true),
        (Kind::FillingLine, "product/pressure", 1.4, false),
        (Kind::FillingLine, "pump/vibration", 7.1, true),
        (Kind::FillingLine, "conveyor/torque", 110.0, true),
    ];
    for (number, place) in MACHINES.iter().enumerate() {
        let crossed = |severity: Severity| {
            let columns = rushed(number, severity, HOUR_US, 5 * SECOND_US);
            let names: Vec<&str> = place.kind.signals().collect();
            let mine = limits.iter().filter(|(kind, ..)| *kind == place.kind);
            let passes = |(_, signal, limit, above): &&(Kind, &str, f64, bool)| {
                let idx =
                    names.iter().position(|name| name == signal).expect("a signal of the machine");
                // The last ten minutes, by their median: limits have delays.
                let mut last = columns[idx][columns[idx].len() * 5 / 6..].to_vec();
                let value = quantile(&mut last, 0.5);
                if *above { value > *limit } else { value < *limit }
            };
            mine.filter(passes).map(|(_, signal, ..)| *signal).collect::<Vec<&str>>()
        };
        assert_eq!(crossed(Severity::NONE), Vec::<&str>::new(), "{}", place.machine);
        for fault in faults_of(place.kind) {
            assert!(
                !crossed(Severity::only(fault, 1.0)).is_empty(),
                "{} {}",
                place.machine,
                fault.name()
            );
        }
    }
}

#[test]
fn power_is_pressure_times_flow_and_losses_become_heat() {
    let columns = rushed(0, Severity::NONE, 2 * HOUR_US, SECOND_US);
    let [bar, l_min, oil_c, _, current, power] = [0, 1, 2, 3, 4, 5].map(|idx| mean(&columns[idx]));
    let hydraulic_kw = bar * l_min / 600.0;
    assert!(
        (0.75..0.95).contains(&(hydraulic_kw / power)),
        "{hydraulic_kw} of {power} kW reach the oil"
    );
    // Three phases of 400 V: between cos φ 0.7 and 1.
    let apparent_kva = 3f64.sqrt() * 0.4 * current;
    assert!((0.7..1.0).contains(&(power / apparent_kva)), "{power} kW, {apparent_kva} kVA");
    assert!((30.0..58.0).contains(&oil_c), "{oil_c} °C");
}

#[test]
fn temperatures_have_thermal_mass() {
    let wear = Severity::only(Fault::BearingWear, 1.0);
    let [well, ill] =
        [Severity::NONE, wear].map(|severity| rushed(2, severity, 90 * MINUTE_US, SECOND_US));
    let temperature = 3;
    let rise = |minute: usize| {
        let span = minute * 60 - 30..minute * 60 + 30;
        mean(&ill[temperature][span.clone()]) - mean(&well[temperature][span])
    };
    let [early, middle, late] = [1, 15, 85].map(rise);
    assert!(
        early < 0.12 * late && (0.5..0.75).contains(&(middle / late)),
        "{early} {middle} {late}"
    );
    // Vibration has none.
    let vibration = 5;
    assert!(mean(&ill[vibration][..60]) > 10.0 * mean(&well[vibration][..60]));
}

#[test]
fn a_month_has_day_and_night_shifts_and_products() {
    let columns = generate(5, 2, days(30), MINUTE_US, &[]);
    let coolant = settled(&columns, "coolant/temperature", HOUR_US / 2);
    assert!(coolant.iter().all(|celsius| (15.0..30.0).contains(celsius)) || coolant.len() > 1000);
    let mut speeds: Vec<i64> = settled(&columns, "spindle/speed", 5 * MINUTE_US)
        .iter()
        .map(|speed| (speed / 400.0).round() as i64)
        .collect();
    speeds.sort_unstable();
    speeds.dedup();
    assert!(speeds.len() >= 3, "three products, three speeds: {speeds:?}");
    for state in 0..4 {
        assert!(columns.state.contains(&state), "state {state} is met");
    }
    let missing = columns.values.iter().flatten().filter(|value| value.is_nan()).count() as f64;
    let all = (columns.values.len() * columns.time_us.len()) as f64;
    assert!((2e-5..1e-3).contains(&(missing / all)), "{missing} of {all}");
}

#[test]
fn a_developing_fault_is_small_at_first_and_stays_at_full_size() {
    let plan = FaultPlan {
        machine: 4,
        fault: Fault::BearingWear,
        starts_after_s: 3600.0,
        full_after_s: 3600.0,
    };
    let range = TimeRange { start_us: T0 + 12 * HOUR_US, end_us: T0 + 17 * HOUR_US };
    let columns = generate(7, 4, range, SECOND_US, &[plan]);
    let bpfo = columns.column("spindle/vibration_bpfo").expect("a signal");
    let running = |hours: std::ops::Range<f64>| {
        let rows = (hours.start * 3600.0) as usize..(hours.end * 3600.0) as usize;
        let values: Vec<f64> = rows
            .filter(|row| {
                columns.state[row.saturating_sub(30)..=*row].iter().all(|state| *state == RUNNING)
            })
            .map(|row| bpfo[row])
            .filter(|value| value.is_finite())
            .collect();
        mean(&values)
    };
    let [before, early, half, full, after] =
        [0.2..1.0, 1.05..1.15, 1.45..1.55, 2.0..2.5, 4.0..4.9].map(running);
    assert!(early > before + 0.2 && early < 0.25 * full, "{before} {early} {full}");
    assert!(
        (0.4..0.6).contains(&(half / full)) && (0.85..1.15).contains(&(after / full)),
        "{half} {full} {after}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_same_seed_gives_the_same_plant_and_another_seed_another(seed in any::<u64>(), number in 0usize..8) {
        let range = TimeRange { start_us: T0, end_us: T0 + 6 * HOUR_US };
        let text = |seed| format!("{:?}", generate(seed, number, range, MINUTE_US, &[]));
        prop_assert_eq!(text(seed), text(seed));
        prop_assert_ne!(text(seed), text(seed.wrapping_add(1)));
    }

    #[test]
    fn any_step_any_fault_and_any_time_give_finite_values_and_growing_counters(
        seed in any::<u64>(),
        number in 0usize..8,
        fault in prop::sample::select(Fault::ALL.to_vec()),
        progress in 0.0..=1.0f64,
        steps_ms in prop::collection::vec(prop_oneof![Just(0i64), 1i64..2000, 60_000i64..60_001, 1i64..50_000_000], 1..200),
        start_us in -DAY_US..40_000 * DAY_US,
    ) {
        let mut machine = Machine::new(seed, number, start_us, None);
        let severity = Severity::only(fault, progress);
        let mut counters = machine.counters();
        let mut time_us = start_us;
        for step_ms in steps_ms {
            time_us += step_ms * 1000;
            machine.step(time_us, &severity);
            prop_assert_eq!(machine.time_us(), time_us);
            for (name, value) in machine.kind().signals().zip(machine.values()) {
                prop_assert!(!value.is_infinite() && (value.is_nan() || value.abs() < 50_000.0), "{} {}", name, value);
            }
            if let (Some(before), Some(now)) = (counters, machine.counters()) {
                prop_assert!(now.0 >= before.0 && now.1 >= before.1, "{before:?} {now:?}");
            }
            counters = machine.counters();
        }
    }
}
