//! The one WebSocket of a tab: values, health, alarms and the balance as they change.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use ingest::AlarmChange;
use serde::{Deserialize, Serialize};
use serde_json::json;
use signal::SignalId;
use tokio::sync::broadcast;

use crate::App;
use crate::auth::Reader;
use crate::hub::Membership;
use crate::pulse::{Beat, HealthRow};

/// Most signals or assets that one tab may follow.
const MAX_FOLLOWED: usize = 5_000;
/// Largest message from a tab: room for `MAX_FOLLOWED` numbers.
const MAX_MESSAGE_BYTES: usize = 256 << 10;

/// What a tab sends.
#[derive(Deserialize)]
struct Wish {
    subscribe: Subscribe,
}

/// What a tab wants to follow; replaces what it followed before.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Subscribe {
    signals: Vec<u32>,
    assets: Vec<u32>,
    alarms: bool,
}

#[derive(Serialize)]
struct HealthMessage<'a> {
    r#type: &'static str,
    assets: Vec<&'a HealthRow>,
}

/// One tab.
struct Tab {
    app: Arc<App>,
    socket: WebSocket,
    values: Option<Membership>,
    assets: HashSet<u32>,
    told: HashMap<u32, HealthRow>,
    alarms: bool,
}

/// Why a socket ends.
enum End {
    /// The tab went away.
    Gone,
    /// We end it, and say why.
    Close { code: u16, reason: &'static str },
}

#[utoipa::path(get, path = "/api/v1/live", tag = "live", responses((status = 101, description = "a WebSocket; see docs/reference/http-api.md")))]
/// Opens the tab's WebSocket.
pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    _: Reader,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.max_message_size(MAX_MESSAGE_BYTES).on_upgrade(|socket| async move {
        let tab = Tab {
            app,
            socket,
            values: None,
            assets: HashSet::new(),
            told: HashMap::new(),
            alarms: false,
        };
        tab.run().await;
    })
}

impl Tab {
    async fn run(mut self) {
        // Subscribed before the greeting tells the number of the newest change, so that none falls between.
        let alarms = self.app.state.ingest.live().alarms();
        if let Err(End::Close { code, reason }) = self.talk(alarms).await {
            let close =
                Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
            // A tab that does not read does not read this either; the socket is dropped all the same.
            let _ = tokio::time::timeout(Duration::from_secs(1), self.socket.send(close)).await;
        }
    }

    async fn talk(&mut self, mut alarms: broadcast::Receiver<AlarmChange>) -> Result<(), End> {
        let mut beats = self.app.pulse.watch();
        let closing = self.app.closing.clone();
        let hello = json!({ "type": "hello", "now_us": self.app.now_us(), "alarm_seq": self.app.state.ingest.alarm_seq() });
        self.send(hello.to_string().into()).await?;
        loop {
            // Every arm is safe to cancel: receivers keep what they have not handed out.
            tokio::select! {
                () = closing.cancelled() => {
                    return Err(End::Close { code: close_code::RESTART, reason: "Fettler is stopping" });
                }
                message = self.socket.recv() => self.hear(message).await?,
                batch = next_batch(&mut self.values) => {
                    if let Some(batch) = batch {
                        self.send(batch).await?;
                    }
                }
                change = alarms.recv() => self.tell_alarm(change).await?,
                Ok(()) = beats.changed() => {
                    let beat = beats.borrow_and_update().clone();
                    self.tell_beat(&beat).await?;
                }
            }
        }
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Binary(_))) => {
                return Err(End::Close {
                    code: close_code::UNSUPPORTED,
                    reason: "only text messages",
                });
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
        };
        let Ok(Wish { subscribe }) = serde_json::from_str::<Wish>(&text) else {
            return Err(End::Close {
                code: close_code::INVALID,
                reason: "expected {\"subscribe\": {…}}",
            });
        };
        if subscribe.signals.len() > MAX_FOLLOWED || subscribe.assets.len() > MAX_FOLLOWED {
            return Err(End::Close {
                code: close_code::POLICY,
                reason: "at most 5000 signals and 5000 assets",
            });
        }
        self.follow(subscribe).await
    }

    async fn follow(&mut self, wish: Subscribe) -> Result<(), End> {
        self.alarms = wish.alarms;
        self.assets = wish.assets.into_iter().collect();
        self.told.clear();
        self.values = None;
        if !wish.signals.is_empty() {
            let group = self.app.hub.join(wish.signals.into_iter().map(SignalId).collect());
            let picture = group.picture();
            self.values = Some(group);
            if let Some(picture) = picture {
                self.send(picture).await?;
            }
        }
        let beat = self.app.pulse.watch().borrow().clone();
        if beat.status.is_empty() { Ok(()) } else { self.tell_beat(&beat).await }
    }

    async fn tell_alarm(
        &mut self,
        change: Result<AlarmChange, broadcast::error::RecvError>,
    ) -> Result<(), End> {
        match change {
            Ok(change) if self.alarms => {
                let message =
                    json!({ "type": "alarm", "seq": change.alarm.seq, "alarm": *change.alarm });
                self.send(message.to_string().into()).await
            }
            Ok(_) => Ok(()),
            Err(broadcast::error::RecvError::Lagged(_)) if self.alarms => {
                Err(End::Close { code: close_code::AGAIN, reason: "too slow for the alarms" })
            }
            Err(broadcast::error::RecvError::Lagged(_)) => Ok(()),
            Err(broadcast::error::RecvError::Closed) => {
                Err(End::Close { code: close_code::RESTART, reason: "Fettler is stopping" })
            }
        }
    }

    /// Health of the assets that the tab follows, where it changed, and the balance.
    async fn tell_beat(&mut self, beat: &Beat) -> Result<(), End> {
        let followed = beat.health.iter().filter(|row| self.assets.contains(&row.0));
        let changed: Vec<&HealthRow> =
            followed.filter(|row| self.told.get(&row.0) != Some(row)).collect();
        if !changed.is_empty() {
            let message = HealthMessage { r#type: "health", assets: changed.clone() };
            let text = serde_json::to_string(&message).unwrap_or_default();
            self.told.extend(changed.into_iter().map(|row| (row.0, row.clone())));
            self.send(text.into()).await?;
        }
        self.send(beat.status.clone()).await
    }

    async fn send(&mut self, text: Utf8Bytes) -> Result<(), End> {
        match tokio::time::timeout(
            self.app.options.slow_tab_after,
            self.socket.send(Message::Text(text)),
        )
        .await
        {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Close { code: close_code::AGAIN, reason: "too slow" }),
        }
    }
}

/// The next batch of values; waits for ever while nothing is followed.
async fn next_batch(values: &mut Option<Membership>) -> Option<Utf8Bytes> {
    match values {
        Some(group) => group.next().await,
        None => std::future::pending().await,
    }
}
