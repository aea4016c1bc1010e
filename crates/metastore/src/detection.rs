//! How eagerly machines are judged.

use signal::{AssetId, TenantId};

use crate::{Error, Metastore, Result, key};

/// The detection of one asset, or of all that have no setting of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectionSetting {
    /// None: the default for all.
    pub asset: Option<AssetId>,
    /// Whether it is judged at all.
    pub enabled: bool,
    /// The false-alarm budget: about one in so many days.
    pub days_per_false_alarm: f64,
}

impl Metastore {
    /// All settings; the default, if one was set, comes first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn detection_settings(&self, tenant: TenantId) -> Result<Vec<DetectionSetting>> {
        let rows: Vec<(u32, bool, f64)> = sqlx::query_as(
            "SELECT asset, enabled, days_per_false_alarm FROM detection_settings WHERE tenant = ? ORDER BY asset",
        )
        .bind(key(tenant))
        .fetch_all(&self.pool)
        .await?;
        let setting = |(asset, enabled, days_per_false_alarm)| DetectionSetting {
            asset: (asset != 0).then_some(AssetId(asset)),
            enabled,
            days_per_false_alarm,
        };
        Ok(rows.into_iter().map(setting).collect())
    }

    /// Keeps a setting.
    ///
    /// # Errors
    /// When the budget is not between 1 hour and 10 years, or the database fails.
    pub async fn set_detection(&self, tenant: TenantId, setting: DetectionSetting) -> Result<()> {
        let days = setting.days_per_false_alarm;
        if !(1.0 / 24.0..=3_650.0).contains(&days) {
            let message =
                format!("{days} is not between 1/24 (one per hour) and 3650 (one in ten years)");
            return Err(Error::Invalid { field: "days_per_false_alarm", message });
        }
        sqlx::query(
            "INSERT OR REPLACE INTO detection_settings (tenant, asset, enabled, days_per_false_alarm)
             VALUES (?, ?, ?, ?)",
        )
        .bind(key(tenant))
        .bind(setting.asset.map_or(0, |asset| asset.0))
        .bind(setting.enabled)
        .bind(days)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
