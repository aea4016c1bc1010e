//! Line protocol as Telegraf and the InfluxDB clients speak it, versions 1 and 2.
//!
//! A 204 means that every line is durable and queryable. A 400 names the bad lines; the good ones are stored.

use std::io::Read;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, body::Bytes};
use connect::InletError;
use connect::line::{Precision, Report};
use futures::StreamExt;
use serde_json::json;
use tokio::sync::SemaphorePermit;

use crate::App;
use crate::auth::Writer;
use crate::error::ApiError;

/// What clients take as "an InfluxDB that writes by version 1".
const VERSION: &str = "1.8.10";
/// Bad lines that an answer names.
const MAX_NAMED: usize = 20;
/// Room to begin with for bodies that do not say how long they are.
const SMALL_BYTES: usize = 16 << 10;
/// How much larger line protocol becomes when it is unpacked, at most and usually.
const USUAL_RATIO: usize = 16;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/write", post(write_v1))
        .route("/api/v2/write", post(write_v2))
        .route("/query", get(query).post(query))
        .route("/ping", get(ping).head(ping))
        .route("/health", get(health))
        .route("/ready", get(ready))
}

/// Why a write was not taken as a whole.
enum Refusal {
    Auth(ApiError),
    BadRequest(String),
    Partial(Report),
    TooLarge(usize),
    Unavailable { message: String, retry_after_s: u32 },
}

async fn write_v1(State(app): State<Arc<App>>, request: Request) -> Response {
    match write(&app, request).await {
        Ok(()) => no_content(),
        Err(refusal) => {
            let (status, message) = words(&refusal);
            let mut response = (status, Json(json!({ "error": message }))).into_response();
            if let Ok(value) = HeaderValue::from_str(&message) {
                response.headers_mut().insert("x-influxdb-error", value);
            }
            with_retry(response, &refusal)
        }
    }
}

async fn write_v2(State(app): State<Arc<App>>, request: Request) -> Response {
    match write(&app, request).await {
        Ok(()) => no_content(),
        Err(refusal) => {
            let (status, message) = words(&refusal);
            let code = match status {
                StatusCode::BAD_REQUEST => "invalid",
                StatusCode::PAYLOAD_TOO_LARGE => "request too large",
                StatusCode::UNAUTHORIZED => "unauthorized",
                StatusCode::FORBIDDEN => "forbidden",
                StatusCode::TOO_MANY_REQUESTS => "too many requests",
                StatusCode::SERVICE_UNAVAILABLE => "unavailable",
                _ => "internal error",
            };
            with_retry(
                (status, Json(json!({ "code": code, "message": message }))).into_response(),
                &refusal,
            )
        }
    }
}

async fn write(app: &Arc<App>, request: Request) -> Result<(), Refusal> {
    let (mut parts, body) = request.into_parts();
    let Writer(caller) =
        Writer::from_request_parts(&mut parts, app).await.map_err(Refusal::Auth)?;
    tracing::trace!(caller = caller.name, "line protocol");
    let precision = precision(&parts)?;
    let (body, _room) = read(app, &parts, body).await?;
    let report = app
        .line
        .write(&app.state.ingest.inlet(), &body, precision, app.now_us())
        .await
        .map_err(|error| match error {
            InletError::ReadOnly { reason, retry_after_s } => {
                Refusal::Unavailable { message: reason, retry_after_s }
            }
            InletError::Closed => {
                Refusal::Unavailable { message: "Fettler is stopping".to_owned(), retry_after_s: 5 }
            }
        })?;
    if report.n_bad > 0 { Err(Refusal::Partial(report)) } else { Ok(()) }
}

fn precision(parts: &Parts) -> Result<Precision, Refusal> {
    let mut pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let text =
        pairs.find(|(key, _)| key == "precision").map(|(_, value)| value).unwrap_or_default();
    Precision::parse(&text).ok_or_else(|| {
        Refusal::BadRequest(format!("precision `{text}` is not one of ns, us, ms and s"))
    })
}

/// The whole body, unpacked, and the room that it takes. Plain bodies are copied once, from the socket.
async fn read<'a>(
    app: &'a App,
    parts: &Parts,
    body: Body,
) -> Result<(Bytes, SemaphorePermit<'a>), Refusal> {
    let max = app.options.max_body_bytes;
    let length = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > max) {
        return Err(Refusal::TooLarge(max));
    }
    let is_packed = match parts.headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => false,
        Some(b"gzip") => true,
        Some(_) => {
            return Err(Refusal::BadRequest("the only content encoding taken is gzip".to_owned()));
        }
    };
    let reserved =
        length.map_or(max, |length| if is_packed { length * USUAL_RATIO } else { length }).min(max);
    let room = u32::try_from(reserved.min(app.options.max_bodies_bytes) >> 10).unwrap_or(u32::MAX);
    let room = app
        .body_room
        .acquire_many(room)
        .await
        .map_err(|_| Refusal::BadRequest("stopping".to_owned()))?;
    let body = collect(body, length, max).await?;
    let body = if is_packed { unpack(body, max).await? } else { body };
    Ok((body, room))
}

/// `length`: what the sender said it would be, if it did.
async fn collect(body: Body, length: Option<usize>, max: usize) -> Result<Bytes, Refusal> {
    let mut stream = body.into_data_stream();
    let broken = |_| Refusal::BadRequest("the body ended before its end".to_owned());
    let Some(first) = stream.next().await.transpose().map_err(broken)? else {
        return Ok(Bytes::new());
    };
    if Some(first.len()) == length {
        return Ok(first);
    }
    let mut whole = Vec::with_capacity(length.unwrap_or(SMALL_BYTES).max(first.len()));
    let mut next = Some(first);
    while let Some(chunk) = next {
        if whole.len() + chunk.len() > max {
            return Err(Refusal::TooLarge(max));
        }
        whole.extend_from_slice(&chunk);
        next = stream.next().await.transpose().map_err(broken)?;
    }
    Ok(whole.into())
}

async fn unpack(packed: Bytes, max: usize) -> Result<Bytes, Refusal> {
    let work = move || {
        let mut plain = Vec::with_capacity((packed.len() * 6).min(max));
        let read = flate2::read::MultiGzDecoder::new(&packed[..])
            .take(max as u64 + 1)
            .read_to_end(&mut plain);
        match read {
            Ok(_) if plain.len() > max => Err(Refusal::TooLarge(max)),
            Ok(_) => Ok(Bytes::from(plain)),
            Err(error) => {
                Err(Refusal::BadRequest(format!("the gzip body cannot be unpacked: {error}")))
            }
        }
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Refusal::BadRequest("stopping".to_owned())))
}

fn no_content() -> Response {
    let headers = [("x-influxdb-version", VERSION)];
    (StatusCode::NO_CONTENT, headers).into_response()
}

fn words(refusal: &Refusal) -> (StatusCode, String) {
    match refusal {
        Refusal::Auth(error) => (error.status, error.problem.message.clone()),
        Refusal::BadRequest(message) => (StatusCode::BAD_REQUEST, message.clone()),
        Refusal::TooLarge(max) => (
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {max} bytes; send smaller batches"),
        ),
        Refusal::Unavailable { message, .. } => (StatusCode::SERVICE_UNAVAILABLE, message.clone()),
        Refusal::Partial(report) => (StatusCode::BAD_REQUEST, partial(report)),
    }
}

fn partial(report: &Report) -> String {
    let named: Vec<String> = report
        .bad
        .iter()
        .take(MAX_NAMED)
        .map(|bad| format!("line {}: {}", bad.line, bad.reason))
        .collect();
    let more = report.n_bad.saturating_sub(named.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    // Clients look for these words to know that trying again is useless.
    format!(
        "partial write: unable to parse {}{more}; stored={} dropped={}",
        named.join("; "),
        report.stored_lines,
        report.n_bad
    )
}

fn with_retry(mut response: Response, refusal: &Refusal) -> Response {
    let seconds = match refusal {
        Refusal::Unavailable { retry_after_s, .. } => Some(*retry_after_s),
        Refusal::Auth(error) => error.retry_after_s,
        _ => None,
    };
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn ping() -> Response {
    let headers = [("x-influxdb-version", VERSION), ("x-influxdb-build", "Fettler")];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// The two statements that writing clients send first. Everything else is SQL, and has its own call.
async fn query(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, SMALL_BYTES).await.unwrap_or_default();
    let in_address = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let mut pairs = in_address.chain(form_urlencoded::parse(&body));
    let statement = pairs.find(|(key, _)| key == "q").map(|(_, value)| value).unwrap_or_default();
    let wanted = statement.trim().trim_end_matches(';').to_ascii_uppercase();
    if wanted.starts_with("CREATE DATABASE") {
        return Json(json!({ "results": [{ "statement_id": 0 }] })).into_response();
    }
    if wanted == "SHOW DATABASES" {
        let series = json!([{ "name": "databases", "columns": ["name"], "values": [["fettler"]] }]);
        return Json(json!({ "results": [{ "statement_id": 0, "series": series }] }))
            .into_response();
    }
    let error =
        "only CREATE DATABASE and SHOW DATABASES are answered here; POST /api/v1/sql takes SQL";
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}

async fn health(State(app): State<Arc<App>>) -> Response {
    let read_only = app.state.ingest.status().read_only;
    let status = if read_only.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "name": "fettler",
        "status": if read_only.is_none() { "pass" } else { "fail" },
        "message": read_only.unwrap_or_else(|| "ready for queries and writes".to_owned()),
        "checks": [],
        "version": env!("CARGO_PKG_VERSION"),
    });
    (status, Json(body)).into_response()
}

/// The server is bound after the log was replayed, so it is ready until it stops.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let is_ready = !app.closing.is_cancelled();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": is_ready }))).into_response()
}
