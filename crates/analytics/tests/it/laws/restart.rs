//! Saved to text and read again, everything that has a memory goes on as if it had never stopped.

use std::fmt::Debug;

use analytics::Frame;
use analytics::alarm::{Chatter, Flood};
use analytics::clean::{Redundant, Regimes};
use analytics::detect::conformal::Conformal;
use analytics::detect::half_space::{self, HalfSpaceTrees};
use analytics::detect::records::Records;
use analytics::drift::online::OnlineChangePoints;
use analytics::forecast::{Adaptive, Ridge, ets};
use analytics::monitor::Relation;
use analytics::quality::{Mewma, Normal, T2Chart};
use analytics::stream::{AssetMonitor, Settings};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Noise, wild};

/// `step` must say the same of each value, whether the machine was restarted before value `stop` or not.
fn check<S, T>(mut state: S, values: &[f64], stop: usize, mut step: impl FnMut(&mut S, f64) -> T)
where
    S: Serialize + DeserializeOwned + Clone,
    T: PartialEq + Debug,
{
    let mut restored = state.clone();
    for (i, value) in values.iter().enumerate() {
        if i == stop.min(values.len() / 2) {
            let text = serde_json::to_string(&state).expect("serializes");
            restored = serde_json::from_str(&text).expect("parses");
        }
        let said = step(&mut state, *value);
        if i >= stop.min(values.len() / 2) {
            assert_eq!(
                format!("{:?}", step(&mut restored, *value)),
                format!("{said:?}"),
                "value {i}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_has_a_memory_goes_on(values in wild(1..160), stop in 0usize..80, seed in 0u64..99) {
        let normals = Noise::normals(seed, 300);
        let frame = Frame::from_rows(2, &normals);
        check(Regimes::learn(&normals, 2), &values, stop, |d, x| d.push(x));
        check(Redundant::new(3, 20, 0.5, 4.0), &values, stop, |d, x| d.push(&[x, 1.0, 0.5 * x]).to_vec());
        check(Conformal::new(&normals), &values, stop, |d, x| d.p_value(x));
        check(Records::new(24), &values, stop, |d, x| d.push(x));
        let options = half_space::Options { trees: 4, depth: 4, window: 20, seed };
        check(HalfSpaceTrees::new(2, options), &values, stop, |d, x| d.push(&[x, 1.0]));
        check(OnlineChangePoints::new(50.0), &values, stop, |d, x| (d.push(x), d.probability_within(5)));
        check(Adaptive::new(0.9, 30, 0.02).expect("good settings"), &values, stop, |d, x| {
            d.push(x);
            d.half_width()
        });
        let relation = Relation::learn(&frame, 1, 0.1).expect("normal rows");
        check((relation, Vec::new()), &values, stop, |(relation, window), x| {
            let mut residuals = [0.0; 2];
            relation.push(window, &[x, 0.5], &mut residuals);
            residuals
        });
        let normal = Normal::fit(&frame.columns).expect("normal rows");
        check(T2Chart::new(normal.clone(), 0.01), &values, stop, |d, x| (d.distance(&[x, 0.1]), d.signals(&[x, 0.1])));
        check(Mewma::new(normal, 0.2, 9.0), &values, stop, |d, x| d.push(&[x, 0.1]));
        let settings = Settings { learn_rows: 30, rows_per_false_alarm: 100.0, refit: true, seed };
        check(AssetMonitor::new(2, settings), &values, stop, |d, x| d.push(&[x, 1.0 + x], 0));
        check(Flood::default(), &values, stop, |d, x| d.ring((x.abs() % 1e4 * 1e6) as i64));
        check(Chatter::default(), &values, stop, |d, x| d.ring((x.abs() % 1e4 * 1e6) as i64));
        let series: Vec<f64> = normals[..40].iter().map(|x| 20.0 + x).collect();
        let ridge = Ridge::fit(&[&series], 4, 3, 0.1).expect("long enough");
        check(ridge, &values, stop, |d, x| format!("{:?}", d.predict(&[x, 1.0, 2.0, 3.0])));
        check(ets(&series, 4).expect("long enough"), &values, stop, |d, x| {
            d.push(x);
            d.forecast(3)
        });
    }
}
