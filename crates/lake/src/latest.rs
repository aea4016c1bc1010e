//! The table `latest`: the newest sample of every signal, looked up only when a query asks for it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::{MemTable, TableProvider, TableType};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use crate::samples_file::{Row, batch_of};
use crate::scan::{self, Moment};
use crate::tenant::Tenant;

/// Columns of `samples` without the log position.
const N_COLUMNS: usize = 4;

pub(crate) struct Latest {
    tenant: Arc<Tenant>,
    moment: Moment,
    schema: SchemaRef,
}

impl Latest {
    pub(crate) fn new(tenant: Arc<Tenant>, moment: Moment) -> Latest {
        let schema = shown(&[]).schema();
        Latest { tenant, moment, schema }
    }
}

fn shown(rows: &[Row]) -> RecordBatch {
    let columns: Vec<usize> = (0..N_COLUMNS).collect();
    batch_of(rows).project(&columns).expect("samples have more columns")
}

impl std::fmt::Debug for Latest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Latest")
    }
}

#[async_trait::async_trait]
impl TableProvider for Latest {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = scan::newest(&self.tenant, &self.moment)
            .await
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let table = MemTable::try_new(self.schema.clone(), vec![vec![shown(&rows)]])?;
        table.scan(state, projection, filters, limit).await
    }
}
