//! Stored mapping rules; what they do is [`crate::mapping`].

use signal::TenantId;
use signal::model::MappingRule;
use sqlx::SqliteConnection;

use crate::{Error, Metastore, Result, found, from_json, key, mapping, to_json};

/// Most rules of a tenant: each new address is held against all of them.
const MAX_RULES: u64 = 1_000;

impl Metastore {
    /// All mapping rules in the order in which they are tried.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mapping_rules(&self, tenant: TenantId) -> Result<Vec<MappingRule>> {
        all(&mut *self.pool.acquire().await?, tenant).await
    }

    /// Adds a rule behind the others; addresses that come after it follow it.
    ///
    /// # Errors
    /// When the rule cannot work, see [`mapping::check`], or there are 1,000 already.
    pub async fn create_mapping_rule(
        &self,
        tenant: TenantId,
        rule: &MappingRule,
    ) -> Result<MappingRule> {
        mapping::check(rule)
            .map_err(|error| Error::Invalid { field: error.field, message: error.message })?;
        let mut db = self.begin().await?;
        let n_rules: i64 =
            sqlx::query_scalar("SELECT count(*) FROM mapping_rules WHERE tenant = ?")
                .bind(key(tenant))
                .fetch_one(&mut *db)
                .await?;
        if n_rules as u64 >= MAX_RULES {
            return Err(Error::Limit { limit: "mapping_rule_limit", max: MAX_RULES });
        }
        let id: u32 = sqlx::query_scalar(
            "INSERT INTO mapping_rules (tenant, body) VALUES (?, ?) RETURNING id",
        )
        .bind(key(tenant))
        .bind(to_json(rule))
        .fetch_one(&mut *db)
        .await?;
        db.commit().await?;
        Ok(MappingRule { id, ..rule.clone() })
    }

    /// Takes a rule away; what it has placed stays where it is.
    ///
    /// # Errors
    /// When there is no such rule.
    pub async fn delete_mapping_rule(&self, tenant: TenantId, id: u32) -> Result<()> {
        let done = sqlx::query("DELETE FROM mapping_rules WHERE tenant = ? AND id = ?")
            .bind(key(tenant))
            .bind(id)
            .execute(&self.pool)
            .await?;
        found(done.rows_affected(), "mapping rule", id)
    }
}

pub(crate) async fn all(db: &mut SqliteConnection, tenant: TenantId) -> Result<Vec<MappingRule>> {
    let rows: Vec<(u32, String)> =
        sqlx::query_as("SELECT id, body FROM mapping_rules WHERE tenant = ? ORDER BY id")
            .bind(key(tenant))
            .fetch_all(db)
            .await?;
    rows.into_iter()
        .map(|(id, body)| Ok(MappingRule { id, ..from_json("a mapping rule", &body)? }))
        .collect()
}
