//! How far the values can be trusted, signal by signal.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use signal::{DAY_US, Flag};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::auth::Reader;
use crate::error::{ErrorBody, Result};
use crate::extract::Query;

/// Which span of time.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// 24 hours ago by default.
    from_us: Option<i64>,
    /// Now by default.
    to_us: Option<i64>,
}

/// Verdicts of the cleaning step over a span of time.
#[derive(Serialize, ToSchema)]
pub(crate) struct QualityView {
    /// The names of the reasons, in the order of `by_flag`.
    flags: Vec<&'static str>,
    /// Worst first.
    signals: Vec<SignalQuality>,
}

/// Verdicts on one signal.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignalQuality {
    id: u32,
    path: String,
    total: u64,
    good: u64,
    uncertain: u64,
    bad: u64,
    by_flag: Vec<u64>,
}

#[utoipa::path(get, path = "/api/v1/quality", tag = "data", params(Span), responses(
    (status = 200, body = QualityView), (status = 400, body = ErrorBody)))]
/// Counts of verdicts per signal.
pub(crate) async fn quality(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(span): Query<Span>,
) -> Result<Json<QualityView>> {
    let to_us = span.to_us.unwrap_or_else(|| app.now_us());
    let range = super::range(span.from_us.unwrap_or(to_us - DAY_US), to_us)?;
    let rows = app.state.lake.quality(caller.tenant, range).await?;
    let model = app.state.ingest.model();
    let mut signals: Vec<SignalQuality> = rows
        .into_iter()
        .map(|row| SignalQuality {
            id: row.signal.0,
            path: model.signal(row.signal).map_or_else(String::new, |signal| signal.path.clone()),
            total: row.total,
            good: row.total.saturating_sub(row.uncertain + row.bad),
            uncertain: row.uncertain,
            bad: row.bad,
            by_flag: row.by_flag.to_vec(),
        })
        .collect();
    let doubt = |row: &SignalQuality| {
        (row.bad as f64 + 0.5 * row.uncertain as f64) / row.total.max(1) as f64
    };
    signals.sort_by(|one, two| doubt(two).total_cmp(&doubt(one)).then(one.id.cmp(&two.id)));
    Ok(Json(QualityView { flags: Flag::ALL.into_iter().map(Flag::name).collect(), signals }))
}
