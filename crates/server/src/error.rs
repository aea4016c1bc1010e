//! The one form in which a call fails: `{"error": {code, message, hint, field}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a call failed, for its reader.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// For programs: stable, lowercase with underscores.
    pub(crate) code: &'static str,
    /// For people: what went wrong with which thing.
    pub(crate) message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// Which part of the request is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// The thing as it is now, for a 409.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) present: Option<serde_json::Value>,
}

/// The body of every answer that is not a success.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    error: Problem,
}

/// A failed call.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// Boxed, so that the good way stays small.
    pub(crate) problem: Box<Problem>,
    pub(crate) retry_after_s: Option<u32>,
}

pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> ApiError {
        let problem =
            Problem { code, message: message.into(), hint: None, field: None, present: None };
        ApiError { status, problem: Box::new(problem), retry_after_s: None }
    }

    /// Theirs: a part of the request cannot be used.
    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid", message).field(field)
    }

    /// Theirs: there is no such thing.
    pub(crate) fn not_found(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, code, message)
    }

    /// Ours: the log has the chain of causes, the caller does not.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> ApiError {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            source = cause.source();
        }
        tracing::error!(error = chain, "a call failed");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "this is our fault; the log says more",
        )
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> ApiError {
        self.problem.hint = Some(hint.into());
        self
    }

    pub(crate) fn field(mut self, field: &str) -> ApiError {
        self.problem.field = Some(field.to_owned());
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u32) -> ApiError {
        self.retry_after_s = Some(seconds);
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorBody { error: *self.problem })).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<metastore::Error> for ApiError {
    fn from(error: metastore::Error) -> ApiError {
        match error {
            metastore::Error::NotFound { what, .. } => {
                ApiError::not_found(unknown(what), error.to_string())
            }
            metastore::Error::Conflict(message) => {
                ApiError::new(StatusCode::CONFLICT, "conflict", message)
            }
            metastore::Error::Invalid { field, message } => ApiError::invalid(field, message),
            metastore::Error::Limit { limit, .. } => {
                ApiError::new(StatusCode::CONFLICT, limit, error.to_string())
            }
            error => ApiError::internal(&error),
        }
    }
}

impl From<ingest::Error> for ApiError {
    fn from(error: ingest::Error) -> ApiError {
        ApiError::internal(&error)
    }
}

impl From<lake::Error> for ApiError {
    fn from(error: lake::Error) -> ApiError {
        match error {
            lake::Error::Query(message) => {
                ApiError::new(StatusCode::BAD_REQUEST, "bad_query", message).field("query")
            }
            lake::Error::Timeout(_) => {
                ApiError::new(StatusCode::BAD_REQUEST, "query_timeout", error.to_string())
                    .field("query")
                    .hint("ask for less time, fewer signals, or aggregate")
            }
            error @ lake::Error::Table { .. } => ApiError::internal(&error),
        }
    }
}

fn unknown(what: &str) -> &'static str {
    match what {
        "asset" => "unknown_asset",
        "asset type" => "unknown_asset_type",
        "signal" => "unknown_signal",
        "rule" => "unknown_rule",
        "mapping rule" => "unknown_mapping_rule",
        "notification" => "unknown_notification",
        "token" => "unknown_token",
        "user" => "unknown_user",
        _ => "not_found",
    }
}
