//! Logging in and out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metastore::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::auth::{self, COOKIE, Caller, Door, SESSION_US};
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::Body;

/// Name and password.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Login {
    user: String,
    password: String,
}

/// Who is logged in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    user: String,
    /// `operator`, `engineer`, `admin`; for a token its scope, `read` or `all`.
    role: &'static str,
    tenant: u32,
    must_change_password: bool,
}

/// The old and the new password.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ChangePassword {
    old: String,
    new: String,
}

#[utoipa::path(post, path = "/api/v1/login", tag = "session", request_body = Login, responses(
    (status = 200, body = Me), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody)))]
/// Logs a person in and sets the session cookie.
pub(crate) async fn login(
    State(app): State<Arc<App>>,
    Body(login): Body<Login>,
) -> Result<Response> {
    let user =
        auth::verify_password(&app, &login.user, &login.password).await?.ok_or_else(|| {
            ApiError::new(
                StatusCode::UNAUTHORIZED,
                "wrong_credentials",
                "user or password is wrong",
            )
        })?;
    let secret = app.state.metastore.create_session(&user, app.now_us(), SESSION_US).await?;
    let me = Me {
        user: user.name,
        role: user.role.name(),
        tenant: user.tenant.0,
        must_change_password: user.must_change_password,
    };
    let mut response = Json(me).into_response();
    set_cookie(&mut response, &secret, SESSION_US / signal::SECOND_US);
    Ok(response)
}

#[utoipa::path(post, path = "/api/v1/logout", tag = "session", responses((status = 204)))]
/// Ends the session.
pub(crate) async fn logout(State(app): State<Arc<App>>, parts: Parts) -> Result<Response> {
    if let Some(Caller { door: Door::Person { session: Some(secret), .. }, .. }) =
        auth::identify(&parts, &app).await?
    {
        app.state.metastore.end_session(&secret).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, "", 0);
    Ok(response)
}

#[utoipa::path(get, path = "/api/v1/me", tag = "session", responses(
    (status = 200, body = Me), (status = 401, body = ErrorBody)))]
/// Who is calling.
pub(crate) async fn me(auth::Reader(caller): auth::Reader) -> Json<Me> {
    let (role, must_change_password) = match &caller.door {
        Door::Person { role, must_change_password, .. } => (role.name(), *must_change_password),
        Door::Token(scope) => (scope.name(), false),
        Door::Loopback => (Role::Operator.name(), false),
    };
    Json(Me { user: caller.name, role, tenant: caller.tenant.0, must_change_password })
}

#[utoipa::path(post, path = "/api/v1/me/password", tag = "session", request_body = ChangePassword, responses(
    (status = 204), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
/// Gives the caller a new password and ends all their sessions but a new one.
pub(crate) async fn change_password(
    State(app): State<Arc<App>>,
    auth::Reader(caller): auth::Reader,
    Body(change): Body<ChangePassword>,
) -> Result<Response> {
    let Door::Person { id, .. } = caller.door else {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "not_allowed", "a token has no password"));
    };
    if auth::verify_password(&app, &caller.name, &change.old).await?.is_none() {
        return Err(ApiError::invalid("old", "the old password is wrong"));
    }
    let changed = app.state.metastore.set_password(caller.tenant, id, &change.new).await;
    changed.map_err(|error| match error {
        metastore::Error::Invalid { message, .. } => ApiError::invalid("new", message),
        error => error.into(),
    })?;
    app.believed.forget();
    let mut response = StatusCode::NO_CONTENT.into_response();
    let user = app.state.metastore.verify_password(&caller.name, &change.new).await?;
    if let Some(user) = user {
        let secret = app.state.metastore.create_session(&user, app.now_us(), SESSION_US).await?;
        set_cookie(&mut response, &secret, SESSION_US / signal::SECOND_US);
    }
    Ok(response)
}

fn set_cookie(response: &mut Response, secret: &str, lives_s: i64) {
    let cookie = format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={lives_s}");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}
