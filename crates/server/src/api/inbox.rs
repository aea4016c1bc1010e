//! Signals that nobody has given a place yet, and giving them one.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use metastore::mapping;
use serde::{Deserialize, Serialize};
use signal::SignalId;
use signal::model::MappingRule;
use utoipa::{IntoParams, ToSchema};

use super::signals::{self, LastValue};
use crate::App;
use crate::auth::{Engineer, Reader};
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::{Body, Query};

/// Signals per page when nobody says how many.
const PAGE: u32 = 100;
/// Most signals per page, and most that are bound at once.
const MAX_PAGE: u32 = 1_000;

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// At most so many, up to 1,000.
    limit: Option<u32>,
    /// Only identities above this one.
    after: Option<u32>,
}

/// A page of the inbox.
#[derive(Serialize, ToSchema)]
pub(crate) struct Inbox {
    signals: Vec<Waiting>,
    /// Ask with `after` = this for the next page; null on the last.
    next: Option<u32>,
    total: u64,
}

/// An unbound signal.
#[derive(Serialize, ToSchema)]
pub(crate) struct Waiting {
    id: u32,
    address: String,
    source: String,
    first_us: i64,
    last: Option<LastValue>,
    rate_per_s: f64,
    /// Where it might belong.
    guess: Option<Guess>,
}

/// A place that fits an address.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Guess {
    /// Path of the asset.
    pub(crate) asset: String,
    /// Name of the signal below it.
    pub(crate) signal: String,
    pub(crate) asset_type: Option<String>,
}

/// Signals to be bound, all or none.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Bind {
    bind: Vec<BindOne>,
}

/// A signal and its place.
#[derive(Deserialize, ToSchema)]
pub(crate) struct BindOne {
    signal: u32,
    asset_path: String,
    name: String,
}

/// How many were bound.
#[derive(Serialize, ToSchema)]
pub(crate) struct Bound {
    bound: usize,
}

#[utoipa::path(get, path = "/api/v1/inbox", tag = "data", params(Page), responses((status = 200, body = Inbox)))]
/// Unbound signals, oldest first.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(page): Query<Page>,
) -> Result<Json<Inbox>> {
    let limit = page.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let after = SignalId(page.after.unwrap_or(0));
    let (mut rows, total) = app.state.metastore.inbox(caller.tenant, after, limit + 1).await?;
    let next = (rows.len() > limit as usize).then(|| rows[limit as usize - 1].signal.0);
    rows.truncate(limit as usize);
    let model = app.state.ingest.model();
    let live = app.state.ingest.live();
    let waiting = |row: metastore::InboxRow| Waiting {
        id: row.signal.0,
        guess: guess(&model.mapping_rules, &row.source, &row.address),
        address: row.address,
        source: row.source,
        first_us: row.first_us,
        last: signals::last(&app, row.signal),
        rate_per_s: live.quality(row.signal).map_or(0.0, |(_, rate)| rate),
    };
    Ok(Json(Inbox { signals: rows.into_iter().map(waiting).collect(), next, total }))
}

#[utoipa::path(post, path = "/api/v1/bindings", tag = "data", request_body = Bind, responses(
    (status = 200, body = Bound), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)))]
/// Gives signals their places; only metadata changes, so their history follows.
pub(crate) async fn bind(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Body(wanted): Body<Bind>,
) -> Result<Json<Bound>> {
    if wanted.bind.len() > MAX_PAGE as usize {
        return Err(ApiError::invalid("bind", format!("at most {MAX_PAGE} at once")));
    }
    let wanted: Vec<(SignalId, String, String)> = wanted
        .bind
        .into_iter()
        .map(|one| (SignalId(one.signal), one.asset_path, one.name))
        .collect();
    let bound = app.state.metastore.bind_many(caller.tenant, &wanted).await?;
    app.state.ingest.reload_model().await?;
    Ok(Json(Bound { bound: bound.len() }))
}

/// Where an address might belong: by the rules, by the names of the asset types, else by its levels.
fn guess(rules: &[MappingRule], source: &str, address: &str) -> Option<Guess> {
    if let Some(place) = mapping::apply(rules, source, address) {
        return Some(Guess {
            asset: place.asset,
            signal: place.signal,
            asset_type: place.asset_type,
        });
    }
    guess_by_type(address).or_else(|| {
        let (asset, signal) = address.rsplit_once('/')?;
        let fits = !asset.is_empty() && !signal.is_empty() && !asset.split('/').any(str::is_empty);
        fits.then(|| Guess { asset: asset.to_owned(), signal: signal.to_owned(), asset_type: None })
    })
}

/// The longest signal name of the library that ends the address; the type only when no other has that name.
fn guess_by_type(address: &str) -> Option<Guess> {
    let mut found: HashMap<&str, Vec<&str>> = HashMap::new();
    for kind in metastore::library() {
        for template in kind.signals.iter().filter(|template| template.name.contains('/')) {
            let asset = address
                .strip_suffix(template.name.as_str())
                .and_then(|rest| rest.strip_suffix('/'));
            if asset.is_some_and(|asset| !asset.is_empty() && !asset.split('/').any(str::is_empty))
            {
                found.entry(&template.name).or_default().push(&kind.name);
            }
        }
    }
    let (name, kinds) = found.into_iter().max_by_key(|(name, _)| name.len())?;
    Some(Guess {
        asset: address[..address.len() - name.len() - 1].to_owned(),
        signal: name.to_owned(),
        asset_type: (kinds.len() == 1).then(|| kinds[0].to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_suggests_its_place() {
        for (address, asset, signal, kind) in [
            (
                "h/l/p9/hydraulics/pressure",
                "h/l/p9",
                "hydraulics/pressure",
                Some("hydraulic_press"),
            ),
            ("h/l/x/pump/power", "h/l/x", "pump/power", None),
            ("h/l/x/humidity", "h/l/x", "humidity", None),
        ] {
            let guess = guess(&[], "mqtt", address).expect("a guess");
            assert_eq!(
                (guess.asset.as_str(), guess.signal.as_str(), guess.asset_type.as_deref()),
                (asset, signal, kind)
            );
        }
        assert_eq!(guess(&[], "mqtt", "temperature"), None);
        assert_eq!(guess(&[], "mqtt", "//x"), None);
    }
}
