//! A monitor with its limits as a detector.

use serde::{Deserialize, Serialize};

use super::{Limits, Monitor, Statistic, Track};
use crate::Detector;

/// A fitted model, when its statistics are too high, and one stream of rows. Saved and read again it goes on as if never
/// stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    monitor: Monitor,
    limits: Limits,
    track: Track,
    /// Whose limit was passed furthest by the last row; none while the window fills.
    loudest: Option<Statistic>,
}

impl Watch {
    /// Watches a stream that begins with the next row; limits from [`blocked_limits`](super::blocked_limits), say.
    pub fn new(monitor: Monitor, limits: Limits) -> Watch {
        Watch { monitor, limits, track: Track::default(), loudest: None }
    }
}

impl Detector for Watch {
    /// The larger of T² and SPE, each over its limit: above 1 the row is unusual. NaN while the window fills. Cost: O(D²), no
    /// allocation once it is full.
    ///
    /// ```
    /// use analytics::monitor::{Limits, Method, Monitor, Options, Watch};
    /// use analytics::{Detector, Frame};
    /// // Two columns that always agree. Ten agree, but too high; then one of them differs.
    /// let normal: Vec<f64> = [-1.0, 1.0].iter().cycle().take(40).flat_map(|x| [*x, *x]).collect();
    /// let options = Options { method: Method::Pca { lags: 0, components: 1 }, shrinkage: 0.0, smoothing: 1.0 };
    /// let monitor = Monitor::fit(&Frame::from_rows(2, &normal), options).unwrap();
    /// let mut watch = Watch::new(monitor, Limits { t2: 10.0, spe: 0.5 });
    /// assert!((watch.push(&[10.0, 10.0]) - 9.75).abs() < 1e-9); // (10 / σ)² over 10, with σ² = 40/39
    /// assert!((watch.push(&[1.0, 0.0]) - 0.975).abs() < 1e-9); // 2 · 0.5² / σ² over 0.5
    /// ```
    fn push(&mut self, row: &[f64]) -> f64 {
        let Some(point) = self.monitor.push(&mut self.track, row) else { return f64::NAN };
        let (t2, spe) = (point.t2 / self.limits.t2, point.spe / self.limits.spe);
        self.loudest = Some(if t2 > spe { Statistic::T2 } else { Statistic::Spe });
        t2.max(spe)
    }

    /// The contributions to the statistic that is furthest over its limit.
    fn blame(&self) -> Vec<f64> {
        self.loudest
            .map_or(Vec::new(), |statistic| self.monitor.contributions(&self.track, statistic))
    }
}
