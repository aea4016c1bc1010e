//! The calls below `/api/v1`, one file per noun.

pub(crate) mod alarms;
pub(crate) mod assets;
pub(crate) mod back_test;
pub(crate) mod balance;
pub(crate) mod detection;
pub(crate) mod events;
pub(crate) mod inbox;
pub(crate) mod live;
pub(crate) mod mapping_rules;
pub(crate) mod notifications;
pub(crate) mod oee;
pub(crate) mod overview;
pub(crate) mod performance;
pub(crate) mod quality;
pub(crate) mod rules;
pub(crate) mod session;
pub(crate) mod signals;
pub(crate) mod sources;
pub(crate) mod sql;
pub(crate) mod tokens;
pub(crate) mod trend;
pub(crate) mod users;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post, put};
use serde::{Deserialize, Deserializer};

use crate::App;
use crate::error::{ApiError, Result};
use crate::openapi;

/// All calls, below `/api/v1`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/openapi.json", get(openapi::serve))
        .route("/login", post(session::login))
        .route("/logout", post(session::logout))
        .route("/me", get(session::me))
        .route("/me/password", post(session::change_password))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{id}", delete(tokens::remove))
        .route("/users", get(users::list).post(users::create))
        .route("/users/{id}", delete(users::remove))
        .route("/assets", get(assets::list).post(assets::create))
        .route("/assets/{id}", get(assets::detail).patch(assets::change))
        .route("/asset-types", get(assets::types))
        .route("/signals", get(signals::list))
        .route("/signals/{id}", get(signals::detail).patch(signals::change))
        .route("/live", get(live::upgrade))
        .route("/trend", post(trend::trend))
        .route("/extent", get(trend::extent))
        .route("/states", get(trend::states))
        .route("/events", get(events::list))
        .route("/overview", get(overview::overview))
        .route("/oee", get(oee::oee))
        .route("/oee/settings", get(oee::settings).put(oee::set))
        .route("/alarms", get(alarms::list))
        .route("/alarms/performance", get(performance::performance))
        .route("/alarms/{id}", get(alarms::detail))
        .route("/alarms/{id}/{action}", post(alarms::act))
        .route("/rules", get(rules::list).post(rules::create))
        .route("/rules/back-test", post(back_test::back_test))
        .route("/rules/{id}", put(rules::replace).delete(rules::remove))
        .route("/detection", get(detection::view).put(detection::change))
        .route("/detection/{asset}/relearn", post(detection::relearn))
        .route("/notifications", get(notifications::list).post(notifications::create))
        .route("/notifications/{id}", delete(notifications::remove))
        .route("/notifications/{id}/test", post(notifications::test))
        .route("/sources", get(sources::list))
        .route("/balance", get(balance::balance))
        .route("/quality", get(quality::quality))
        .route("/inbox", get(inbox::list))
        .route("/bindings", post(inbox::bind))
        .route("/mapping-rules", get(mapping_rules::list).post(mapping_rules::create))
        .route("/mapping-rules/preview", post(mapping_rules::preview))
        .route("/mapping-rules/{id}", delete(mapping_rules::remove))
        .route("/sql", post(sql::run))
        .route("/sql/tables", get(sql::tables))
}

/// Tells `null` (take it away) from a missing field (leave it): `Some(None)` and `None`.
pub(crate) fn nullable<'de, D, T>(
    deserializer: D,
) -> std::result::Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// A span of time, at most from the year 1 to 9999 and not backwards.
pub(crate) fn range(from_us: i64, to_us: i64) -> Result<signal::TimeRange> {
    const MIN_US: i64 = -62_135_596_800_000_000;
    const MAX_US: i64 = 253_402_300_799_999_999;
    if !(MIN_US..=MAX_US).contains(&from_us) || !(MIN_US..=MAX_US).contains(&to_us) {
        return Err(ApiError::invalid(
            "from_us",
            "times are microseconds since 1970 and within the years 1 to 9999",
        ));
    }
    if to_us < from_us {
        return Err(ApiError::invalid("to_us", "`to_us` lies before `from_us`"));
    }
    Ok(signal::TimeRange { start_us: from_us, end_us: to_us })
}

/// A number for JSON; NaN and infinities become null.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
