//! Questions in SQL over everything that is stored.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::App;
use crate::auth::Reader;
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::Body;

/// Rows when nobody says how many.
const ROWS: usize = 1_000;

/// A question.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SqlRequest {
    query: String,
    /// `json` (the default), `csv` or `arrow`.
    format: Option<String>,
    /// 1,000 by default.
    max_rows: Option<usize>,
}

/// The answer as JSON.
#[derive(Serialize, ToSchema)]
pub(crate) struct SqlAnswer {
    columns: Vec<ColumnView>,
    /// One array per row.
    #[schema(value_type = Vec<Vec<serde_json::Value>>)]
    rows: Box<RawValue>,
    /// Whether there were more rows than asked for.
    truncated: bool,
    elapsed_ms: f64,
}

/// A column of an answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct ColumnView {
    name: String,
    r#type: String,
}

/// A table that a query can name.
#[derive(Serialize, ToSchema)]
pub(crate) struct TableView {
    name: String,
    columns: Vec<TableColumn>,
}

/// A column of a table.
#[derive(Serialize, ToSchema)]
pub(crate) struct TableColumn {
    name: String,
    r#type: String,
    comment: String,
}

#[utoipa::path(post, path = "/api/v1/sql", tag = "data", request_body = SqlRequest, responses(
    (status = 200, content((SqlAnswer = "application/json"), (String = "text/csv"),
    (Vec<u8> = "application/vnd.apache.arrow.stream"))), (status = 400, body = ErrorBody)))]
/// Runs a query; it can only read, and only this tenant's tables.
pub(crate) async fn run(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Body(wanted): Body<SqlRequest>,
) -> Result<Response> {
    let format = wanted.format.as_deref().unwrap_or("json");
    if !matches!(format, "json" | "csv" | "arrow") {
        return Err(ApiError::invalid("format", format!("`{format}` is not json, csv or arrow")));
    }
    let most = app.options.max_sql_rows;
    let max_rows = wanted.max_rows.unwrap_or(ROWS);
    if !(1..=most).contains(&max_rows) {
        return Err(ApiError::invalid("max_rows", format!("1 to {most} rows")));
    }
    let answer = app.state.lake.sql(caller.tenant, &wanted.query, max_rows).await?;
    // Writing 100,000 rows takes longer than a socket should wait.
    let format = format.to_owned();
    let work = move || encode(&answer, &format);
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error))?
}

fn encode(answer: &lake::Answer, format: &str) -> Result<Response> {
    match format {
        "csv" => Ok(bytes("text/csv; charset=utf-8", answer.csv()?, answer.truncated)),
        "arrow" => Ok(bytes(
            "application/vnd.apache.arrow.stream",
            answer.arrow_stream()?,
            answer.truncated,
        )),
        _ => {
            let column =
                |column: lake::Column| ColumnView { name: column.name, r#type: column.kind };
            let rows = RawValue::from_string(answer.rows_json()?)
                .map_err(|error| ApiError::internal(&error))?;
            let answer = SqlAnswer {
                columns: answer.columns().into_iter().map(column).collect(),
                rows,
                truncated: answer.truncated,
                elapsed_ms: answer.elapsed.as_secs_f64() * 1e3,
            };
            Ok(Json(answer).into_response())
        }
    }
}

fn bytes(kind: &'static str, bytes: Vec<u8>, truncated: bool) -> Response {
    let mut response = bytes.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if truncated {
        response.headers_mut().insert("x-fettler-truncated", HeaderValue::from_static("true"));
    }
    response
}

#[utoipa::path(get, path = "/api/v1/sql/tables", tag = "data", responses((status = 200, body = [TableView])))]
/// What a query can name.
pub(crate) async fn tables(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
) -> Json<Vec<TableView>> {
    let tables = app.state.lake.tables(caller.tenant).await;
    let column = |(name, kind, comment)| TableColumn { name, r#type: kind, comment };
    let view = |table: lake::TableInfo| TableView {
        name: table.name,
        columns: table.columns.into_iter().map(column).collect(),
    };
    Json(tables.into_iter().map(view).collect())
}
