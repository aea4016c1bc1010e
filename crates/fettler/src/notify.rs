//! Calls people when an alarm rings: webhooks and MQTT.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use connect::mqtt::BrokerHandle;
use ingest::{Alarm, AlarmChange};
use metastore::{Channel, Metastore, NewNotification};
use signal::TenantId;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// A webhook that does not answer is tried so often.
const TRIES: u32 = 5;
/// Webhooks on their way at a time.
const MAX_CALLS: usize = 32;

/// Sends notifications.
#[derive(Clone)]
pub(crate) struct Notifier {
    metastore: Metastore,
    tenant: TenantId,
    broker: BrokerHandle,
    http: reqwest::Client,
    calls: Arc<tokio::sync::Semaphore>,
}

impl Notifier {
    pub(crate) fn new(
        metastore: Metastore,
        tenant: TenantId,
        broker: BrokerHandle,
    ) -> anyhow::Result<Notifier> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot make the client for webhooks")?;
        let calls = Arc::new(tokio::sync::Semaphore::new(MAX_CALLS));
        Ok(Notifier { metastore, tenant, broker, http, calls })
    }

    /// Publishes every alarm change to `fettler/alarms/<id>`, and calls who wants to be called when one rings.
    pub(crate) async fn run(
        self,
        mut changes: broadcast::Receiver<AlarmChange>,
        stop: CancellationToken,
    ) {
        loop {
            let change = tokio::select! {
                () = stop.cancelled() => return,
                change = changes.recv() => change,
            };
            match change {
                Ok(change) => self.on_change(&change).await,
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::error!(missed, "alarm changes came faster than notifications go out");
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    async fn on_change(&self, change: &AlarmChange) {
        let alarm = &change.alarm;
        let Ok(body) = serde_json::to_vec(&**alarm) else { return };
        self.broker.publish(&format!("fettler/alarms/{}", alarm.id), &body, true);
        if !change.rings {
            return;
        }
        let wanted = match self.metastore.notifications(self.tenant).await {
            Ok(wanted) => wanted,
            Err(error) => {
                tracing::error!(%error, alarm = alarm.id, "nobody was called: notifications cannot be read");
                return;
            }
        };
        for notification in wanted.into_iter().map(|notification| notification.what) {
            if alarm.priority > notification.min_priority {
                continue;
            }
            match notification.channel {
                Channel::Mqtt => self.broker.publish(&notification.target, &body, false),
                Channel::Webhook => {
                    self.call_in_background(notification.target, alarm.clone(), body.clone());
                }
            }
        }
    }

    fn call_in_background(&self, url: String, alarm: Arc<Alarm>, body: Vec<u8>) {
        let Ok(permit) = self.calls.clone().try_acquire_owned() else {
            tracing::error!(
                url,
                alarm = alarm.id,
                "webhook not called, {MAX_CALLS} are on their way"
            );
            return;
        };
        let notifier = self.clone();
        tokio::spawn(async move {
            let _permit = permit;
            for attempt in 0..TRIES {
                match notifier.call(&url, body.clone()).await {
                    Ok(()) => return,
                    Err(error) if attempt + 1 == TRIES => {
                        tracing::error!(
                            url,
                            alarm = alarm.id,
                            error = format!("{error:#}"),
                            "webhook not reached"
                        );
                    }
                    Err(_) => tokio::time::sleep(Duration::from_secs(1 << attempt)).await,
                }
            }
        });
    }

    async fn call(&self, url: &str, body: Vec<u8>) -> anyhow::Result<()> {
        let request = self.http.post(url).header("content-type", "application/json").body(body);
        let answer = request.send().await.with_context(|| format!("cannot reach {url}"))?;
        if !answer.status().is_success() {
            bail!("{url} answered {}", answer.status());
        }
        Ok(())
    }

    /// Sends one message that says it is a test.
    pub(crate) async fn test(&self, notification: &NewNotification) -> anyhow::Result<()> {
        let body = br#"{"test": true, "message": "This is a test from Fettler; no alarm rings."}"#;
        match notification.channel {
            Channel::Mqtt => {
                self.broker.publish(&notification.target, body, false);
                Ok(())
            }
            Channel::Webhook => self.call(&notification.target, body.to_vec()).await,
        }
    }
}
