//! New addresses become signals: by a mapping rule in their place, else under `_raw/<source>/<address>`.

use std::collections::HashMap;

use signal::model::{Asset, Binding, Signal, SignalKind, SignalSpec, Source};
use signal::{SignalId, SourceId, TenantId};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::assets;
use crate::mapping::{self, MAX_BYTES, Place};
use crate::signals::{SignalRow, signal_of};
use crate::{Error, Metastore, Result, key, mapping_rules, now_us, to_json};

/// Rows per statement, so that no statement has more than 32,766 parameters.
const CHUNK: usize = 500;

/// How many signals are made without anybody asking for them: a sender with a counter in its topic must not
/// fill the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most signals of a tenant.
    pub signals: u64,
    /// Most addresses of one source.
    pub addresses_per_source: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { signals: 1_000_000, addresses_per_source: 500_000 }
    }
}

/// What an address became.
#[derive(Clone, Debug, PartialEq)]
pub struct Registered {
    /// The signal that it feeds.
    pub signal: Signal,
    /// The address's binding to it.
    pub binding: Binding,
    /// Assets that were made on the way; told with the first address that needed them.
    pub new_assets: Vec<Asset>,
}

impl Metastore {
    /// Makes one address known, see [`register_many`](Self::register_many).
    ///
    /// # Errors
    /// When a limit is reached (`signal_limit`, `address_limit`), the address is empty or too long, or the
    /// database fails.
    pub async fn register(
        &self,
        tenant: TenantId,
        source: &Source,
        address: &str,
        kind_hint: SignalKind,
    ) -> Result<Registered> {
        if address.is_empty() || address.len() > MAX_BYTES {
            let message = format!("an address has 1 to {MAX_BYTES} bytes");
            return Err(Error::Invalid { field: "address", message });
        }
        let registered =
            self.register_many(tenant, source, &[(address.to_owned(), kind_hint)]).await?;
        let refused = Error::Limit { limit: "signal_limit", max: self.limits.signals };
        registered.into_iter().next().flatten().ok_or(refused)
    }

    /// Makes addresses known, in one transaction: a signal in its place by the first mapping rule that
    /// matches, else unbound under `_raw/<source>/<address>`. Known addresses stay as they are.
    ///
    /// Two addresses that rules send to the same place feed the same signal. `addresses`: with what their
    /// first value looks like; a type's declaration goes before it. The answer has one entry per address:
    /// none where a limit is reached or the address cannot be kept.
    ///
    /// # Errors
    /// When the database fails; nothing is registered then.
    pub async fn register_many(
        &self,
        tenant: TenantId,
        source: &Source,
        addresses: &[(String, SignalKind)],
    ) -> Result<Vec<Option<Registered>>> {
        let mut db = self.begin().await?;
        let mut batch = Batch { tenant, source: source.id, ..Batch::default() };
        batch.load_known(&mut db, addresses).await?;
        batch.place(&mut db, self.limits, source, addresses).await?;
        batch.insert(&mut db).await?;
        db.commit().await?;
        Ok(batch.answers(addresses))
    }
}

/// A signal that is to be made or found at `path`.
struct Wanted {
    asset: Option<Asset>,
    name: String,
    spec: SignalSpec,
}

/// One registration on its way through the database.
#[derive(Default)]
struct Batch {
    tenant: TenantId,
    source: SourceId,
    known: HashMap<String, (Binding, Signal)>,
    /// Address → path of its signal.
    placed: Vec<(String, String)>,
    /// Path → what to make there.
    wanted: HashMap<String, Wanted>,
    signals: HashMap<String, Signal>,
    new_assets: Vec<Asset>,
}

impl Batch {
    async fn load_known(
        &mut self,
        db: &mut SqliteConnection,
        addresses: &[(String, SignalKind)],
    ) -> Result<()> {
        for chunk in addresses.chunks(CHUNK) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "SELECT bindings.address, bindings.a, bindings.b, signals.id, asset, name, path, spec
                 FROM bindings JOIN signals ON signals.id = bindings.signal WHERE bindings.tenant = ",
            );
            query
                .push_bind(key(self.tenant))
                .push(" AND bindings.source = ")
                .push_bind(self.source.0);
            query.push(" AND bindings.address IN (");
            let mut list = query.separated(", ");
            for (address, _) in chunk {
                list.push_bind(address);
            }
            query.push(")");
            type Row = (String, f64, f64, u32, Option<u32>, String, String, String);
            let rows: Vec<Row> = query.build_query_as().fetch_all(&mut *db).await?;
            for (address, a, b, id, asset, name, path, spec) in rows {
                let signal = signal_of((id, asset, name, path, spec))?;
                let binding = Binding {
                    source: self.source,
                    address: address.clone(),
                    signal: signal.id,
                    a,
                    b,
                };
                self.known.insert(address, (binding, signal));
            }
        }
        Ok(())
    }

    /// Finds a path for every address that is not known, as far as the limits allow.
    async fn place(
        &mut self,
        db: &mut SqliteConnection,
        limits: Limits,
        source: &Source,
        addresses: &[(String, SignalKind)],
    ) -> Result<()> {
        let rules = mapping_rules::all(db, self.tenant).await?;
        let mut room = self.room(db, limits).await?;
        let mut assets: HashMap<String, Asset> = HashMap::new();
        let mut seen = std::collections::HashSet::new();
        for (address, hint) in addresses {
            let fits = !address.is_empty() && address.len() <= MAX_BYTES;
            if !fits || self.known.contains_key(address) || !seen.insert(address.as_str()) {
                continue;
            }
            if room == 0 {
                tracing::warn!(
                    source = source.name,
                    "no more signals are made by themselves: a limit is reached"
                );
                break;
            }
            room -= 1;
            let place = mapping::apply(&rules, &source.name, address);
            let asset = match &place {
                Some(place) => self.asset(db, &mut assets, place).await?,
                None => None,
            };
            let (path, wanted) = match place.zip(asset) {
                Some((place, asset)) => {
                    (format!("{}:{}", asset.path, place.signal), bound(asset, place.signal, *hint))
                }
                None => {
                    let path = format!("_raw/{}/{address}", source.name);
                    (path.clone(), Wanted { asset: None, spec: guess(&path, *hint), name: path })
                }
            };
            self.wanted.entry(path.clone()).or_insert(wanted);
            self.placed.push((address.clone(), path));
        }
        Ok(())
    }

    async fn room(&self, db: &mut SqliteConnection, limits: Limits) -> Result<u64> {
        let n_signals: i64 = sqlx::query_scalar("SELECT count(*) FROM signals WHERE tenant = ?")
            .bind(key(self.tenant))
            .fetch_one(&mut *db)
            .await?;
        let n_addresses: i64 =
            sqlx::query_scalar("SELECT count(*) FROM bindings WHERE tenant = ? AND source = ?")
                .bind(key(self.tenant))
                .bind(self.source.0)
                .fetch_one(&mut *db)
                .await?;
        let left = limits.signals.saturating_sub(n_signals as u64);
        Ok(left.min(limits.addresses_per_source.saturating_sub(n_addresses as u64)))
    }

    /// The asset of a place; none when the plant has no room for it, then the signal waits in the inbox.
    async fn asset(
        &mut self,
        db: &mut SqliteConnection,
        assets: &mut HashMap<String, Asset>,
        place: &Place,
    ) -> Result<Option<Asset>> {
        if let Some(asset) = assets.get(&place.asset) {
            return Ok(Some(asset.clone()));
        }
        let kind = place.asset_type.as_deref();
        match assets::ensure(
            db,
            self.tenant,
            &place.asset,
            &place.kinds,
            kind,
            &mut self.new_assets,
        )
        .await
        {
            Ok(asset) => {
                assets.insert(place.asset.clone(), asset.clone());
                Ok(Some(asset))
            }
            Err(Error::Limit { .. } | Error::Invalid { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn insert(&mut self, db: &mut SqliteConnection) -> Result<()> {
        self.load_at_paths(db).await?;
        let created_us = now_us();
        let mut missing: Vec<(String, Wanted)> = self.wanted.drain().collect();
        missing.retain(|(path, _)| !self.signals.contains_key(path));
        missing.sort_by(|one, two| one.0.cmp(&two.0));
        for chunk in missing.chunks(CHUNK) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT INTO signals (tenant, asset, name, path, spec, created_us) ",
            );
            query.push_values(chunk, |mut row, (path, wanted)| {
                row.push_bind(key(self.tenant))
                    .push_bind(wanted.asset.as_ref().map(|asset| asset.id.0))
                    .push_bind(&wanted.name)
                    .push_bind(path)
                    .push_bind(to_json(&wanted.spec))
                    .push_bind(created_us);
            });
            query.push(" RETURNING id, asset, name, path, spec");
            let rows: Vec<SignalRow> = query.build_query_as().fetch_all(&mut *db).await?;
            self.keep(rows)?;
        }
        self.insert_bindings(db).await
    }

    /// Signals that already are where an address wants to go.
    async fn load_at_paths(&mut self, db: &mut SqliteConnection) -> Result<()> {
        let paths: Vec<String> = self.wanted.keys().cloned().collect();
        for chunk in paths.chunks(CHUNK) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "SELECT id, asset, name, path, spec FROM signals WHERE tenant = ",
            );
            query.push_bind(key(self.tenant)).push(" AND path IN (");
            let mut list = query.separated(", ");
            for path in chunk {
                list.push_bind(path);
            }
            query.push(")");
            let rows: Vec<SignalRow> = query.build_query_as().fetch_all(&mut *db).await?;
            self.keep(rows)?;
        }
        Ok(())
    }

    fn keep(&mut self, rows: Vec<SignalRow>) -> Result<()> {
        for row in rows {
            let signal = signal_of(row)?;
            self.signals.insert(signal.path.clone(), signal);
        }
        Ok(())
    }

    async fn insert_bindings(&mut self, db: &mut SqliteConnection) -> Result<()> {
        for (address, path) in &self.placed {
            let signal = &self.signals[path];
            let binding = Binding {
                source: self.source,
                address: address.clone(),
                signal: signal.id,
                a: 1.0,
                b: 0.0,
            };
            self.known.insert(address.clone(), (binding, signal.clone()));
        }
        for chunk in self.placed.chunks(CHUNK) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT INTO bindings (tenant, source, address, signal) ",
            );
            query.push_values(chunk, |mut row, (address, path)| {
                let SignalId(signal) = self.signals[path].id;
                row.push_bind(key(self.tenant))
                    .push_bind(self.source.0)
                    .push_bind(address)
                    .push_bind(signal);
            });
            query.build().execute(&mut *db).await?;
        }
        Ok(())
    }

    fn answers(mut self, addresses: &[(String, SignalKind)]) -> Vec<Option<Registered>> {
        let mut new_assets = std::mem::take(&mut self.new_assets);
        let answer = |(address, _): &(String, SignalKind)| {
            let (binding, signal) = self.known.get(address)?.clone();
            Some(Registered { signal, binding, new_assets: std::mem::take(&mut new_assets) })
        };
        addresses.iter().map(answer).collect()
    }
}

fn bound(asset: Asset, name: String, hint: SignalKind) -> Wanted {
    let spec =
        assets::template(asset.asset_type.as_deref(), &name).unwrap_or_else(|| guess(&name, hint));
    Wanted { asset: Some(asset), name, spec }
}

/// What a name says about its values when nothing is declared: `…/state` in words is a state, and a number
/// below `counters/` or ending in `_total` or `_count` counts.
fn guess(name: &str, hint: SignalKind) -> SignalSpec {
    let mut levels = name.rsplit('/');
    let last = levels.next().unwrap_or_default();
    let counts =
        levels.next() == Some("counters") || last.ends_with("_total") || last.ends_with("_count");
    let kind = match hint {
        SignalKind::Text if last == "state" => SignalKind::State,
        SignalKind::Gauge if counts => SignalKind::Counter,
        hint => hint,
    };
    SignalSpec { kind, ..SignalSpec::default() }
}
