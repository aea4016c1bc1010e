//! Where cases wait longest, and what it would bring to wait less.

use super::log::Log;
use super::map;
use crate::statistics::half_width_of_mean;
use crate::{Basis, Gain, Recommendation};

/// Microseconds in an hour.
const HOUR_US: f64 = 3.6e9;

/// Proposes to wait `share_percent` less where cases wait longest in total.
///
/// The gain is in hours of all cases together; its 90 % interval is Student's t over the cases of the log. The bound
/// is what is left if nobody waited there. `None` if nobody waits, the log has a single case, or the share is not
/// above 0 and at most 100.
///
/// ```
/// use optimize::{Basis, process::{Log, Row, recommend}};
/// const HOUR_US: i64 = 3_600_000_000;
/// let row = |case, activity, start_h, end_h| Row { case, activity, start_us: start_h * HOUR_US, end_us: end_h * HOUR_US };
/// // Each order waits 2 h for the mill.
/// let log = Log::new([row("1", "saw", 0, 1), row("1", "mill", 3, 4), row("2", "saw", 1, 2), row("2", "mill", 4, 5)])?;
/// let basis = Basis { window_us: None, currency: "EUR", valid_until_us: 0 };
/// let advice = recommend(&log, 50.0, &basis).expect("they wait");
/// assert_eq!(advice.summary, "2 cases wait 4.0 h between saw and mill: 50 % less would save 2.0 h");
/// assert_eq!((advice.gain.low, advice.gain.high), (2.0, 2.0)); // both the same
/// assert_eq!(advice.evidence.window_us, Some((0, 5 * HOUR_US)));
/// # Ok::<(), optimize::process::Error>(())
/// ```
pub fn recommend(log: &Log, share_percent: f64, basis: &Basis) -> Option<Recommendation> {
    let map = map(log);
    let worst = *map.longest_waits().first().filter(|edge| edge.total_wait_us > 0)?;
    if !(share_percent > 0.0 && share_percent <= 100.0) {
        return None;
    }
    let share = share_percent / 100.0;
    let waits_h = waits_h(log, worst.from, worst.to);
    let total_h: f64 = waits_h.iter().sum();
    let half_h = (map.n_cases as f64 * half_width_of_mean(&waits_h)?).min(total_h);
    let all_h: f64 = map.edges.iter().map(|edge| edge.total_wait_us as f64 / HOUR_US).sum();
    let [low, gain, high] = [total_h - half_h, total_h, total_h + half_h].map(|h| share * h);
    let (from, to) = (&map.activities[worst.from].name, &map.activities[worst.to].name);
    let n_waiting = waits_h.iter().filter(|wait_h| **wait_h > 0.0).count();
    let summary = format!(
        "{n_waiting} cases wait {total_h:.1} h between {from} and {to}: {share_percent:.0} % less would save {gain:.1} h"
    );
    let median_h = worst.median_wait_us as f64 / HOUR_US;
    Some(
        Recommendation::new(summary, Gain::likely(gain, low, high, "h"), basis.valid_until_us)
            .step(
                format!("waiting between {from} and {to}, hours of all cases"),
                Some(format!("{total_h:.1}")),
                format!("{:.1}", total_h - gain),
            )
            .constraint("waiting that is left there, in hours", total_h - gain)
            .window(log.window_us())
            .input("cases", map.n_cases)
            .input("times that it happened", worst.n)
            .input("median wait, h", format!("{median_h:.2}"))
            .bounds(all_h - gain, Some(all_h - total_h)),
    )
}

/// Hours that each case waited between two activities.
fn waits_h(log: &Log, from: usize, to: usize) -> Vec<f64> {
    let of_case = |case: &[super::Event]| {
        let steps = case.windows(2);
        let steps = steps
            .filter(|pair| (pair[0].activity as usize, pair[1].activity as usize) == (from, to));
        steps.map(|pair| (pair[1].start_us - pair[0].end_us).max(0) as f64 / HOUR_US).sum()
    };
    log.cases().map(of_case).collect()
}
