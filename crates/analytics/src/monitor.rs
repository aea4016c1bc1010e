//! Multivariate process monitoring: PCA, dynamic PCA and canonical variate analysis with T² and SPE.
//!
//! ```text
//! rows ──standardize──► window of the last w rows ──► T² = |A p|²   what the model explains
//!                                                └──► SPE = |B p|²  what it does not
//! ```
//!
//! All three methods are two linear maps of a window `p` of standardized rows, newest first; they differ in
//! how `A` and `B` are found. A [`Monitor`] is a fitted pair; a [`Track`] carries the window and the smoothing
//! from row to row, so that batch and stream give the same figures. Limits come from normal rows alone:
//! [`blocked_limits`]. [`contributions`](Monitor::contributions) say which columns speak. A [`Watch`] is all of these as
//! one [`Detector`](crate::Detector).
//!
//! Sources: Jackson & Mudholkar (1979) for SPE; Ku, Storer & Georgakis (1995), "Disturbance detection and
//! isolation by dynamic principal component analysis"; Larimore (1990) and Russell, Chiang & Braatz (2000),
//! "Fault detection in industrial processes using canonical variate analysis and dynamic principal component
//! analysis", eq. 15–21, for CVA; Alcala & Qin (2009), eq. 14, for contributions. Departures: covariances may
//! be shrunk toward the identity (Ledoit & Wolf (2004)), and both statistics may be smoothed (EWMA, Lowry et
//! al. (1992) apply it to the values, we to the statistics, so that changes of variance count too).

mod choose;
pub mod faults;
mod fit;
mod limits;
mod residual;
mod watch;

use serde::{Deserialize, Serialize};

use crate::Frame;
use crate::stats::dot;

pub use choose::{Choice, choose};
pub use limits::{Limits, blocked_limits, blocked_points, quantile_limits};
pub use residual::Relation;
pub use watch::Watch;

/// How a model is found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Method {
    /// Principal components of a window of `lags` + 1 rows; 0 lags is plain PCA.
    Pca {
        /// How many earlier rows belong to the window.
        lags: usize,
        /// How many components span the model.
        components: usize,
    },
    /// Canonical variates between the past (the window) and the rows after it.
    Cva {
        /// How many rows belong to the past, the present one included.
        past: usize,
        /// How many rows after it belong to the future; used for fitting only.
        future: usize,
        /// How many canonical variates span the model.
        states: usize,
        /// How many leading columns the future consists of; the columns after them (manipulated variables)
        /// help to explain it only. None: all.
        outputs: Option<usize>,
        /// What the second statistic measures.
        rest: Rest,
    },
}

/// The second statistic of CVA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rest {
    /// T² of the variates beyond `states` (Russell et al. (2000), eq. 20).
    Variates,
    /// Squared length of p − JᵀJ p (Russell et al. (2000), eq. 21).
    Residual,
}

/// How a monitor is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// How the model is found.
    pub method: Method,
    /// Share of the identity mixed into the covariances of the standardized window, 0 to 1.
    #[serde(with = "crate::saved")]
    pub shrinkage: f64,
    /// Weight of the newest row in the smoothed statistics; 1 means no smoothing.
    #[serde(with = "crate::saved")]
    pub smoothing: f64,
}

/// Why no model could be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Too few rows for the window, or more components than dimensions.
    #[error(
        "cannot fit a window of {dimensions} values with {rows} rows and {components} components"
    )]
    TooSmall {
        /// Length of the window vector.
        dimensions: usize,
        /// Windows that the rows give.
        rows: usize,
        /// Components or states asked for.
        components: usize,
    },
    /// Every column is constant or missing.
    #[error("cannot fit columns that never change")]
    NothingMoves,
    /// The decomposition did not converge.
    #[error("cannot decompose the covariance of the rows")]
    NoConvergence,
}

/// A fitted model. Immutable; a [`Track`] goes with every stream that it judges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    options: Options,
    n_columns: usize,
    window: usize,
    #[serde(with = "crate::saved")]
    center: Vec<f64>,
    /// 1/standard deviation; 0 for a column that is not used.
    #[serde(with = "crate::saved")]
    weight: Vec<f64>,
    /// Rows of A, then of B, each `window · n_columns` long.
    #[serde(with = "crate::saved")]
    maps: Vec<f64>,
    n_a: usize,
    /// Diagonals of AᵀA and BᵀB, for the contributions.
    #[serde(with = "crate::saved")]
    diagonals: [Vec<f64>; 2],
}

/// The window and the smoothed statistics of one stream of rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// Standardized values, newest row first.
    #[serde(with = "crate::saved")]
    window: Vec<f64>,
    n_seen: usize,
    smooth: Option<Point>,
}

/// Both statistics of one row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Hotelling's T² in the model.
    #[serde(with = "crate::saved")]
    pub t2: f64,
    /// Squared prediction error, or its stand-in, outside of it.
    #[serde(with = "crate::saved")]
    pub spe: f64,
}

/// Which of the two statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Statistic {
    /// Inside the model.
    T2,
    /// Outside of it.
    Spe,
}

impl Monitor {
    /// Fits a model to rows taken to be normal; missing values count as the mean of their column.
    ///
    /// Cost: O(n·D² + D³) for a window of D values.
    ///
    /// Two columns that always agree, and then do not:
    /// ```
    /// use analytics::{Frame, monitor::{Method, Monitor, Options, Track}};
    /// let normal: Vec<f64> = [-1.0, 1.0].iter().cycle().take(40).flat_map(|x| [*x, *x]).collect();
    /// let options = Options { method: Method::Pca { lags: 0, components: 1 }, shrinkage: 0.0, smoothing: 1.0 };
    /// let monitor = Monitor::fit(&Frame::from_rows(2, &normal), options).unwrap();
    /// let mut track = Track::default();
    /// let agree = monitor.push(&mut track, &[2.0, 2.0]).unwrap();
    /// assert!(agree.spe < 1e-12 && agree.t2 > 3.8); // (2σ)², with σ² = 40/39
    /// let apart = monitor.push(&mut track, &[2.0, -2.0]).unwrap();
    /// assert!(apart.t2 < 1e-12 && apart.spe > 7.7); // 2² + 2², over σ²
    /// ```
    ///
    /// # Errors
    /// When there are too few rows, nothing moves, or the numbers do not converge.
    pub fn fit(frame: &Frame, options: Options) -> Result<Monitor, FitError> {
        fit::fit(frame, options)
    }

    /// Takes the next row of a stream; none until the window is full.
    ///
    /// NaN counts as the mean of its column. Cost: O(D²), no allocation once the window is full.
    ///
    /// # Panics
    /// When `row` has another number of values than the rows it was fitted to.
    pub fn push(&self, track: &mut Track, row: &[f64]) -> Option<Point> {
        assert_eq!(row.len(), self.n_columns);
        let dimensions = self.window * self.n_columns;
        track.window.resize(dimensions, 0.0);
        track.window.copy_within(..dimensions - self.n_columns, self.n_columns);
        for (z, ((value, center), weight)) in
            track.window.iter_mut().zip(row.iter().zip(&self.center).zip(&self.weight))
        {
            let deviation = (value - center) * weight;
            *z = if deviation.is_nan() { 0.0 } else { deviation.clamp(-1e6, 1e6) };
        }
        track.n_seen = (track.n_seen + 1).min(self.window);
        if track.n_seen < self.window {
            return None;
        }
        let now = self.point(&track.window);
        let weight = self.options.smoothing;
        let smooth = track.smooth.map_or(now, |before| Point {
            t2: before.t2 + weight * (now.t2 - before.t2),
            spe: before.spe + weight * (now.spe - before.spe),
        });
        track.smooth = Some(smooth);
        Some(smooth)
    }

    /// Both statistics of every row, NaN while the window fills.
    pub fn points(&self, frame: &Frame) -> Vec<Point> {
        let mut track = Track::default();
        let mut row = Vec::new();
        (0..frame.n_rows())
            .map(|row_idx| {
                frame.copy_row(row_idx, &mut row);
                self.push(&mut track, &row).unwrap_or(Point { t2: f64::NAN, spe: f64::NAN })
            })
            .collect()
    }

    /// How much each column has to do with a statistic of the window in `track`: one non-negative value per
    /// column, sum 1; all 0 while the window fills.
    ///
    /// For a row that somebody asks about: it allocates its answer. Cost: O(D²).
    ///
    /// Reconstruction-based: by how much the statistic would fall if the column were free, summed over its lags (Alcala & Qin
    /// (2009), eq. 14).
    ///
    /// ```
    /// use analytics::{Frame, monitor::{Method, Monitor, Options, Statistic, Track}};
    /// // Two columns that have nothing to do with each other; the second one is off.
    /// let normal: Vec<f64> = (0..40).flat_map(|n| [f64::from(n % 2), f64::from(n / 2 % 2)]).collect();
    /// let options = Options { method: Method::Pca { lags: 0, components: 2 }, shrinkage: 0.0, smoothing: 1.0 };
    /// let monitor = Monitor::fit(&Frame::from_rows(2, &normal), options).unwrap();
    /// let mut track = Track::default();
    /// monitor.push(&mut track, &[0.5, 4.0]);
    /// let shares = monitor.contributions(&track, Statistic::T2);
    /// assert!(shares[0] < 1e-9 && shares[1] > 1.0 - 1e-9);
    /// ```
    pub fn contributions(&self, track: &Track, statistic: Statistic) -> Vec<f64> {
        let mut shares = vec![0.0; self.n_columns];
        if track.n_seen < self.window {
            return shares;
        }
        let (rows, diagonal) = self.map(statistic);
        let dimensions = track.window.len();
        let mut gradient = vec![0.0; dimensions];
        for row in rows.chunks_exact(dimensions) {
            let along = dot(row, &track.window);
            gradient.iter_mut().zip(row).for_each(|(sum, weight)| *sum += along * weight);
        }
        for (idx, (slope, diagonal)) in gradient.iter().zip(diagonal).enumerate() {
            if *diagonal > 1e-12 {
                shares[idx % self.n_columns] += slope * slope / diagonal;
            }
        }
        let sum: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= sum.max(f64::MIN_POSITIVE));
        shares
    }

    /// How it was fitted.
    pub fn options(&self) -> Options {
        self.options
    }

    fn map(&self, statistic: Statistic) -> (&[f64], &[f64]) {
        let (a, b) = self.maps.split_at(self.n_a);
        match statistic {
            Statistic::T2 => (a, &self.diagonals[0]),
            Statistic::Spe => (b, &self.diagonals[1]),
        }
    }

    fn point(&self, window: &[f64]) -> Point {
        let (a, b) = self.maps.split_at(self.n_a);
        Point { t2: squared_length(a, window), spe: squared_length(b, window) }
    }
}

fn squared_length(map: &[f64], window: &[f64]) -> f64 {
    map.chunks_exact(window.len()).map(|row| dot(row, window).powi(2)).sum()
}

#[cfg(test)]
mod tests;
