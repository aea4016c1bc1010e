//! The doors that data comes in through.

use signal::model::Source;
use signal::{SourceId, TenantId};

use crate::{Error, Metastore, Result, key};

impl Metastore {
    /// The source of that name, made if it is new. A known source keeps its protocol.
    ///
    /// # Errors
    /// When the name is empty or holds a `/` (it is one level of `_raw/<name>/…`), or the database fails.
    pub async fn source(&self, tenant: TenantId, name: &str, protocol: &str) -> Result<Source> {
        if name.is_empty() || name.contains('/') || name.len() > 200 {
            let message = format!("`{name}` is not a source name: 1 to 200 bytes without `/`");
            return Err(Error::Invalid { field: "name", message });
        }
        sqlx::query(
            "INSERT INTO sources (tenant, name, protocol) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(key(tenant))
        .bind(name)
        .bind(protocol)
        .execute(&self.pool)
        .await?;
        let row: (u32, String, String) =
            sqlx::query_as("SELECT id, name, protocol FROM sources WHERE tenant = ? AND name = ?")
                .bind(key(tenant))
                .bind(name)
                .fetch_one(&self.pool)
                .await?;
        Ok(source_of(row))
    }

    /// All sources, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sources(&self, tenant: TenantId) -> Result<Vec<Source>> {
        let rows: Vec<(u32, String, String)> =
            sqlx::query_as("SELECT id, name, protocol FROM sources WHERE tenant = ? ORDER BY id")
                .bind(key(tenant))
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(source_of).collect())
    }
}

fn source_of((id, name, protocol): (u32, String, String)) -> Source {
    Source { id: SourceId(id), name, protocol }
}
