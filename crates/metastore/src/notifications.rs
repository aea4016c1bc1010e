//! Whom alarms call.

use signal::TenantId;

use crate::{Error, Metastore, Result, found, key};

/// Most notifications of a tenant.
const MAX_NOTIFICATIONS: u64 = 100;

/// How a notification travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// HTTP POST to a URL.
    Webhook,
    /// A message on our own broker.
    Mqtt,
}

impl Channel {
    /// The name used in the API and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Webhook => "webhook",
            Channel::Mqtt => "mqtt",
        }
    }

    /// The channel of that name.
    pub fn parse(name: &str) -> Option<Channel> {
        [Channel::Webhook, Channel::Mqtt].into_iter().find(|channel| channel.name() == name)
    }
}

/// A notification that somebody wants to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotification {
    /// How it travels.
    pub channel: Channel,
    /// URL or topic.
    pub target: String,
    /// Only alarms of this priority or more urgent: 1 to 4.
    pub min_priority: u8,
}

/// Somebody to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Identity.
    pub id: u32,
    /// What was asked for.
    pub what: NewNotification,
}

impl Metastore {
    /// All notifications, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notifications(&self, tenant: TenantId) -> Result<Vec<Notification>> {
        let rows: Vec<(u32, String, String, u8)> = sqlx::query_as(
            "SELECT id, kind, target, min_priority FROM notifications WHERE tenant = ? ORDER BY id",
        )
        .bind(key(tenant))
        .fetch_all(&self.pool)
        .await?;
        let one = |(id, kind, target, min_priority): (u32, String, String, u8)| {
            let channel = Channel::parse(&kind)?;
            Some(Notification { id, what: NewNotification { channel, target, min_priority } })
        };
        Ok(rows.into_iter().filter_map(one).collect())
    }

    /// Adds a notification.
    ///
    /// # Errors
    /// When the target is no URL or topic, the priority is not 1 to 4, or there are 100 already.
    pub async fn create_notification(
        &self,
        tenant: TenantId,
        new: &NewNotification,
    ) -> Result<Notification> {
        check(new)?;
        let mut db = self.begin().await?;
        let n: i64 = sqlx::query_scalar("SELECT count(*) FROM notifications WHERE tenant = ?")
            .bind(key(tenant))
            .fetch_one(&mut *db)
            .await?;
        if n as u64 >= MAX_NOTIFICATIONS {
            return Err(Error::Limit { limit: "notification_limit", max: MAX_NOTIFICATIONS });
        }
        let id: u32 = sqlx::query_scalar(
            "INSERT INTO notifications (tenant, kind, target, min_priority) VALUES (?, ?, ?, ?) RETURNING id",
        )
        .bind(key(tenant))
        .bind(new.channel.name())
        .bind(&new.target)
        .bind(new.min_priority)
        .fetch_one(&mut *db)
        .await?;
        db.commit().await?;
        Ok(Notification { id, what: new.clone() })
    }

    /// Takes a notification away.
    ///
    /// # Errors
    /// When there is no such notification.
    pub async fn delete_notification(&self, tenant: TenantId, id: u32) -> Result<()> {
        let done = sqlx::query("DELETE FROM notifications WHERE tenant = ? AND id = ?")
            .bind(key(tenant))
            .bind(id)
            .execute(&self.pool)
            .await?;
        found(done.rows_affected(), "notification", id)
    }
}

fn check(new: &NewNotification) -> Result<()> {
    let invalid = |field, message: &str| Err(Error::Invalid { field, message: message.to_owned() });
    let target = new.target.as_str();
    if target.is_empty() || target.len() > 1_000 || target.chars().any(char::is_control) {
        return invalid("target", "1 to 1,000 characters");
    }
    match new.channel {
        Channel::Webhook if !target.starts_with("http://") && !target.starts_with("https://") => {
            return invalid("target", "a webhook is an http:// or https:// address");
        }
        Channel::Mqtt if target.contains(['+', '#']) => {
            return invalid("target", "a topic to publish on has no wildcards");
        }
        Channel::Webhook | Channel::Mqtt => {}
    }
    if !(1..=4).contains(&new.min_priority) {
        return invalid("min_priority", "1 (only the most urgent) to 4 (all)");
    }
    Ok(())
}
