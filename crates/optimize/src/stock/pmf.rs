//! Probabilities of whole pieces.

use statrs::distribution::{Discrete, NegativeBinomial, Poisson};

use super::{Error, not_negative};

/// Longest distribution kept, in pieces.
const MAX_PIECES: usize = 200_000;
/// Probability beyond which a tail is cut.
const TAIL: f64 = 1e-12;

/// Probability of 0, 1, 2, … pieces; sums to 1. What is beyond 200,000 pieces counts as the most that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Pmf(Vec<f64>);

impl Pmf {
    /// Certainly `n` pieces.
    pub fn point(n: usize) -> Self {
        let mut p = vec![0.0; n.min(MAX_PIECES) + 1];
        *p.last_mut().expect("at least one entry") = 1.0;
        Self(p)
    }

    /// Weights of 0, 1, 2, … pieces, divided by their sum.
    ///
    /// # Errors
    /// If a weight is negative or not finite, or all are 0.
    pub fn from_weights(weights: &[f64]) -> Result<Self, Error> {
        for weight in weights {
            not_negative("weight", *weight)?;
        }
        let sum = super::positive("sum of weights", weights.iter().sum())?;
        Ok(Self(weights.iter().map(|weight| weight / sum).collect()))
    }

    /// One piece with this probability, else none.
    ///
    /// # Errors
    /// If the probability is not between 0 and 1.
    pub fn one_with(probability: f64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&probability) {
            return Err(Error::Number {
                what: "probability",
                value: probability,
                must_be: "between 0 and 1",
            });
        }
        Ok(Self(vec![1.0 - probability, probability]))
    }

    /// Poisson with this mean.
    ///
    /// # Errors
    /// If the mean is negative, not finite or above 100,000.
    pub fn poisson(mean: f64) -> Result<Self, Error> {
        let mean = moderate(mean)?;
        let poisson = Poisson::new(mean);
        Ok(poisson.map_or_else(|_| Self::point(0), |p| Self::filled(mean, |n| p.pmf(n))))
    }

    /// Negative binomial with this mean and variance; Poisson where the variance is not above the mean.
    ///
    /// # Errors
    /// If a number is negative, not finite, the mean is above 100,000, or the variance a billion times the mean squared.
    pub fn negative_binomial(mean: f64, variance: f64) -> Result<Self, Error> {
        let mean = moderate(mean)?;
        not_negative("variance", variance)?;
        if variance <= mean * (1.0 + 1e-9) || mean == 0.0 {
            return Self::poisson(mean);
        }
        let (r, p) = (mean * mean / (variance - mean), mean / variance);
        if r < 1e-9 {
            let must_be = "less than a billion times the mean squared";
            return Err(Error::Number { what: "variance", value: variance, must_be });
        }
        let Ok(binomial) = NegativeBinomial::new(r, p) else {
            return Self::poisson(mean);
        };
        Ok(Self::filled(mean, |n| binomial.pmf(n)))
    }

    fn filled(mean: f64, p: impl Fn(u64) -> f64) -> Self {
        let (mut values, mut sum) = (Vec::new(), 0.0);
        while (sum < 1.0 - TAIL || (values.len() as f64) < mean) && values.len() < MAX_PIECES {
            let value = p(values.len() as u64);
            sum += value;
            values.push(value);
        }
        values.iter_mut().for_each(|value| *value /= sum);
        Self(values)
    }

    /// Probabilities of 0, 1, 2, … pieces.
    pub fn probabilities(&self) -> &[f64] {
        &self.0
    }

    /// Distribution of the sum of two independent numbers of pieces.
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = vec![0.0; (self.0.len() + other.0.len() - 1).min(MAX_PIECES + 1)];
        for (a, p) in self.0.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            for (into, q) in sum[a..].iter_mut().zip(&other.0) {
                *into += p * q;
            }
            let beyond: f64 = other.0.iter().skip(sum.len() - a).sum();
            *sum.last_mut().expect("two distributions have a sum") += p * beyond;
        }
        let mut tail = 0.0;
        while sum.len() > 1 && tail + sum[sum.len() - 1] < TAIL {
            tail += sum.pop().expect("more than one");
        }
        let total: f64 = sum.iter().sum();
        sum.iter_mut().for_each(|p| *p /= total);
        Self(sum)
    }

    /// Distribution of the sum over `n` independent periods. Cost: O(n² pieces²).
    pub fn over(&self, n: usize) -> Self {
        // Nothing stays nothing, however often it is asked for.
        let n = if self.0.len() == 1 { n.min(1) } else { n };
        (0..n).fold(Self::point(0), |sum, _| sum.plus(self))
    }

    /// Smallest number of pieces that is enough with probability `share`; the most possible above 1 and for NaN.
    pub fn quantile(&self, share: f64) -> usize {
        let mut sum = 0.0;
        let reaches = |p: &f64| {
            sum += p;
            sum >= share - 1e-9
        };
        self.0.iter().position(reaches).unwrap_or(self.0.len() - 1)
    }

    /// Mean in pieces.
    pub fn mean(&self) -> f64 {
        self.0.iter().enumerate().map(|(n, p)| n as f64 * p).sum()
    }

    /// Expected value of `f` over the number of pieces.
    pub fn expect(&self, f: impl Fn(usize) -> f64) -> f64 {
        self.0.iter().enumerate().map(|(n, p)| p * f(n)).sum()
    }
}

fn moderate(mean: f64) -> Result<f64, Error> {
    not_negative("mean", mean)?;
    if mean > 1e5 {
        return Err(Error::Number { what: "mean", value: mean, must_be: "at most 100,000 pieces" });
    }
    Ok(mean)
}
