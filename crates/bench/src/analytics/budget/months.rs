//! Simulated machines, a row per minute for months, so that "one false alarm in 30 days" can be counted.

use analytics::Frame;

use super::super::noise::Shape;
use crate::random::Random;

pub(super) const ROWS_PER_MONTH: usize = 43_200;
/// Rows of the first week, which are learned from.
pub(super) const LEARN_ROWS: usize = 10_080;
pub(super) const MONTHS: usize = 3;
pub(super) const MACHINES: u64 = 8;
const SENSORS: usize = 4;

pub(super) const SHAPES: [(&str, Shape); 3] = [
    ("simulated months, white noise", Shape::White),
    ("simulated months, AR(1) 0.9", Shape::Alike),
    ("simulated months, heavy tails (t, 3)", Shape::Heavy(3.0)),
];

/// A week and [`MONTHS`] months of a machine whose sensors share a slow load and have noise of their own.
pub(super) fn machine(shape: Shape, seed: u64) -> Frame {
    let mut noise = Random::new(seed);
    let (mut load, mut own) = (0.0, [0.0; SENSORS]);
    let mut values = Vec::with_capacity((LEARN_ROWS + MONTHS * ROWS_PER_MONTH) * SENSORS);
    for _ in 0..LEARN_ROWS + MONTHS * ROWS_PER_MONTH {
        load = 0.99 * load + 0.1 * noise.normal();
        for (sensor, x) in own.iter_mut().enumerate() {
            *x = shape.next(*x, &mut noise);
            values.push((sensor + 1) as f64 * load + *x);
        }
    }
    Frame::from_rows(SENSORS, &values)
}
