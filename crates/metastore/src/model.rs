//! The whole plant model at one moment.

use signal::model::{Asset, AssetType, Binding, MappingRule, Signal};
use signal::{SignalId, SourceId, TenantId};

use crate::{Metastore, Result, assets, key, library, mapping_rules, signals};

/// Everything declared about one tenant's plant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// Parents before their children.
    pub assets: Vec<Asset>,
    /// By identity.
    pub signals: Vec<Signal>,
    /// Which address feeds which signal.
    pub bindings: Vec<Binding>,
    /// In the order in which they are tried.
    pub rules: Vec<MappingRule>,
    /// The library.
    pub types: Vec<AssetType>,
}

impl Metastore {
    /// Reads the plant model in one transaction, so that its parts fit together.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load_model(&self, tenant: TenantId) -> Result<Model> {
        let mut db = self.pool.begin().await?;
        let bindings: Vec<(u32, String, u32, f64, f64)> =
            sqlx::query_as("SELECT source, address, signal, a, b FROM bindings WHERE tenant = ?")
                .bind(key(tenant))
                .fetch_all(&mut *db)
                .await?;
        let binding = |(source, address, signal, a, b)| Binding {
            source: SourceId(source),
            address,
            signal: SignalId(signal),
            a,
            b,
        };
        let model = Model {
            assets: assets::all(&mut db, tenant).await?,
            signals: signals::all(&mut db, tenant).await?,
            bindings: bindings.into_iter().map(binding).collect(),
            rules: mapping_rules::all(&mut db, tenant).await?,
            types: library().to_vec(),
        };
        db.commit().await?;
        Ok(model)
    }
}
