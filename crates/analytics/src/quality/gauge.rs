//! How much of what is measured is the gauge.

use statrs::distribution::{ContinuousCDF, FisherSnedecor};

use super::Error;

/// Interaction whose p-value is above this is counted as repeatability.
const POOLING: f64 = 0.25;

/// One source of spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    /// Its variance, not below 0.
    pub variance: f64,
    /// Its standard deviation as a share of the total one, 0 to 1; such shares do not sum to 1.
    pub study_share: f64,
    /// Its variance as a share of the total one, 0 to 1.
    pub variance_share: f64,
}

/// A crossed gauge study: where the spread of repeated measurements comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaugeStudy {
    /// The same operator, the same part, again: equipment variation.
    pub repeatability: Source,
    /// Different operators: appraiser variation, with the interaction if it counts.
    pub reproducibility: Source,
    /// Both together. Below 0.1 of the study the gauge is good, above 0.3 it is not (AIAG MSA, 4th ed., p. 78).
    pub gauge: Source,
    /// The parts themselves.
    pub parts: Source,
    /// Parts and operators that go together; 0 where it was pooled.
    pub interaction_variance: f64,
    /// p-value of the interaction; NaN where there is nothing to test it with.
    pub interaction_p: f64,
    /// Classes of parts that the gauge tells apart, 1.41 parts / gauge; 5 or more are wanted.
    pub n_distinct: f64,
}

/// Splits the spread of a crossed study by analysis of variance.
///
/// `values`: parts × operators × repetitions, `values[part][operator][repetition]`, all there.
/// Source: AIAG, "Measurement Systems Analysis", 4th ed., appendix A; interaction pooled if p > 0.25.
///
/// # Errors
/// If there are fewer than two parts, operators or repetitions, the study has holes, or no value differs.
///
/// ```
/// use analytics::quality::gauge_study;
/// // Operators agree; repetitions are 1 apart (variance 0.5), the parts 10 (variance 50 − 0.25/2).
/// let study = gauge_study(&[
///     vec![vec![0.0, 1.0], vec![0.0, 1.0]],
///     vec![vec![10.0, 11.0], vec![10.0, 11.0]],
/// ])?;
/// assert_eq!(study.reproducibility.variance, 0.0);
/// assert!(study.gauge.study_share < 0.1 && study.n_distinct > 5.0);
/// # Ok::<(), analytics::quality::Error>(())
/// ```
pub fn gauge_study(values: &[Vec<Vec<f64>>]) -> Result<GaugeStudy, Error> {
    let table = Anova::new(values)?;
    let [p, o, r] = table.n.map(|n| n as f64);
    let interaction_p = table.interaction_p();
    let is_pooled = interaction_p.is_nan() || interaction_p > POOLING;
    let pooled = (table.interaction.sum + table.error.sum)
        / (table.interaction.freedom + table.error.freedom);
    let error = if is_pooled { pooled } else { table.error.mean() };
    let against = if is_pooled { error } else { table.interaction.mean() };
    let interaction = if is_pooled { 0.0 } else { ((against - error) / r).max(0.0) };
    let operators = ((table.operators.mean() - against) / (p * r)).max(0.0);
    let parts = ((table.parts.mean() - against) / (o * r)).max(0.0);
    let reproducibility = operators + interaction;
    let gauge = error + reproducibility;
    let total = gauge + parts;
    if total.is_nan() || total <= 0.0 {
        return Err(Error::Constant("the measured quantity"));
    }
    let source = |variance: f64| Source {
        variance,
        study_share: (variance / total).sqrt(),
        variance_share: variance / total,
    };
    Ok(GaugeStudy {
        repeatability: source(error),
        reproducibility: source(reproducibility),
        gauge: source(gauge),
        parts: source(parts),
        interaction_variance: interaction,
        interaction_p,
        n_distinct: (2.0 * parts / gauge).sqrt(),
    })
}

/// A sum of squares with its degrees of freedom.
#[derive(Clone, Copy, Debug)]
struct Squares {
    sum: f64,
    freedom: f64,
}

impl Squares {
    fn mean(self) -> f64 {
        self.sum / self.freedom
    }
}

struct Anova {
    /// Parts, operators, repetitions.
    n: [usize; 3],
    parts: Squares,
    operators: Squares,
    interaction: Squares,
    error: Squares,
}

impl Anova {
    fn new(values: &[Vec<Vec<f64>>]) -> Result<Anova, Error> {
        let n_operators = values.first().map_or(0, Vec::len);
        let n_repetitions = values.first().and_then(|part| part.first()).map_or(0, Vec::len);
        let n = [values.len(), n_operators, n_repetitions];
        for (what, found) in ["parts", "operators", "repetitions"].into_iter().zip(n) {
            if found < 2 {
                return Err(Error::TooFew { what, found, needed: 2 });
            }
        }
        let cells = || values.iter().flatten();
        let is_full = values.iter().all(|part| part.len() == n_operators)
            && cells().all(|cell| cell.len() == n_repetitions)
            && cells().flatten().all(|x| x.is_finite());
        if !is_full {
            return Err(Error::BadInput(
                "the study has holes: every operator measures every part equally often",
            ));
        }
        let [p, o, r] = n.map(|n| n as f64);
        let mean = cells().flatten().sum::<f64>() / (p * o * r);
        let cell_mean =
            |part: usize, operator: usize| values[part][operator].iter().sum::<f64>() / r;
        let part_mean = |part: usize| (0..n[1]).map(|j| cell_mean(part, j)).sum::<f64>() / o;
        let operator_mean =
            |operator: usize| (0..n[0]).map(|i| cell_mean(i, operator)).sum::<f64>() / p;
        let parts: f64 = (0..n[0]).map(|i| (part_mean(i) - mean).powi(2)).sum();
        let operators: f64 = (0..n[1]).map(|j| (operator_mean(j) - mean).powi(2)).sum();
        let (mut between, mut error) = (0.0, 0.0);
        for (i, j) in (0..n[0]).flat_map(|i| (0..n[1]).map(move |j| (i, j))) {
            let cell = cell_mean(i, j);
            between += (cell - part_mean(i) - operator_mean(j) + mean).powi(2);
            error += values[i][j].iter().map(|x| (x - cell).powi(2)).sum::<f64>();
        }
        Ok(Anova {
            n,
            parts: Squares { sum: parts * o * r, freedom: p - 1.0 },
            operators: Squares { sum: operators * p * r, freedom: o - 1.0 },
            interaction: Squares { sum: between * r, freedom: (p - 1.0) * (o - 1.0) },
            error: Squares { sum: error, freedom: p * o * (r - 1.0) },
        })
    }

    fn interaction_p(&self) -> f64 {
        let ratio = self.interaction.mean() / self.error.mean();
        if ratio.is_nan() {
            return f64::NAN;
        }
        FisherSnedecor::new(self.interaction.freedom, self.error.freedom)
            .map_or(f64::NAN, |f| f.sf(ratio))
    }
}
