//! Keys for machines.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use metastore::{Scope, Token};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::auth::Admin;
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::{Body, Path};

/// A token to be made.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateToken {
    name: String,
    /// `write`, `read` or `all`.
    scope: String,
}

/// A token; `token` itself is there only in the answer that made it.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenView {
    id: u32,
    name: String,
    scope: &'static str,
    created_us: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

fn view(token: Token, secret: Option<String>) -> TokenView {
    TokenView {
        id: token.id,
        name: token.name,
        scope: token.scope.name(),
        created_us: token.created_us,
        token: secret,
    }
}

#[utoipa::path(get, path = "/api/v1/tokens", tag = "session", responses((status = 200, body = [TokenView])))]
/// All tokens, without their secrets.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Admin(caller): Admin,
) -> Result<Json<Vec<TokenView>>> {
    let tokens = app.state.metastore.tokens(caller.tenant).await?;
    Ok(Json(tokens.into_iter().map(|token| view(token, None)).collect()))
}

#[utoipa::path(post, path = "/api/v1/tokens", tag = "session", request_body = CreateToken, responses(
    (status = 200, body = TokenView), (status = 400, body = ErrorBody)))]
/// Makes a token and shows it once.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Admin(caller): Admin,
    Body(wanted): Body<CreateToken>,
) -> Result<Json<TokenView>> {
    let scope = Scope::parse(&wanted.scope).ok_or_else(|| {
        ApiError::invalid("scope", format!("`{}` is not write, read or all", wanted.scope))
    })?;
    let made = app.state.metastore.create_token(caller.tenant, &wanted.name, scope).await?;
    Ok(Json(view(made.token, Some(made.secret))))
}

#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "session", params(("id" = u32, Path)), responses(
    (status = 204), (status = 404, body = ErrorBody)))]
/// Takes a token away.
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Admin(caller): Admin,
    Path(id): Path<u32>,
) -> Result<StatusCode> {
    app.state.metastore.delete_token(caller.tenant, id).await?;
    app.believed.forget();
    Ok(StatusCode::NO_CONTENT)
}
