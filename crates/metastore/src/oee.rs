//! When the plant works, and what counts as a loss.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use signal::{AssetId, TenantId};

use crate::{Error, Metastore, Result, key};

/// What OEE needs to know besides the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OeeSettings {
    /// IANA name of the plant's time zone, such as `Europe/Berlin`.
    pub time_zone: String,
    /// Shifts of a week, in local time.
    pub shifts: Vec<WorkShift>,
    /// Days on which no shift begins, such as `2026-12-25`.
    pub closed: Vec<String>,
    /// An unplanned stop shorter than this is a minor stop. Seconds.
    pub minor_stop_s: u32,
    /// What a state means, by its name; other names mean what they say.
    pub states: BTreeMap<String, StateRole>,
    /// Declared ideal cycles; other machines have the one that they have shown.
    pub cycles: Vec<IdealCycle>,
}

/// A shift on some days of every week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkShift {
    /// Its name in the plant.
    pub name: String,
    /// Days on which it begins, 1 for Monday to 7 for Sunday.
    pub days: Vec<u8>,
    /// Begin, `06:00`.
    pub from: String,
    /// End, `14:00`; on the next day unless later than `from`.
    pub to: String,
    /// Begin and end of its breaks.
    #[serde(default)]
    pub breaks: Vec<(String, String)>,
}

/// What one piece takes on a machine at the best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdealCycle {
    /// The machine.
    pub asset: AssetId,
    /// Seconds per piece.
    pub seconds: f64,
}

/// What a machine state means for OEE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateRole {
    /// It works on pieces.
    Running,
    /// It stands by plan.
    PlannedStop,
    /// It is set up for the next order.
    Setup,
    /// It stands unplanned.
    Down,
    /// Nobody knows.
    Unknown,
}

/// Three shifts a day, every day, in universal time; stops below five minutes are minor.
impl Default for OeeSettings {
    fn default() -> Self {
        let shift = |name: &str, from: &str, to: &str| WorkShift {
            name: name.to_owned(),
            days: (1..=7).collect(),
            from: from.to_owned(),
            to: to.to_owned(),
            breaks: Vec::new(),
        };
        Self {
            time_zone: "UTC".to_owned(),
            shifts: vec![
                shift("early", "06:00", "14:00"),
                shift("late", "14:00", "22:00"),
                shift("night", "22:00", "06:00"),
            ],
            closed: Vec::new(),
            minor_stop_s: 300,
            states: BTreeMap::new(),
            cycles: Vec::new(),
        }
    }
}

impl Metastore {
    /// The tenant's settings, or the defaults.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn oee_settings(&self, tenant: TenantId) -> Result<OeeSettings> {
        let body: Option<String> =
            sqlx::query_scalar("SELECT body FROM oee_settings WHERE tenant = ?")
                .bind(key(tenant))
                .fetch_optional(&self.pool)
                .await?;
        body.map_or_else(
            || Ok(OeeSettings::default()),
            |body| {
                serde_json::from_str(&body)
                    .map_err(|source| Error::Stored { what: "OEE settings", source })
            },
        )
    }

    /// Keeps the settings; the caller has seen that they make sense.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_oee_settings(&self, tenant: TenantId, settings: &OeeSettings) -> Result<()> {
        let body = serde_json::to_string(settings)
            .map_err(|source| Error::Stored { what: "OEE settings", source })?;
        sqlx::query("INSERT OR REPLACE INTO oee_settings (tenant, body) VALUES (?, ?)")
            .bind(key(tenant))
            .bind(body)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
