//! Tennessee Eastman: detection and diagnosis of faults in a chemical plant, 52 signals, a row every 3 minutes.

mod classic;
mod detection;
mod diagnosis;

use std::path::Path;

use analytics::Frame;
use analytics::monitor::Point;
use anyhow::Context;

use crate::{Bench, Options, Split, Table, data};

/// In the test files the fault begins at this row.
pub(super) const FAULT_ROW: usize = 160;
/// Faults that leave no trace in the measurements; Russell et al. (2000) leave them out of their means as well.
const HOPELESS: [usize; 3] = [3, 9, 15];
/// XMEAS 1–41 come first, then XMV 1–11.
const N_MEASURED: usize = 41;
const N_COLUMNS: usize = 52;

/// The files at hand.
pub(super) struct Plant {
    /// d00: 500 normal rows, all that anything is fitted to or chosen by.
    pub(super) train: Frame,
    /// d00_te: 960 normal rows.
    pub(super) normal: Frame,
    /// d01 to d21: number and 480 rows with the fault from the first one on.
    known: Vec<(usize, Frame)>,
    /// d01_te to d21_te as far as they are there: 960 rows, with the fault from [`FAULT_ROW`] on.
    pub(super) tests: Vec<(usize, Frame)>,
    /// Every file read; which rows are learned from and judged is fixed by their names.
    pub(super) split: Split,
}

pub(crate) const BENCH: Bench = Bench {
    name: "tep",
    about: "process monitoring: Tennessee Eastman, detection and diagnosis",
    run,
};

/// Missed detections of the book, detection with honest limits, diagnosis.
fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let plant = Plant::read(&options.folder()?.join("tep"))?;
    let mut tables = classic::tables(&plant)?;
    tables.extend(detection::tables(&plant)?);
    tables.extend(diagnosis::tables(&plant, options)?);
    Ok(tables)
}

impl Plant {
    pub(super) fn read(folder: &Path) -> anyhow::Result<Plant> {
        let mut split = Split::default();
        let mut rows = |name: &str| -> anyhow::Result<Vec<Vec<f64>>> {
            let text = data::text(&folder.join(name))?;
            let rows =
                parse(&text).with_context(|| format!("cannot read the numbers of {name}"))?;
            split = std::mem::take(&mut split).bytes(name, text.as_bytes());
            Ok(rows)
        };
        // This file alone has a column per row of the plant.
        let columns = rows("d00.dat")?;
        let times_us = (0..columns[0].len() as i64).collect();
        let train = Frame { times_us, columns };
        let mut frame =
            |name: &str| Ok::<_, anyhow::Error>(Frame::from_rows(N_COLUMNS, &rows(name)?.concat()));
        let normal = frame("d00_te.dat")?;
        let mut numbered = |ending: &str| -> anyhow::Result<Vec<(usize, Frame)>> {
            let names = (1..=21).map(|fault| (fault, format!("d{fault:02}{ending}.dat")));
            let there = names.filter(|(_, name)| folder.join(name).is_file());
            there.map(|(fault, name)| Ok((fault, frame(&name)?))).collect()
        };
        let (known, tests) = (numbered("")?, numbered("_te")?);
        Ok(Plant { train, normal, known, tests, split })
    }
}

fn parse(text: &str) -> anyhow::Result<Vec<Vec<f64>>> {
    let row = |line: &str| line.split_whitespace().map(str::parse).collect();
    let rows: Vec<Vec<f64>> = text.lines().map(row).collect::<Result<_, _>>()?;
    anyhow::ensure!(!rows.is_empty(), "the file is empty");
    Ok(rows)
}

/// Share of `points` for which `is` holds.
fn share(points: &[Point], is: impl Fn(&Point) -> bool) -> f64 {
    points.iter().filter(|point| is(point)).count() as f64 / points.len().max(1) as f64
}
