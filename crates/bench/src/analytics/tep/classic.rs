//! The tables of Russell, Chiang & Braatz, with their limits.

use analytics::Frame;
use analytics::monitor::{Limits, Method, Monitor, Options, Point, Rest};

use super::{FAULT_ROW, N_MEASURED, Plant, share};
use crate::{CpuClock, Table};

/// Largest difference that counts as reproduced.
const TOLERANCE: f64 = 0.03;
/// The limit is the tenth-highest value of the normal test run: one in a hundred of its 960 rows.
const RANK: usize = 10;
/// Training rows with which the CVA cells are also computed, to see how well they are determined.
const SHORTER: [usize; 3] = [480, 490, 500];
const NAMES: [&str; 6] = ["PCA T²", "PCA Q", "DPCA T²", "DPCA Q", "CVA Ts²", "CVA Tr²"];
const METHODS: [Method; 3] = [
    Method::Pca { lags: 0, components: 11 },
    Method::Pca { lags: 2, components: 29 },
    Method::Cva { past: 3, future: 3, states: 29, outputs: Some(N_MEASURED), rest: Rest::Variates },
];

/// Missed detections: Russell, Chiang & Braatz (2000), "Fault detection in industrial processes using canonical
/// variate analysis and dynamic principal component analysis", tables 3 to 5, in the order of [`NAMES`].
pub(super) const PUBLISHED: [[f64; 6]; 21] = [
    [0.008, 0.003, 0.006, 0.005, 0.001, 0.000],
    [0.020, 0.014, 0.019, 0.015, 0.011, 0.010],
    [0.998, 0.991, 0.991, 0.990, 0.981, 0.986],
    [0.956, 0.038, 0.939, 0.000, 0.688, 0.000],
    [0.775, 0.746, 0.758, 0.748, 0.000, 0.000],
    [0.011, 0.000, 0.013, 0.000, 0.000, 0.000],
    [0.085, 0.000, 0.159, 0.000, 0.386, 0.000],
    [0.034, 0.024, 0.028, 0.025, 0.021, 0.016],
    [0.994, 0.981, 0.995, 0.994, 0.986, 0.993],
    [0.666, 0.659, 0.580, 0.665, 0.166, 0.099],
    [0.794, 0.356, 0.801, 0.193, 0.515, 0.195],
    [0.029, 0.025, 0.010, 0.024, 0.000, 0.000],
    [0.060, 0.045, 0.049, 0.049, 0.047, 0.040],
    [0.158, 0.000, 0.061, 0.000, 0.000, 0.000],
    [0.988, 0.973, 0.964, 0.976, 0.928, 0.903],
    [0.834, 0.755, 0.783, 0.708, 0.166, 0.084],
    [0.259, 0.108, 0.240, 0.053, 0.104, 0.024],
    [0.113, 0.101, 0.111, 0.100, 0.094, 0.092],
    [0.996, 0.873, 0.993, 0.735, 0.849, 0.019],
    [0.701, 0.550, 0.644, 0.490, 0.248, 0.087],
    [0.736, 0.570, 0.644, 0.558, 0.440, 0.342],
];

/// One table, ours / published, and where they differ.
pub(super) fn tables(plant: &Plant) -> anyhow::Result<Vec<Table>> {
    let title = format!(
        "Tennessee Eastman: missed detection with the book's limits, from the normal test run (ours / published), data {}",
        plant.split
    );
    let mut table = Table::new(title, &[&["fault"], &NAMES[..]].concat());
    let (ours, row_us) = missed(plant, plant.train.n_rows())?;
    let mut differing = Vec::new();
    for ((fault, _), cells) in plant.tests.iter().zip(&ours) {
        let published = PUBLISHED[fault - 1];
        let cell = |column: usize| format!("{:.3} / {:.3}", cells[column], published[column]);
        table.row([fault.to_string()].into_iter().chain((0..NAMES.len()).map(cell)));
        let differs = |column: &usize| (cells[*column] - published[*column]).abs() > TOLERANCE;
        differing.extend((0..NAMES.len()).filter(differs).map(|column| (*fault, column)));
    }
    let each = row_us.iter().flat_map(|us| [format!("{us:.1}"), String::new()]);
    table.row(["µs CPU per row, both statistics".to_owned()].into_iter().chain(each));
    let n_cells = ours.len() * NAMES.len();
    table.note(format!(
        "{} of {n_cells} cells within {TOLERANCE} of the published figure",
        n_cells - differing.len()
    ));
    let shorter = SHORTER.map(|n_rows| missed(plant, n_rows));
    let shorter: Vec<(Vec<[f64; 6]>, _)> = shorter.into_iter().collect::<Result<_, _>>()?;
    for (fault, column) in differing {
        let place = plant.tests.iter().position(|(number, _)| *number == fault).unwrap_or(0);
        let figures: Vec<String> =
            shorter.iter().map(|(cells, _)| format!("{:.3}", cells[place][column])).collect();
        table.note(format!(
            "fault {fault}, {}: {} with the first {} training rows; published {:.3}",
            NAMES[column],
            figures.join(", "),
            SHORTER.map(|n_rows| n_rows.to_string()).join(", "),
            PUBLISHED[fault - 1][column]
        ));
    }
    Ok(vec![table])
}

/// Missed detections of every test run, fitted to the first `n_rows` normal rows; microseconds per row of each method.
fn missed(plant: &Plant, n_rows: usize) -> anyhow::Result<(Vec<[f64; 6]>, [f64; 3])> {
    let train = plant.train.rows(0..n_rows);
    let mut fitted = Vec::new();
    for method in METHODS {
        let monitor = Monitor::fit(&train, Options { method, shrinkage: 0.0, smoothing: 1.0 })?;
        let limits = book_limits(&monitor.points(&plant.normal));
        fitted.push((monitor, limits));
    }
    let (mut row_us, mut n_judged) = ([0.0; 3], 0);
    let mut cells = |frame: &Frame| {
        let mut cells = [0.0; 6];
        n_judged += frame.n_rows();
        let methods = fitted.iter().zip(&mut row_us);
        for (pair, ((monitor, limits), row_us)) in cells.chunks_exact_mut(2).zip(methods) {
            let clock = CpuClock::start();
            let points = &monitor.points(frame)[FAULT_ROW..];
            *row_us += 1e6 * clock.seconds();
            pair[0] = share(points, |point| point.t2 <= limits.t2);
            pair[1] = share(points, |point| point.spe <= limits.spe);
        }
        cells
    };
    let all = plant.tests.iter().map(|(_, frame)| cells(frame)).collect();
    Ok((all, row_us.map(|us| us / n_judged as f64)))
}

fn book_limits(points: &[Point]) -> Limits {
    let highest = |of: fn(&Point) -> f64| {
        let mut values: Vec<f64> = points.iter().map(of).filter(|value| !value.is_nan()).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() - RANK]
    };
    Limits { t2: highest(|point| point.t2), spe: highest(|point| point.spe) }
}
