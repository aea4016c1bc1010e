//! Noise of simulated sensors.

use crate::random::Random;

/// How the noise of a simulated sensor goes on.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    White,
    /// Each value keeps 0.9 of the one before.
    Alike,
    /// Student's t with 3 degrees of freedom, scaled to this variance; unscaled it is 3.
    Heavy(f64),
}

impl Shape {
    /// The value after `before`.
    pub(crate) fn next(self, before: f64, noise: &mut Random) -> f64 {
        match self {
            Shape::White => noise.normal(),
            Shape::Alike => 0.9 * before + (1.0f64 - 0.81).sqrt() * noise.normal(),
            Shape::Heavy(variance) => {
                let square: f64 = (0..3).map(|_| noise.normal().powi(2)).sum();
                noise.normal() / (square / variance).sqrt()
            }
        }
    }
}
