//! The newest picture of every alarm and every detector: what a restart begins with.
//!
//! The record of alarms is in the log and the lake; these copies only make the next start faster.

use signal::{AssetId, TenantId};

use crate::{Metastore, Result, key};

impl Metastore {
    /// Replaces the pictures of some alarms: identity, asset, and the alarm as JSON.
    ///
    /// # Errors
    /// When the database fails; none is replaced then.
    pub async fn alarm_put(
        &self,
        tenant: TenantId,
        alarms: &[(u32, AssetId, String)],
    ) -> Result<()> {
        let mut db = self.begin().await?;
        for (id, asset, body) in alarms {
            sqlx::query(
                "INSERT OR REPLACE INTO alarms (tenant, id, asset, body) VALUES (?, ?, ?, ?)",
            )
            .bind(key(tenant))
            .bind(id)
            .bind(asset.0)
            .bind(body)
            .execute(&mut *db)
            .await?;
        }
        Ok(db.commit().await?)
    }

    /// Identity and JSON of every alarm, by identity.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alarms(&self, tenant: TenantId) -> Result<Vec<(u32, String)>> {
        let rows = sqlx::query_as("SELECT id, body FROM alarms WHERE tenant = ? ORDER BY id")
            .bind(key(tenant));
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// Keeps what a detector has learned.
    ///
    /// # Errors
    /// When the asset does not exist or the database fails.
    pub async fn monitor_put(&self, tenant: TenantId, asset: AssetId, body: &str) -> Result<()> {
        sqlx::query("INSERT OR REPLACE INTO monitors (tenant, asset, body) VALUES (?, ?, ?)")
            .bind(key(tenant))
            .bind(asset.0)
            .bind(body)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// What every detector had learned when it was last kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn monitors(&self, tenant: TenantId) -> Result<Vec<(AssetId, String)>> {
        let rows: Vec<(u32, String)> =
            sqlx::query_as("SELECT asset, body FROM monitors WHERE tenant = ? ORDER BY asset")
                .bind(key(tenant))
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(|(asset, body)| (AssetId(asset), body)).collect())
    }
}
