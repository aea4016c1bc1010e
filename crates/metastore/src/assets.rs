//! The tree of things in the plant.

use signal::model::{Asset, Signal};
use signal::{AssetId, TenantId};
use sqlx::SqliteConnection;

use crate::asset_types;
use crate::mapping::{MAX_BYTES, MAX_LEVELS, is_path};
use crate::{Error, Metastore, Result, found, is_taken, key, to_json};

/// Most assets of a tenant.
pub(crate) const MAX_ASSETS: u64 = 100_000;

/// An asset that somebody wants to add.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewAsset {
    /// What it is part of; none for a site.
    pub parent: Option<AssetId>,
    /// Its name, one level of the path.
    pub name: String,
    /// `site`, `line`, `machine`, …
    pub kind: String,
    /// Name of its type, if one is known.
    pub asset_type: Option<String>,
}

/// What is to change about an asset; none keeps what is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AssetPatch {
    /// A new place in the tree; `Some(None)` makes it a root.
    pub parent: Option<Option<AssetId>>,
    /// A new name.
    pub name: Option<String>,
    /// A new kind.
    pub kind: Option<String>,
    /// A new type; `Some(None)` takes the type away.
    pub asset_type: Option<Option<String>>,
}

pub(crate) type AssetRow = (u32, Option<u32>, String, String, String, Option<String>);

impl Metastore {
    /// Adds one asset below its parent.
    ///
    /// # Errors
    /// When the name is no path level, the parent or the type does not exist, the place is taken, or
    /// there are already 100,000 assets.
    pub async fn create_asset(&self, tenant: TenantId, new: &NewAsset) -> Result<Asset> {
        check_name(&new.name)?;
        check_type(new.asset_type.as_deref())?;
        let mut db = self.begin().await?;
        let path = path_below(&mut db, tenant, new.parent, &new.name).await?;
        let asset = insert(&mut db, tenant, new, &path).await?;
        db.commit().await?;
        Ok(asset)
    }

    /// Changes one asset. Its path, the paths of everything below it and of their signals follow.
    ///
    /// A new type gives its declarations to those signals of the asset that have none of their own.
    ///
    /// # Errors
    /// When the asset, parent or type does not exist, the new place is taken, or lies below the asset itself.
    pub async fn patch_asset(
        &self,
        tenant: TenantId,
        id: AssetId,
        patch: &AssetPatch,
    ) -> Result<Asset> {
        if let Some(name) = &patch.name {
            check_name(name)?;
        }
        if let Some(kind) = &patch.asset_type {
            check_type(kind.as_deref())?;
        }
        let mut db = self.begin().await?;
        let before = get(&mut db, tenant, id).await?;
        let mut after = before.clone();
        after.parent = patch.parent.unwrap_or(before.parent);
        after.name = patch.name.clone().unwrap_or(after.name);
        after.kind = patch.kind.clone().unwrap_or(after.kind);
        after.asset_type = patch.asset_type.clone().unwrap_or(after.asset_type);
        after.path = path_below(&mut db, tenant, after.parent, &after.name).await?;
        if after.path.starts_with(&format!("{}/", before.path)) {
            let message = "an asset cannot be part of itself".to_owned();
            return Err(Error::Invalid { field: "parent", message });
        }
        update(&mut db, tenant, &after).await?;
        if after.path != before.path {
            move_below(&mut db, tenant, &before.path, &after.path).await?;
        }
        if after.asset_type != before.asset_type {
            declare(&mut db, tenant, &after).await?;
        }
        db.commit().await?;
        Ok(after)
    }
}

/// The asset at `path`; it and what is missing above it are made. New ones are appended to `made`.
pub(crate) async fn ensure(
    db: &mut SqliteConnection,
    tenant: TenantId,
    path: &str,
    kinds: &[Option<String>],
    asset_type: Option<&str>,
    made: &mut Vec<Asset>,
) -> Result<Asset> {
    if let Some(asset) = by_path(db, tenant, path).await? {
        return Ok(asset);
    }
    let n_levels = path.split('/').count();
    if !is_path(path) || n_levels > MAX_LEVELS || path.len() > MAX_BYTES {
        let message =
            format!("`{path}` is not an asset path: 1 to {MAX_LEVELS} levels joined with `/`");
        return Err(Error::Invalid { field: "asset_path", message });
    }
    let mut parent: Option<Asset> = None;
    let mut end = 0;
    for level in 0..n_levels {
        end = path[end + usize::from(level > 0)..]
            .find('/')
            .map_or(path.len(), |at| at + end + usize::from(level > 0));
        let here = &path[..end];
        let asset = match by_path(db, tenant, here).await? {
            Some(asset) => asset,
            None => {
                let is_last = level + 1 == n_levels;
                let kind = kinds.get(level).cloned().flatten();
                let new = NewAsset {
                    parent: parent.as_ref().map(|parent| parent.id),
                    name: here.rsplit('/').next().unwrap_or(here).to_owned(),
                    kind: kind.unwrap_or_else(|| default_kind(level, is_last).to_owned()),
                    asset_type: asset_type.filter(|_| is_last).map(str::to_owned),
                };
                let asset = insert(db, tenant, &new, here).await?;
                made.push(asset.clone());
                asset
            }
        };
        parent = Some(asset);
    }
    parent.ok_or_else(|| Error::NotFound { what: "asset", id: path.to_owned() })
}

/// ISA-95 level names for paths that nobody has named the levels of.
fn default_kind(level: usize, is_last: bool) -> &'static str {
    match (level, is_last) {
        (0, false) => "site",
        (1, false) => "line",
        (_, false) => "cell",
        (0..=2, true) => "machine",
        (_, true) => "component",
    }
}

/// All assets, parents before their children.
pub(crate) async fn all(db: &mut SqliteConnection, tenant: TenantId) -> Result<Vec<Asset>> {
    let rows: Vec<AssetRow> =
        sqlx::query_as("SELECT id, parent, name, path, kind, asset_type FROM assets WHERE tenant = ? ORDER BY path")
            .bind(key(tenant))
            .fetch_all(db)
            .await?;
    Ok(rows.into_iter().map(asset_of).collect())
}

pub(crate) async fn by_path(
    db: &mut SqliteConnection,
    tenant: TenantId,
    path: &str,
) -> Result<Option<Asset>> {
    let row: Option<AssetRow> = sqlx::query_as(
        "SELECT id, parent, name, path, kind, asset_type FROM assets WHERE tenant = ? AND path = ?",
    )
    .bind(key(tenant))
    .bind(path)
    .fetch_optional(db)
    .await?;
    Ok(row.map(asset_of))
}

async fn get(db: &mut SqliteConnection, tenant: TenantId, id: AssetId) -> Result<Asset> {
    let row: Option<AssetRow> = sqlx::query_as(
        "SELECT id, parent, name, path, kind, asset_type FROM assets WHERE tenant = ? AND id = ?",
    )
    .bind(key(tenant))
    .bind(id.0)
    .fetch_optional(db)
    .await?;
    row.map(asset_of).ok_or_else(|| Error::NotFound { what: "asset", id: id.to_string() })
}

fn asset_of((id, parent, name, path, kind, asset_type): AssetRow) -> Asset {
    Asset { id: AssetId(id), parent: parent.map(AssetId), name, path, kind, asset_type }
}

async fn insert(
    db: &mut SqliteConnection,
    tenant: TenantId,
    new: &NewAsset,
    path: &str,
) -> Result<Asset> {
    let n_assets: i64 = sqlx::query_scalar("SELECT count(*) FROM assets WHERE tenant = ?")
        .bind(key(tenant))
        .fetch_one(&mut *db)
        .await?;
    if n_assets as u64 >= MAX_ASSETS {
        return Err(Error::Limit { limit: "asset_limit", max: MAX_ASSETS });
    }
    let kind = if new.kind.is_empty() { "machine" } else { &new.kind };
    let id: u32 = sqlx::query_scalar(
        "INSERT INTO assets (tenant, parent, name, path, kind, asset_type) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(key(tenant))
    .bind(new.parent.map(|parent| parent.0))
    .bind(&new.name)
    .bind(path)
    .bind(kind)
    .bind(&new.asset_type)
    .fetch_one(db)
    .await
    .map_err(|error| taken(error, path))?;
    Ok(Asset {
        id: AssetId(id),
        parent: new.parent,
        name: new.name.clone(),
        path: path.to_owned(),
        kind: kind.to_owned(),
        asset_type: new.asset_type.clone(),
    })
}

async fn update(db: &mut SqliteConnection, tenant: TenantId, asset: &Asset) -> Result<()> {
    let done = sqlx::query(
        "UPDATE assets SET parent = ?, name = ?, path = ?, kind = ?, asset_type = ? WHERE tenant = ? AND id = ?",
    )
    .bind(asset.parent.map(|parent| parent.0))
    .bind(&asset.name)
    .bind(&asset.path)
    .bind(&asset.kind)
    .bind(&asset.asset_type)
    .bind(key(tenant))
    .bind(asset.id.0)
    .execute(db)
    .await
    .map_err(|error| taken(error, &asset.path))?;
    found(done.rows_affected(), "asset", asset.id)
}

/// Gives everything below `from`, and the signals of `from` itself, their new paths.
async fn move_below(
    db: &mut SqliteConnection,
    tenant: TenantId,
    from: &str,
    to: &str,
) -> Result<()> {
    let below = format!("{from}/");
    sqlx::query(
        "UPDATE assets SET path = ?1 || substr(path, length(?2) + 1)
         WHERE tenant = ?3 AND substr(path, 1, length(?4)) = ?4",
    )
    .bind(to)
    .bind(from)
    .bind(key(tenant))
    .bind(&below)
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "UPDATE signals SET path = (SELECT assets.path FROM assets WHERE assets.id = signals.asset) || ':' || name
         WHERE tenant = ?1 AND asset IN
             (SELECT id FROM assets WHERE tenant = ?1 AND (path = ?2 OR substr(path, 1, length(?3)) = ?3))",
    )
    .bind(key(tenant))
    .bind(to)
    .bind(format!("{to}/"))
    .execute(db)
    .await?;
    Ok(())
}

/// Gives the declarations of the asset's type to those of its signals that have none.
async fn declare(db: &mut SqliteConnection, tenant: TenantId, asset: &Asset) -> Result<()> {
    let signals = crate::signals::of_asset(db, tenant, asset.id).await?;
    for mut signal in signals.into_iter().filter(is_undeclared) {
        let Some(spec) = template(asset.asset_type.as_deref(), &signal.name) else { continue };
        signal.spec = spec;
        sqlx::query("UPDATE signals SET spec = ? WHERE tenant = ? AND id = ?")
            .bind(to_json(&signal.spec))
            .bind(key(tenant))
            .bind(signal.id.0)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// Nobody has said anything about it but what kind of value came first.
pub(crate) fn is_undeclared(signal: &Signal) -> bool {
    let spec = &signal.spec;
    *spec == signal::model::SignalSpec { kind: spec.kind, ..Default::default() }
}

/// What a type says about a signal name.
pub(crate) fn template(asset_type: Option<&str>, name: &str) -> Option<signal::model::SignalSpec> {
    let kind = asset_types::find(asset_type?)?;
    kind.signals.iter().find(|template| template.name == name).map(|template| template.spec.clone())
}

async fn path_below(
    db: &mut SqliteConnection,
    tenant: TenantId,
    parent: Option<AssetId>,
    name: &str,
) -> Result<String> {
    let path = match parent {
        Some(parent) => format!("{}/{name}", get(db, tenant, parent).await?.path),
        None => name.to_owned(),
    };
    if path.len() > MAX_BYTES || path.split('/').count() > MAX_LEVELS {
        let message =
            format!("the path would be longer than {MAX_BYTES} bytes or {MAX_LEVELS} levels");
        return Err(Error::Invalid { field: "name", message });
    }
    Ok(path)
}

fn check_name(name: &str) -> Result<()> {
    if is_path(name) && !name.contains(['/', ':']) && name != "_raw" {
        return Ok(());
    }
    let message = format!("`{name}` is not a name: not empty, without `/` and `:`");
    Err(Error::Invalid { field: "name", message })
}

fn check_type(name: Option<&str>) -> Result<()> {
    match name {
        Some(name) if asset_types::find(name).is_none() => {
            Err(Error::NotFound { what: "asset type", id: name.to_owned() })
        }
        _ => Ok(()),
    }
}

fn taken(error: sqlx::Error, path: &str) -> Error {
    if is_taken(&error) {
        Error::Conflict(format!("there already is an asset `{path}`"))
    } else {
        error.into()
    }
}
