//! Signals: what is measured, where it belongs, what is declared about it.

use signal::model::{Asset, MappingRule, Signal, SignalKind, SignalSpec};
use signal::{AssetId, SignalId, TenantId};
use sqlx::SqliteConnection;

use crate::assets;
use crate::mapping::{self, MAX_BYTES, is_path};
use crate::{
    Error, Metastore, Result, check_unit, from_json, is_taken, key, mapping_rules, to_json,
};

/// Most states of one signal.
const MAX_STATES: usize = 256;

/// What is to change about a signal; none keeps what is.
///
/// The inner option of optional declarations takes the declaration away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SignalPatch {
    /// What the numbers mean over time.
    pub kind: Option<SignalKind>,
    /// UCUM code.
    pub unit: Option<String>,
    /// Names of the states in index order.
    pub states: Option<Vec<String>>,
    /// Lowest and highest value the sensor can report.
    pub range: Option<Option<(f64, f64)>>,
    /// Lowest and highest value in healthy operation.
    pub normal: Option<Option<(f64, f64)>>,
    /// Fastest believable change per second.
    pub max_rate_per_s: Option<Option<f64>>,
    /// Silence longer than this is a gap.
    pub max_gap_ms: Option<Option<u64>>,
    /// The same value longer than this is stuck.
    pub stuck_after_ms: Option<Option<u64>>,
    /// Hampel threshold.
    pub spike_sigmas: Option<Option<f64>>,
    /// Whether detectors use it.
    pub in_detection: Option<Option<bool>>,
}

/// A signal that nobody has bound to a place yet.
#[derive(Clone, Debug, PartialEq)]
pub struct InboxRow {
    /// The signal.
    pub signal: SignalId,
    /// Name of the source that offers it.
    pub source: String,
    /// What the source calls it.
    pub address: String,
    /// When it was first seen.
    pub first_us: i64,
}

pub(crate) type SignalRow = (u32, Option<u32>, String, String, String);

impl Metastore {
    /// Gives an unbound or bound signal its place; its history follows, because only metadata changes.
    ///
    /// Missing assets are made. A type's declarations are taken over if the signal has none of its own.
    ///
    /// # Errors
    /// When the signal does not exist, `asset_path` or `name` is no path, or the place is taken.
    pub async fn bind(
        &self,
        tenant: TenantId,
        signal: SignalId,
        asset_path: &str,
        name: &str,
    ) -> Result<Signal> {
        let mut db = self.begin().await?;
        let bound = bind_in(&mut db, tenant, signal, asset_path, name, &[], None).await?;
        db.commit().await?;
        Ok(bound)
    }

    /// Binds several signals, all or none.
    ///
    /// # Errors
    /// As for [`bind`](Self::bind).
    pub async fn bind_many(
        &self,
        tenant: TenantId,
        wanted: &[(SignalId, String, String)],
    ) -> Result<Vec<Signal>> {
        let mut db = self.begin().await?;
        let mut bound = Vec::with_capacity(wanted.len());
        for (signal, asset_path, name) in wanted {
            bound.push(bind_in(&mut db, tenant, *signal, asset_path, name, &[], None).await?);
        }
        db.commit().await?;
        Ok(bound)
    }

    /// Lets the mapping rules look at everything that waits in the inbox; gives the signals they placed.
    ///
    /// A signal whose place is taken stays in the inbox.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn apply_rules_to_inbox(&self, tenant: TenantId) -> Result<Vec<Signal>> {
        let mut db = self.begin().await?;
        let rules = mapping_rules::all(&mut db, tenant).await?;
        let waiting = inbox_rows(&mut db, tenant, 0, i64::MAX).await?;
        let mut bound = Vec::new();
        for row in waiting {
            let Some(place) = mapping::apply(&rules, &row.source, &row.address) else { continue };
            let kind = place.asset_type.as_deref();
            match bind_in(
                &mut db,
                tenant,
                row.signal,
                &place.asset,
                &place.signal,
                &place.kinds,
                kind,
            )
            .await
            {
                Ok(signal) => bound.push(signal),
                Err(Error::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        db.commit().await?;
        Ok(bound)
    }

    /// What the rules would do to the inbox, without doing it: address and place, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn preview_rules(
        &self,
        tenant: TenantId,
        rules: &[MappingRule],
        limit: usize,
    ) -> Result<Vec<(InboxRow, mapping::Place)>> {
        let mut db = self.pool.acquire().await?;
        let waiting = inbox_rows(&mut db, tenant, 0, i64::MAX).await?;
        let placed = waiting.into_iter().filter_map(|row| {
            let place = mapping::apply(rules, &row.source, &row.address)?;
            Some((row, place))
        });
        Ok(placed.take(limit).collect())
    }

    /// Unbound signals with an identity above `after`, in that order, and how many there are in all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn inbox(
        &self,
        tenant: TenantId,
        after: SignalId,
        limit: u32,
    ) -> Result<(Vec<InboxRow>, u64)> {
        let mut db = self.pool.acquire().await?;
        let rows = inbox_rows(&mut db, tenant, after.0, i64::from(limit)).await?;
        let total: i64 =
            sqlx::query_scalar("SELECT count(*) FROM signals WHERE tenant = ? AND asset IS NULL")
                .bind(key(tenant))
                .fetch_one(&mut *db)
                .await?;
        Ok((rows, total as u64))
    }

    /// Changes what is declared about a signal.
    ///
    /// # Errors
    /// When the signal does not exist, or a declaration makes no sense; the field is named.
    pub async fn patch_signal(
        &self,
        tenant: TenantId,
        id: SignalId,
        patch: SignalPatch,
    ) -> Result<Signal> {
        let mut db = self.begin().await?;
        let mut signal = get(&mut db, tenant, id).await?;
        apply_patch(&mut signal.spec, patch);
        check_spec(&signal.spec)?;
        write_spec(&mut db, tenant, &signal).await?;
        db.commit().await?;
        Ok(signal)
    }

    /// Makes `text` one of the states of a signal, as the last, unless it is one; gives all of them.
    ///
    /// # Errors
    /// When the signal does not exist or already has 256 states.
    pub async fn append_state(
        &self,
        tenant: TenantId,
        id: SignalId,
        text: &str,
    ) -> Result<Vec<String>> {
        let mut db = self.begin().await?;
        let mut signal = get(&mut db, tenant, id).await?;
        if signal.spec.states.iter().any(|state| state == text) {
            return Ok(signal.spec.states);
        }
        if signal.spec.states.len() >= MAX_STATES || text.len() > MAX_BYTES {
            return Err(Error::Limit { limit: "state_limit", max: MAX_STATES as u64 });
        }
        signal.spec.states.push(text.to_owned());
        write_spec(&mut db, tenant, &signal).await?;
        db.commit().await?;
        Ok(signal.spec.states)
    }
}

async fn bind_in(
    db: &mut SqliteConnection,
    tenant: TenantId,
    id: SignalId,
    asset_path: &str,
    name: &str,
    kinds: &[Option<String>],
    asset_type: Option<&str>,
) -> Result<Signal> {
    if !is_path(name) || name.len() > MAX_BYTES {
        let message = format!("`{name}` is not a signal name: levels joined with `/`, none empty");
        return Err(Error::Invalid { field: "name", message });
    }
    let mut signal = get(db, tenant, id).await?;
    let asset = assets::ensure(db, tenant, asset_path, kinds, asset_type, &mut Vec::new()).await?;
    place(&mut signal, &asset, name);
    sqlx::query(
        "UPDATE signals SET asset = ?, name = ?, path = ?, spec = ? WHERE tenant = ? AND id = ?",
    )
    .bind(asset.id.0)
    .bind(name)
    .bind(&signal.path)
    .bind(to_json(&signal.spec))
    .bind(key(tenant))
    .bind(id.0)
    .execute(db)
    .await
    .map_err(|error| match is_taken(&error) {
        true => Error::Conflict(format!("there already is a signal `{}`", signal.path)),
        false => error.into(),
    })?;
    Ok(signal)
}

fn place(signal: &mut Signal, asset: &Asset, name: &str) {
    signal.asset = Some(asset.id);
    signal.name = name.to_owned();
    signal.path = format!("{}:{name}", asset.path);
    if assets::is_undeclared(signal)
        && let Some(spec) = assets::template(asset.asset_type.as_deref(), name)
    {
        signal.spec = spec;
    }
}

pub(crate) async fn all(db: &mut SqliteConnection, tenant: TenantId) -> Result<Vec<Signal>> {
    let rows: Vec<SignalRow> = sqlx::query_as(
        "SELECT id, asset, name, path, spec FROM signals WHERE tenant = ? ORDER BY id",
    )
    .bind(key(tenant))
    .fetch_all(db)
    .await?;
    rows.into_iter().map(signal_of).collect()
}

pub(crate) async fn of_asset(
    db: &mut SqliteConnection,
    tenant: TenantId,
    asset: AssetId,
) -> Result<Vec<Signal>> {
    let rows: Vec<SignalRow> =
        sqlx::query_as("SELECT id, asset, name, path, spec FROM signals WHERE tenant = ? AND asset = ? ORDER BY id")
            .bind(key(tenant))
            .bind(asset.0)
            .fetch_all(db)
            .await?;
    rows.into_iter().map(signal_of).collect()
}

async fn get(db: &mut SqliteConnection, tenant: TenantId, id: SignalId) -> Result<Signal> {
    let row: Option<SignalRow> = sqlx::query_as(
        "SELECT id, asset, name, path, spec FROM signals WHERE tenant = ? AND id = ?",
    )
    .bind(key(tenant))
    .bind(id.0)
    .fetch_optional(db)
    .await?;
    signal_of(row.ok_or_else(|| Error::NotFound { what: "signal", id: id.to_string() })?)
}

pub(crate) fn signal_of((id, asset, name, path, spec): SignalRow) -> Result<Signal> {
    let spec: SignalSpec = from_json("a signal's declaration", &spec)?;
    Ok(Signal { id: SignalId(id), asset: asset.map(AssetId), name, path, spec })
}

async fn write_spec(db: &mut SqliteConnection, tenant: TenantId, signal: &Signal) -> Result<()> {
    sqlx::query("UPDATE signals SET spec = ? WHERE tenant = ? AND id = ?")
        .bind(to_json(&signal.spec))
        .bind(key(tenant))
        .bind(signal.id.0)
        .execute(db)
        .await?;
    Ok(())
}

async fn inbox_rows(
    db: &mut SqliteConnection,
    tenant: TenantId,
    after: u32,
    limit: i64,
) -> Result<Vec<InboxRow>> {
    let rows: Vec<(u32, String, String, i64)> = sqlx::query_as(
        "SELECT signals.id, sources.name, min(bindings.address), signals.created_us
         FROM signals
         JOIN bindings ON bindings.signal = signals.id AND bindings.tenant = signals.tenant
         JOIN sources ON sources.id = bindings.source
         WHERE signals.tenant = ? AND signals.asset IS NULL AND signals.id > ?
         GROUP BY signals.id ORDER BY signals.id LIMIT ?",
    )
    .bind(key(tenant))
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await?;
    let row = |(signal, source, address, first_us)| InboxRow {
        signal: SignalId(signal),
        source,
        address,
        first_us,
    };
    Ok(rows.into_iter().map(row).collect())
}

fn apply_patch(spec: &mut SignalSpec, patch: SignalPatch) {
    fn put<T>(field: &mut T, new: Option<T>) {
        if let Some(new) = new {
            *field = new;
        }
    }
    put(&mut spec.kind, patch.kind);
    put(&mut spec.unit, patch.unit);
    put(&mut spec.states, patch.states);
    put(&mut spec.range, patch.range);
    put(&mut spec.normal, patch.normal);
    put(&mut spec.max_rate_per_s, patch.max_rate_per_s);
    put(&mut spec.max_gap_ms, patch.max_gap_ms);
    put(&mut spec.stuck_after_ms, patch.stuck_after_ms);
    put(&mut spec.spike_sigmas, patch.spike_sigmas);
    put(&mut spec.in_detection, patch.in_detection);
}

fn check_spec(spec: &SignalSpec) -> Result<()> {
    let invalid = |field, message: String| Err(Error::Invalid { field, message });
    if let Err(error) = check_unit(&spec.unit) {
        return invalid("unit", error.to_string());
    }
    for (field, span) in [("range", spec.range), ("normal", spec.normal)] {
        if span.is_some_and(|(low, high)| !low.is_finite() || !high.is_finite() || low >= high) {
            return invalid(field, "the first number must be below the second".to_owned());
        }
    }
    for (field, value) in
        [("max_rate_per_s", spec.max_rate_per_s), ("spike_sigmas", spec.spike_sigmas)]
    {
        if value.is_some_and(|value| !value.is_finite() || value < 0.0) {
            return invalid(field, "must not be negative".to_owned());
        }
    }
    let is_bad_state = |state: &String| state.is_empty() || state.len() > MAX_BYTES;
    if spec.states.len() > MAX_STATES || spec.states.iter().any(is_bad_state) {
        return invalid("states", format!("at most {MAX_STATES} names, none empty"));
    }
    Ok(())
}
