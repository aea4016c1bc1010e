//! Whom alarms call.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use metastore::{Channel, NewNotification, Notification};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::auth::{Engineer, Reader};
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::{Body, Path};

/// Somebody to be called.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateNotification {
    /// `webhook` or `mqtt`.
    kind: String,
    /// URL or topic.
    target: String,
    /// Only alarms of this priority or more urgent: 1 to 4.
    min_priority: u8,
}

/// Somebody who is called.
#[derive(Serialize, ToSchema)]
pub(crate) struct NotificationView {
    id: u32,
    kind: &'static str,
    target: String,
    min_priority: u8,
}

fn view(notification: Notification) -> NotificationView {
    let Notification { id, what } = notification;
    NotificationView {
        id,
        kind: what.channel.name(),
        target: what.target,
        min_priority: what.min_priority,
    }
}

#[utoipa::path(get, path = "/api/v1/notifications", tag = "alarms", responses(
    (status = 200, body = [NotificationView])))]
/// All notifications.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
) -> Result<Json<Vec<NotificationView>>> {
    let notifications = app.state.metastore.notifications(caller.tenant).await?;
    Ok(Json(notifications.into_iter().map(view).collect()))
}

#[utoipa::path(post, path = "/api/v1/notifications", tag = "alarms", request_body = CreateNotification, responses(
    (status = 200, body = NotificationView), (status = 400, body = ErrorBody)))]
/// Adds a notification.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Body(wanted): Body<CreateNotification>,
) -> Result<Json<NotificationView>> {
    let channel = Channel::parse(&wanted.kind).ok_or_else(|| {
        ApiError::invalid("kind", format!("`{}` is not webhook or mqtt", wanted.kind))
    })?;
    let new = NewNotification { channel, target: wanted.target, min_priority: wanted.min_priority };
    Ok(Json(view(app.state.metastore.create_notification(caller.tenant, &new).await?)))
}

#[utoipa::path(delete, path = "/api/v1/notifications/{id}", tag = "alarms", params(("id" = u32, Path)), responses(
    (status = 204), (status = 404, body = ErrorBody)))]
/// Takes a notification away.
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Path(id): Path<u32>,
) -> Result<StatusCode> {
    app.state.metastore.delete_notification(caller.tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/v1/notifications/{id}/test", tag = "alarms", params(("id" = u32, Path)),
    responses((status = 204), (status = 404, body = ErrorBody), (status = 502, body = ErrorBody)))]
/// Sends a test message the way an alarm would go.
pub(crate) async fn test(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Path(id): Path<u32>,
) -> Result<StatusCode> {
    let all = app.state.metastore.notifications(caller.tenant).await?;
    let wanted = all.into_iter().find(|notification| notification.id == id).ok_or_else(|| {
        ApiError::not_found("unknown_notification", format!("notification {id} does not exist"))
    })?;
    match (app.state.test_notification)(wanted.what).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(reason) => Err(ApiError::new(StatusCode::BAD_GATEWAY, "not_delivered", reason)
            .hint("check the target from this machine, for example with curl")),
    }
}
