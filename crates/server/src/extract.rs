//! Reading requests: JSON bodies, queries and path parts that fail in our own words.

use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

/// The query of the address.
pub(crate) struct Query<T>(pub(crate) T);

/// The variable parts of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, ApiError> {
        match <axum::Json<T> as FromRequest<S>>::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Body(body)),
            Err(rejection) => Err(refusal(&rejection)),
        }
    }
}

/// For calls that need a body only sometimes: none when it is empty.
impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Body<T>>, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            ApiError::new(rejection.status(), "invalid", rejection.body_text())
        })?;
        if bytes.is_empty() {
            return Ok(None);
        }
        axum::Json::from_bytes(&bytes)
            .map(|axum::Json(body)| Some(Body(body)))
            .map_err(|error| refusal(&error))
    }
}

fn refusal(rejection: &JsonRejection) -> ApiError {
    let text = rejection.body_text();
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text)
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => no_json(),
        _ => {
            let error = ApiError::new(StatusCode::BAD_REQUEST, "invalid", text.clone());
            match named_field(&text) {
                Some(field) => error.field(field),
                None => error,
            }
        }
    }
}

/// A change without `Content-Type: application/json`, which a foreign page could have sent.
pub(crate) fn no_json() -> ApiError {
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "content_type",
        "changes need a JSON content type",
    )
    .hint("send the header `Content-Type: application/json`, also without a body")
}

/// The field that serde names, between the first pair of backticks or before the first colon of the path.
fn named_field(text: &str) -> Option<&str> {
    let text = text
        .strip_prefix("Failed to deserialize the JSON body into the target type: ")
        .unwrap_or(text);
    if let Some((path, _)) = text.split_once(": ")
        && !path.is_empty()
        && path.chars().all(|c| c.is_ascii_alphanumeric() || "_.[]".contains(c))
    {
        return Some(path);
    }
    text.split('`').nth(1).filter(|name| !name.is_empty() && !name.contains(' '))
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, ApiError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Query(query)),
            Err(rejection) => {
                Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid", rejection.body_text()).field(
                    named_field(
                        &rejection.body_text().replace("Failed to deserialize query string: ", ""),
                    )
                    .unwrap_or("query"),
                ))
            }
        }
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Path(path)),
            Err(rejection) => Err(ApiError::not_found("not_found", rejection.body_text())),
        }
    }
}
