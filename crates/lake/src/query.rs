//! A session that sees one tenant's rows, each once, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DataFusionError;
use datafusion::datasource::{MemTable, TableProvider};
use datafusion::execution::context::{SQLOptions, SessionConfig, SessionContext};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::DataFrame;
use futures::StreamExt;

use crate::calendar::day_name;
use crate::latest::Latest;
use crate::scan::Moment;
use crate::tenant::{Tenant, with_day};
use crate::{Error, functions, guard};

/// Name and type of a result column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// As the query calls it.
    pub name: String,
    /// Arrow's name of its type.
    pub kind: String,
}

/// The rows that answer a query.
#[derive(Clone, Debug)]
pub struct Answer {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// Whether there were more rows than asked for.
    pub truncated: bool,
    /// How long it took.
    pub elapsed: Duration,
}

impl Answer {
    /// The columns in order.
    pub fn columns(&self) -> Vec<Column> {
        let column = |field: &Arc<Field>| Column {
            name: field.name().clone(),
            kind: field.data_type().to_string(),
        };
        self.schema.fields().iter().map(column).collect()
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Arrow's record batches, for whoever speaks Arrow.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// The rows as JSON arrays, one per row, joined to one JSON array; times as ISO 8601.
    ///
    /// # Errors
    /// When a column has a type that JSON cannot show.
    pub fn rows_json(&self) -> Result<String, Error> {
        let mut json = String::from("[");
        for batch in &self.batches {
            let options = arrow::util::display::FormatOptions::default().with_null("null");
            let formatters = batch
                .columns()
                .iter()
                .map(|column| arrow::util::display::ArrayFormatter::try_new(column, &options))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| Error::Query(error.to_string()))?;
            for row in 0..batch.num_rows() {
                json.push_str(if json.len() == 1 { "[" } else { ",[" });
                for (n, (formatter, column)) in formatters.iter().zip(batch.columns()).enumerate() {
                    if n > 0 {
                        json.push(',');
                    }
                    push_json(
                        &mut json,
                        &formatter.value(row).to_string(),
                        column.data_type(),
                        column.is_null(row),
                    );
                }
                json.push(']');
            }
        }
        json.push(']');
        Ok(json)
    }

    /// The rows as CSV with a header.
    ///
    /// # Errors
    /// When a column has a type that CSV cannot show.
    pub fn csv(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(&mut bytes);
        if self.batches.is_empty() {
            writer
                .write(&RecordBatch::new_empty(self.schema.clone()))
                .map_err(|error| Error::Query(error.to_string()))?;
        }
        for batch in &self.batches {
            writer.write(batch).map_err(|error| Error::Query(error.to_string()))?;
        }
        drop(writer);
        Ok(bytes)
    }

    /// The rows as an Arrow IPC stream.
    ///
    /// # Errors
    /// When they cannot be encoded.
    pub fn arrow_stream(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let write = |bytes: &mut Vec<u8>| {
            let mut writer = arrow::ipc::writer::StreamWriter::try_new(bytes, &self.schema)?;
            for batch in &self.batches {
                writer.write(batch)?;
            }
            writer.finish()
        };
        write(&mut bytes).map_err(|error| Error::Query(error.to_string()))?;
        Ok(bytes)
    }

    /// The rows as a table of characters.
    ///
    /// # Errors
    /// When a column has a type that cannot be shown.
    pub fn pretty(&self) -> Result<String, Error> {
        let batches = if self.batches.is_empty() {
            vec![RecordBatch::new_empty(self.schema.clone())]
        } else {
            self.batches.clone()
        };
        let table = arrow::util::pretty::pretty_format_batches(&batches);
        table.map(|table| table.to_string()).map_err(|error| Error::Query(error.to_string()))
    }
}

fn push_json(json: &mut String, text: &str, kind: &DataType, is_null: bool) {
    let is_bare = kind.is_numeric() || *kind == DataType::Boolean;
    if is_null
        || (kind.is_floating() && !text.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
        || text == "-inf"
    {
        json.push_str("null");
    } else if is_bare {
        json.push_str(text);
    } else {
        json.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// Runs a query that a person or program wrote.
pub(crate) async fn run(
    tenant: &Arc<Tenant>,
    query: &str,
    max_rows: usize,
) -> Result<Answer, Error> {
    guard::check_text(query, tenant.shared.options.max_query_bytes)?;
    let (tenant_of, query) = (tenant.clone(), query.to_owned());
    within(tenant, async move {
        let ctx = session(&tenant_of).await?;
        let options = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let plan =
            ctx.state().create_logical_plan(&query).await.map_err(|error| query_error(&error))?;
        options.verify_plan(&plan).map_err(|error| query_error(&error))?;
        guard::check_plan(&plan)?;
        let frame = ctx.execute_logical_plan(plan).await.map_err(|error| query_error(&error))?;
        collect(frame, max_rows).await
    })
    .await
}

/// Runs one of our own queries.
pub(crate) async fn ours(tenant: &Arc<Tenant>, query: String) -> Result<Vec<RecordBatch>, Error> {
    let tenant_of = tenant.clone();
    within(tenant, async move {
        let ctx = session(&tenant_of).await?;
        let frame = ctx.sql(&query).await.map_err(|error| query_error(&error))?;
        Ok(collect(frame, usize::MAX).await?.batches)
    })
    .await
}

async fn within<T: Send + 'static>(
    tenant: &Arc<Tenant>,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let timeout = tenant.shared.options.timeout;
    let task = tenant.shared.cpu.spawn(work);
    let stop = task.abort_handle();
    match tokio::time::timeout(timeout, task).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => Err(Error::table("finish a query", error)),
        Err(_) => {
            stop.abort();
            Err(Error::Timeout(timeout))
        }
    }
}

async fn collect(frame: DataFrame, max_rows: usize) -> Result<Answer, Error> {
    let started = std::time::Instant::now();
    let schema: SchemaRef = Arc::new(frame.schema().as_arrow().clone());
    let mut stream = frame.execute_stream().await.map_err(|error| query_error(&error))?;
    let mut batches = Vec::new();
    let mut n_rows = 0;
    let mut truncated = false;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|error| query_error(&error))?;
        let room = max_rows - n_rows;
        if batch.num_rows() > room {
            truncated = true;
            batches.push(batch.slice(0, room));
            break;
        }
        n_rows += batch.num_rows();
        if batch.num_rows() > 0 {
            batches.push(batch);
        }
    }
    Ok(Answer { schema, batches, truncated, elapsed: started.elapsed() })
}

fn query_error(error: &DataFusionError) -> Error {
    let message = error.strip_backtrace();
    let message = match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => {
            format!(
                "the query needs more memory than it may use; ask for less time or fewer columns ({message})"
            )
        }
        _ => message,
    };
    Error::Query(message)
}

/// A session with `samples`, `events`, `signals`, `assets`, `latest` and `readings` of one tenant.
pub(crate) async fn session(tenant: &Arc<Tenant>) -> Result<SessionContext, Error> {
    let moment = Moment::of(tenant).await?;
    let view = &moment.view;

    let mut config = SessionConfig::new()
        .with_information_schema(true)
        .with_default_catalog_and_schema("fettler", "public")
        .with_batch_size(8192);
    config.options_mut().execution.parquet.pushdown_filters = false;
    config.options_mut().sql_parser.enable_ident_normalization = true;
    config.options_mut().execution.enable_recursive_ctes = false;
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(tenant.shared.engine.clone())
        .with_default_features();
    let ctx = SessionContext::new_with_state(functions::restrict(builder).build());

    let mixed = moment.mixed_days();
    register_buffered(&ctx, "_buffered_samples", &wal::samples_schema(), &moment.samples)?;
    register_buffered(&ctx, "_buffered_events", &wal::events_schema(), &moment.events)?;
    for (name, table) in [("_stored_samples", &view.samples), ("_stored_events", &view.events)] {
        if let Some(table) = table {
            let state = ctx.state();
            table
                .delta
                .update_datafusion_session(&state)
                .map_err(|error| Error::table("open a table", error))?;
            register_provider(&ctx, name, table.provider.clone())?;
        }
    }
    let names = tenant.names();
    register(&ctx, "signals", names.signals.schema(), vec![names.signals])?;
    register(&ctx, "assets", names.assets.schema(), vec![names.assets])?;

    create_view(&ctx, "samples", &samples_query(view.samples.is_some(), &mixed)).await?;
    create_view(&ctx, "events", &events_query(view.events.is_some())).await?;
    register_provider(&ctx, "latest", Arc::new(Latest::new(tenant.clone(), moment.clone())))?;
    create_view(
        &ctx,
        "readings",
        "SELECT s.time, g.asset_path, g.name, g.path, s.value, g.unit, s.quality, s.signal \
         FROM samples s JOIN signals g ON g.id = s.signal",
    )
    .await?;
    Ok(ctx)
}

/// All samples, each (signal, time) once: where a day holds late or replaced ones, the newest wins.
fn samples_query(has_stored: bool, mixed: &BTreeSet<i32>) -> String {
    let stored = if has_stored {
        "SELECT signal, time, value, quality, lsn, day FROM _stored_samples UNION ALL "
    } else {
        ""
    };
    let all =
        format!("{stored}SELECT signal, time, value, quality, lsn, day FROM _buffered_samples");
    if mixed.is_empty() {
        return format!("SELECT signal, time, value, quality, day FROM ({all})");
    }
    let days: Vec<String> = mixed.iter().map(|day| format!("DATE '{}'", day_name(*day))).collect();
    let days = days.join(",");
    format!(
        "WITH everything AS ({all}) \
         SELECT signal, time, value, quality, day FROM everything WHERE day NOT IN ({days}) \
         UNION ALL SELECT signal, time, value, quality, day FROM (\
           SELECT *, row_number() OVER (PARTITION BY day, signal, time ORDER BY lsn DESC) AS nth \
           FROM everything WHERE day IN ({days})) WHERE nth = 1"
    )
}

fn events_query(has_stored: bool) -> String {
    let columns = "time, kind, asset, signal, body, day";
    let stored = if has_stored {
        format!("SELECT {columns} FROM _stored_events UNION ALL ")
    } else {
        String::new()
    };
    format!("{stored}SELECT {columns} FROM _buffered_events")
}

async fn create_view(ctx: &SessionContext, name: &str, query: &str) -> Result<(), Error> {
    let frame = ctx
        .sql(query)
        .await
        .map_err(|error| Error::table(format!("plan the view {name}"), error))?;
    register_provider(ctx, name, frame.into_view())
}

fn register_buffered(
    ctx: &SessionContext,
    name: &str,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<(), Error> {
    let schema = with_day(&RecordBatch::new_empty(schema.clone()))?.schema();
    let batches = batches.iter().map(with_day).collect::<Result<Vec<_>, _>>()?;
    register(ctx, name, schema, batches)
}

fn register(
    ctx: &SessionContext,
    name: &str,
    schema: Arc<Schema>,
    batches: Vec<RecordBatch>,
) -> Result<(), Error> {
    let table = MemTable::try_new(schema, vec![batches])
        .map_err(|error| Error::table(format!("show {name}"), error))?;
    register_provider(ctx, name, Arc::new(table))
}

fn register_provider(
    ctx: &SessionContext,
    name: &str,
    provider: Arc<dyn TableProvider>,
) -> Result<(), Error> {
    ctx.register_table(name, provider)
        .map_err(|error| Error::table(format!("show {name}"), error))?;
    Ok(())
}
