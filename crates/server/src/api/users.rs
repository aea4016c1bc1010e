//! People.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use metastore::{NewUser, Role, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::auth::Admin;
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::{Body, Path};

/// A person to be added; they choose their own password at their first login.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateUser {
    name: String,
    password: String,
    /// `operator`, `engineer` or `admin`.
    role: String,
}

/// A person.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    id: u32,
    name: String,
    role: &'static str,
    must_change_password: bool,
    created_us: i64,
}

fn view(user: User) -> UserView {
    UserView {
        id: user.id,
        name: user.name,
        role: user.role.name(),
        must_change_password: user.must_change_password,
        created_us: user.created_us,
    }
}

#[utoipa::path(get, path = "/api/v1/users", tag = "session", responses((status = 200, body = [UserView])))]
/// All people.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Admin(caller): Admin,
) -> Result<Json<Vec<UserView>>> {
    let users = app.state.metastore.users(caller.tenant).await?;
    Ok(Json(users.into_iter().map(view).collect()))
}

#[utoipa::path(post, path = "/api/v1/users", tag = "session", request_body = CreateUser, responses(
    (status = 200, body = UserView), (status = 400, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Adds a person.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Admin(caller): Admin,
    Body(wanted): Body<CreateUser>,
) -> Result<Json<UserView>> {
    let role = Role::parse(&wanted.role).ok_or_else(|| {
        ApiError::invalid("role", format!("`{}` is not operator, engineer or admin", wanted.role))
    })?;
    let new =
        NewUser { name: wanted.name, password: wanted.password, role, must_change_password: true };
    Ok(Json(view(app.state.metastore.create_user(caller.tenant, &new).await?)))
}

#[utoipa::path(delete, path = "/api/v1/users/{id}", tag = "session", params(("id" = u32, Path)), responses(
    (status = 204), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Takes a person and their sessions away; the last admin stays.
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Admin(caller): Admin,
    Path(id): Path<u32>,
) -> Result<StatusCode> {
    app.state.metastore.delete_user(caller.tenant, id).await?;
    app.believed.forget();
    Ok(StatusCode::NO_CONTENT)
}
