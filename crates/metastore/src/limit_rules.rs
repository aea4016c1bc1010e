//! Limits that people made, besides those of the asset types.

use signal::model::LimitRule;
use signal::{SignalId, TenantId};

use crate::{Error, Metastore, Result, found, from_json, key, to_json};

/// Most limit rules of a tenant.
const MAX_RULES: u64 = 100_000;

/// A limit on one signal.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRule {
    /// Identity; 0 for a rule that is not stored yet.
    pub id: u32,
    /// The signal it looks at.
    pub signal: SignalId,
    /// Whether it is evaluated.
    pub enabled: bool,
    /// The limit and its words.
    pub rule: LimitRule,
}

impl Metastore {
    /// All limit rules, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn limit_rules(&self, tenant: TenantId) -> Result<Vec<StoredRule>> {
        let rows: Vec<(u32, u32, bool, String)> = sqlx::query_as(
            "SELECT id, signal, enabled, rule FROM limit_rules WHERE tenant = ? ORDER BY id",
        )
        .bind(key(tenant))
        .fetch_all(&self.pool)
        .await?;
        let stored = |(id, signal, enabled, rule): (u32, u32, bool, String)| {
            Ok(StoredRule {
                id,
                signal: SignalId(signal),
                enabled,
                rule: from_json("a limit rule", &rule)?,
            })
        };
        rows.into_iter().map(stored).collect()
    }

    /// Adds a limit rule; its `id` is ignored and a new one is given.
    ///
    /// # Errors
    /// When the signal does not exist, the limit makes no sense, or there are 100,000 already.
    pub async fn create_limit_rule(
        &self,
        tenant: TenantId,
        new: &StoredRule,
    ) -> Result<StoredRule> {
        check_limit(&new.rule)?;
        let mut db = self.begin().await?;
        self.check_signal(&mut db, tenant, new.signal).await?;
        let n_rules: i64 = sqlx::query_scalar("SELECT count(*) FROM limit_rules WHERE tenant = ?")
            .bind(key(tenant))
            .fetch_one(&mut *db)
            .await?;
        if n_rules as u64 >= MAX_RULES {
            return Err(Error::Limit { limit: "limit_rule_limit", max: MAX_RULES });
        }
        let id: u32 = sqlx::query_scalar(
            "INSERT INTO limit_rules (tenant, signal, enabled, rule) VALUES (?, ?, ?, ?) RETURNING id",
        )
        .bind(key(tenant))
        .bind(new.signal.0)
        .bind(new.enabled)
        .bind(to_json(&new.rule))
        .fetch_one(&mut *db)
        .await?;
        db.commit().await?;
        Ok(StoredRule { id, ..new.clone() })
    }

    /// Replaces a limit rule.
    ///
    /// # Errors
    /// When rule or signal does not exist, or the limit makes no sense.
    pub async fn put_limit_rule(&self, tenant: TenantId, stored: &StoredRule) -> Result<()> {
        check_limit(&stored.rule)?;
        let mut db = self.begin().await?;
        self.check_signal(&mut db, tenant, stored.signal).await?;
        let done = sqlx::query(
            "UPDATE limit_rules SET signal = ?, enabled = ?, rule = ? WHERE tenant = ? AND id = ?",
        )
        .bind(stored.signal.0)
        .bind(stored.enabled)
        .bind(to_json(&stored.rule))
        .bind(key(tenant))
        .bind(stored.id)
        .execute(&mut *db)
        .await?;
        found(done.rows_affected(), "rule", stored.id)?;
        Ok(db.commit().await?)
    }

    /// Takes a limit rule away.
    ///
    /// # Errors
    /// When there is no such rule.
    pub async fn delete_limit_rule(&self, tenant: TenantId, id: u32) -> Result<()> {
        let done = sqlx::query("DELETE FROM limit_rules WHERE tenant = ? AND id = ?")
            .bind(key(tenant))
            .bind(id)
            .execute(&self.pool)
            .await?;
        found(done.rows_affected(), "rule", id)
    }

    async fn check_signal(
        &self,
        db: &mut sqlx::SqliteConnection,
        tenant: TenantId,
        id: SignalId,
    ) -> Result<()> {
        let n: i64 = sqlx::query_scalar("SELECT count(*) FROM signals WHERE tenant = ? AND id = ?")
            .bind(key(tenant))
            .bind(id.0)
            .fetch_one(db)
            .await?;
        found(n as u64, "signal", id)
    }
}

/// Whether a limit makes sense by itself.
///
/// # Errors
/// [`Error::Invalid`] with the field that does not.
pub fn check_limit(rule: &LimitRule) -> Result<()> {
    let invalid = |field, message: &str| Err(Error::Invalid { field, message: message.to_owned() });
    let is_bad = |value: Option<f64>| value.is_some_and(|value| !value.is_finite());
    if rule.above.is_none() && rule.below.is_none() {
        return invalid("above", "a limit needs `above` or `below`");
    }
    if is_bad(rule.above) || is_bad(rule.below) {
        return invalid("above", "a limit is a finite number");
    }
    if rule.above.zip(rule.below).is_some_and(|(above, below)| above <= below) {
        return invalid("below", "must lie under `above`");
    }
    if !rule.deadband.is_finite() || rule.deadband < 0.0 {
        return invalid("deadband", "must not be negative");
    }
    if !(1..=4).contains(&rule.priority) {
        return invalid("priority", "1 (most urgent) to 4");
    }
    const DAY_MS: u64 = 86_400_000;
    if rule.on_delay_ms > DAY_MS || rule.off_delay_ms > DAY_MS {
        return invalid("on_delay_ms", "a delay is at most one day");
    }
    Ok(())
}
