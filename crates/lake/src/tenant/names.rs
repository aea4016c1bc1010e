//! The plant model as the tables `signals` and `assets`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use signal::AssetId;
use signal::model::{Asset, Signal};

/// The plant model as queries see it, at one version.
pub struct Plant {
    /// Grows with every change.
    pub version: u64,
    /// All assets.
    pub assets: Vec<Arc<Asset>>,
    /// All signals.
    pub signals: Vec<Arc<Signal>>,
}

/// Gives the plant model, unless it is still at the version that is known.
pub type ModelSource = Arc<dyn Fn(Option<u64>) -> Option<Plant> + Send + Sync>;

/// `signals` and `assets` for queries.
#[derive(Clone)]
pub(crate) struct Names {
    pub(crate) signals: RecordBatch,
    pub(crate) assets: RecordBatch,
}

impl Names {
    pub(super) fn of(assets: &[Arc<Asset>], signals: &[Arc<Signal>]) -> Names {
        Names { signals: signals_batch(assets, signals), assets: assets_batch(assets) }
    }
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn signals_batch(assets: &[Arc<Asset>], signals: &[Arc<Signal>]) -> RecordBatch {
    let paths: HashMap<AssetId, &str> =
        assets.iter().map(|asset| (asset.id, asset.path.as_str())).collect();
    let path_of = |signal: &Arc<Signal>| {
        signal.asset.and_then(|id| paths.get(&id)).copied().unwrap_or_default()
    };
    let kind_of = |signal: &Arc<Signal>| {
        serde_json::to_value(signal.spec.kind)
            .ok()
            .and_then(|kind| kind.as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "id",
            Arc::new(Int32Array::from_iter_values(signals.iter().map(|signal| signal.id.0 as i32))),
        ),
        (
            "asset",
            Arc::new(Int32Array::from_iter(
                signals.iter().map(|signal| signal.asset.map(|id| id.0 as i32)),
            )),
        ),
        ("asset_path", Arc::new(StringArray::from_iter_values(signals.iter().map(path_of)))),
        ("name", texts(signals.iter().map(|signal| signal.name.as_str()))),
        ("path", texts(signals.iter().map(|signal| signal.path.as_str()))),
        ("kind", Arc::new(StringArray::from_iter_values(signals.iter().map(kind_of)))),
        ("unit", texts(signals.iter().map(|signal| signal.spec.unit.as_str()))),
        (
            "normal_low",
            Arc::new(Float64Array::from_iter(
                signals.iter().map(|signal| signal.spec.normal.map(|band| band.0)),
            )),
        ),
        (
            "normal_high",
            Arc::new(Float64Array::from_iter(
                signals.iter().map(|signal| signal.spec.normal.map(|band| band.1)),
            )),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .expect("all columns have one value per signal")
}

fn assets_batch(assets: &[Arc<Asset>]) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "id",
            Arc::new(Int32Array::from_iter_values(assets.iter().map(|asset| asset.id.0 as i32))),
        ),
        (
            "parent",
            Arc::new(Int32Array::from_iter(
                assets.iter().map(|asset| asset.parent.map(|id| id.0 as i32)),
            )),
        ),
        ("name", texts(assets.iter().map(|asset| asset.name.as_str()))),
        ("path", texts(assets.iter().map(|asset| asset.path.as_str()))),
        ("kind", texts(assets.iter().map(|asset| asset.kind.as_str()))),
        (
            "asset_type",
            Arc::new(StringArray::from_iter(assets.iter().map(|asset| asset.asset_type.clone()))),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .expect("all columns have one value per asset")
}
