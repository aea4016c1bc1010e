//! Any numbers are survived, and what comes out is what was promised.

use analytics::clean::{Aggregate, Fill, Regimes, align, fill};
use analytics::detect::fuse;
use analytics::diagnose::{Signature, rank};
use analytics::drift::discoveries;
use analytics::forecast::{
    Adaptive, Error, Lagged, Lags, Ridge, accuracy, combine, deseasonalize, half_widths,
    intermittent, is_seasonal, select,
};
use analytics::monitor::{Method, Options, Point, Relation, blocked_limits, quantile_limits};
use analytics::profile::{chain, discords, matrix_profile, motifs};
use analytics::quality::{Tolerance, capability, gauge_study};
use analytics::trees::{Data, Objective, Params, cross_validate, grouped_folds, time_folds, train};
use analytics::vibration::{
    Plans, kurtogram, levels, prewhiten, spectrum, squared_envelope_spectrum,
};
use analytics::{Frame, quality};
use proptest::prelude::*;

use super::wild;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn filling_touches_holes_only(values in wild(0..80), period in 0usize..9, max_rows in 0usize..9) {
        for how in [Fill::Hold, Fill::Linear, Fill::Seasonal { period }] {
            let mut filled = values.clone();
            let rows = fill(&mut filled, how, max_rows);
            prop_assert!(rows.is_sorted() && rows.iter().all(|row| values[*row].is_nan()));
            for (row, (old, new)) in values.iter().zip(&filled).enumerate() {
                prop_assert!(old.to_bits() == new.to_bits() || rows.contains(&row));
            }
        }
    }

    #[test]
    fn aligned_values_lie_among_those_that_came(
        mut times in prop::collection::vec(-50i64..50, 0..40), values in wild(40), step in 1i64..20,
    ) {
        times.sort_unstable();
        let values = &values[..times.len()];
        for how in [Aggregate::Mean, Aggregate::Last, Aggregate::Hold { max_hold_us: 10 }] {
            let frame = align(&[(&times, values)], -60, 60, step, how);
            prop_assert_eq!(frame.n_rows() as i64, (120 + step - 1) / step);
            let finite = || values.iter().copied().filter(|x| x.abs() < 1e300);
            let (low, high) = (finite().fold(f64::MAX, f64::min), finite().fold(f64::MIN, f64::max));
            for x in frame.columns[0].iter().filter(|x| x.abs() < 1e299) {
                prop_assert!(low - 1e-9 * low.abs() <= *x && *x <= high + 1e-9 * high.abs(), "{x}");
            }
        }
    }

    #[test]
    fn states_are_among_those_learned(values in wild(0..120), min_rows in 0u32..5) {
        let mut regimes = Regimes::learn(&values, min_rows);
        prop_assert!((1..=4).contains(&regimes.n_states()));
        prop_assert!(values.iter().all(|value| regimes.push(*value) < 4));
    }

    #[test]
    fn ranks_keep_their_shape(values in wild(0..80)) {
        let ranks = fuse::ranks(&values);
        prop_assert!(ranks.iter().all(|rank| rank.is_nan() || (0.0..=1.0).contains(rank)));
        let fused = fuse::mean_rank(&[values.clone(), ranks]);
        prop_assert_eq!(fused.len(), values.len());
    }

    #[test]
    fn rare_p_values_are_discovered_first(mut p in prop::collection::vec(prop_oneof![0.0..=1.0f64, Just(f64::NAN)], 0..30)) {
        p.sort_by(f64::total_cmp);
        let found = discoveries(&p, 0.1);
        prop_assert!(found.windows(2).all(|pair| pair[0] || !pair[1]));
    }

    #[test]
    fn similar_signatures_come_first(seen in wild(3), sign in wild(3)) {
        let names = ["a", "b", "c"];
        let seen: Vec<(&str, f64)> = names.into_iter().zip(seen).collect();
        let signs: Vec<(String, f64)> = names.map(str::to_owned).into_iter().zip(sign).collect();
        let found = rank(&seen, &[Signature { name: "one", signs: &signs }, Signature { name: "none", signs: &[] }]);
        prop_assert!(found.iter().all(|(index, _)| *index < 2));
    }

    #[test]
    fn forecasts_survive(series in wild(0..90), period in 0usize..9) {
        for demand in [intermittent::croston, intermittent::sba, intermittent::adida] {
            let rate = demand(&series, 0.1);
            prop_assert!(!rate.is_infinite() || series.iter().any(|x| x.abs() > 1e100));
        }
        intermittent::tsb(&series, 0.1, 0.1);
        is_seasonal(&series, period);
        if let Ok(season) = deseasonalize(&series, period, false) {
            prop_assert_eq!((season.adjusted.len(), season.indices.len()), (series.len(), period));
        }
        if let Ok(model) = Ridge::fit(&[&series], 4, 3, 0.1) {
            let ahead = model.predict(&series);
            prop_assert!(matches!(ahead, Ok(_) | Err(Error::NotFinite)), "{ahead:?}");
        }
        let lists: Vec<Vec<f64>> = series.chunks_exact(3).map(<[f64]>::to_vec).collect();
        prop_assert!(combine(&lists).len() <= 3);
        if let Ok(widths) = half_widths(&lists, 0.8) {
            prop_assert!(widths.iter().all(|width| *width >= 0.0));
        }
        if let Ok(shares) = select(&lists, &[1.0, 2.0, 3.0], 5) {
            prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        let mut interval = Adaptive::new(0.9, 20, 0.05).expect("good settings");
        for error in &series {
            interval.push(*error);
            prop_assert!(interval.half_width() >= 0.0);
        }
        let half = series.len() / 2;
        let smape = accuracy::smape_percent(&series[..half], &series[half..2 * half]);
        prop_assert!(smape.is_nan() || (0.0..=200.0 + 1e-9).contains(&smape), "{smape}");
    }

    #[test]
    fn relations_and_limits_survive(values in wild(0..300), lags in 0usize..3) {
        let frame = Frame::from_rows(3, &values);
        if let Ok(relation) = Relation::learn(&frame, lags, 0.1) {
            let (mut window, mut residuals, mut row) = (Vec::new(), [0.0; 3], Vec::new());
            for row_idx in 0..frame.n_rows() {
                frame.copy_row(row_idx, &mut row);
                relation.push(&mut window, &row, &mut residuals);
                prop_assert!(residuals.iter().all(|residual| residual.abs() <= 50.0));
            }
        }
        let points: Vec<Point> = values.chunks_exact(2).map(|pair| Point { t2: pair[0], spe: pair[1] }).collect();
        let limits = quantile_limits(&points, 0.9);
        prop_assert!(points.iter().filter(|point| limits.are_passed(**point)).count() <= points.len());
        let method = Method::Pca { lags, components: 1 };
        let options = Options { method, shrinkage: 0.1, smoothing: 0.5 };
        if let Ok(limits) = blocked_limits(&frame, options, 3, [0.05; 2], 0.9) {
            prop_assert!(!limits.t2.is_nan() && !limits.spe.is_nan());
        }
    }

    #[test]
    fn patterns_are_places_in_the_series(series in wild(0..120), window in 0usize..12) {
        let Ok(profile) = matrix_profile(&series, window, 1) else { return Ok(()) };
        let n = series.len() + 1 - window;
        prop_assert!(discords(&profile, 3).iter().all(|(start, distance)| *start < n && *distance >= 0.0));
        prop_assert!(chain(&profile).iter().all(|start| *start < n));
        if let Ok(found) = motifs(&series, &profile, 3, 2.0) {
            prop_assert!(found.iter().all(|motif| motif.starts.iter().all(|start| *start < n)));
        }
    }

    #[test]
    fn capability_and_gauges_refuse_or_answer(values in wild(0..60)) {
        let tolerance = Tolerance { low: Some(-50.0), high: Some(50.0) };
        if let Ok(found) = capability(&values, tolerance, 0.95) {
            prop_assert!(found.ppk.low <= found.ppk.value && found.ppk.value <= found.ppk.high, "{found:?}");
        }
        let parts: Vec<Vec<Vec<f64>>> = values
            .chunks_exact(6)
            .map(|part| part.chunks_exact(3).map(<[f64]>::to_vec).collect())
            .collect();
        if let Ok(found) = gauge_study(&parts) {
            prop_assert!(found.gauge.variance >= 0.0, "{found:?}");
        }
        let columns: Vec<Vec<f64>> = values.chunks_exact(20).map(<[f64]>::to_vec).collect();
        if let Ok(normal) = quality::Normal::fit(&columns) {
            let chart = quality::T2Chart::new(normal, 0.01);
            let distance = chart.distance(&vec![1.0; columns.len()]);
            prop_assert!(distance.is_nan() || distance >= 0.0);
        }
    }

    #[test]
    fn any_waveform_is_analyzed_or_refused(samples in wild(0..300), is_flat in any::<bool>()) {
        let samples = if is_flat { vec![samples.first().copied().unwrap_or(0.0); samples.len()] } else { samples };
        let plans = &mut Plans::default();
        if let Some(levels) = levels(&samples) {
            prop_assert!(levels.rms >= 0.0 && levels.peak >= 0.0);
        }
        let envelope = squared_envelope_spectrum(plans, &samples, 100.0, (10.0, 40.0));
        for found in [spectrum(plans, &samples, 100.0), envelope].into_iter().flatten() {
            prop_assert!(found.amplitudes.iter().all(|x| x.is_nan() || *x >= 0.0));
        }
        if let Ok(white) = prewhiten(plans, &samples) {
            // The longest length with small factors is taken.
            prop_assert!(white.len() <= samples.len());
        }
        if let Ok(bands) = kurtogram(plans, &samples, 100.0, 3) {
            prop_assert!(bands.iter().all(|band| band.low_hz < band.high_hz));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn trees_learn_from_any_columns(values in wild(6..200), seed in 0u64..9) {
        let rows: Vec<&[f64]> = values.chunks_exact(3).collect();
        let columns: Vec<Vec<f64>> = (0..3).map(|c| rows.iter().map(|row| row[c]).collect()).collect();
        let target: Vec<f64> = (0..rows.len()).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
        let data = Data { columns: &columns, target: &target, weights: None };
        for objective in [Objective::L2, Objective::L1, Objective::Quantile(0.9), Objective::Logistic, Objective::Softmax(2)] {
            let params = Params { objective, n_trees: 3, min_leaf_rows: 2, row_share: 0.8, seed, ..Params::default() };
            let forest = train(&data, &params).expect("good targets");
            let answers = forest.predict_columns(&columns);
            prop_assert!(answers.iter().all(|x| x.is_finite()), "{objective:?}");
            let first = forest.explain(rows[0]);
            prop_assert!(first.shares.iter().all(|x| x.is_finite()));
            let groups: Vec<u64> = (0..rows.len() as u64).map(|i| i / 4).collect();
            for folds in [grouped_folds(&groups, 2, seed), time_folds(rows.len(), 2, 1)] {
                if let Ok(found) = cross_validate(&data, &params, &folds) {
                    prop_assert!(found.n_rounds <= 3);
                }
            }
        }
        let lags = Lags { lags: vec![2, 3], means: vec![(2, 2)], medians: vec![(2, 2)] };
        // Beyond this, sums of squared errors of the forecast overflow.
        let values: Vec<f64> = values.iter().map(|x| x.clamp(-1e100, 1e100)).collect();
        if let Ok(model) = Lagged::fit(&values, &[], lags, &Params { n_trees: 3, ..Params::default() }) {
            prop_assert!(model.predict(&values, &[], 2).expect("within reach").iter().all(|x| x.is_finite()));
        }
    }
}
