//! Seeded noise for benchmarks without a data set.

use crate::random::Random;

/// Evenly drawn numbers and those made of them; normal ones by Box–Muller.
pub(crate) struct Noise(Random);

impl Noise {
    pub(crate) fn new(seed: u64) -> Noise {
        Noise(Random::new(seed))
    }

    /// From 0 up to, not including, 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0.unit()
    }

    /// From `low` up to, not including, `high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// From 0 to `n` − 1; 0 where `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.below(n)
    }

    /// Mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }

    /// Mean 0, variance 1.
    pub(crate) fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform().max(1e-300), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

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
    pub(crate) fn next(self, before: f64, noise: &mut Noise) -> f64 {
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
