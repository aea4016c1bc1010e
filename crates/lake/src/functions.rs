//! SQL functions that a plant engineer expects, and those that nobody gets.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, StringArray};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::Result;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use signal::{Flag, Quality};

/// Functions that build a value of any size from a small query, past every memory limit of the engine.
const WITHHELD: [&str; 14] = [
    "repeat",
    "lpad",
    "rpad",
    "array_repeat",
    "list_repeat",
    "array_resize",
    "list_resize",
    "range",
    "generate_series",
    "gen_series",
    "array_pad",
    "space",
    "factorial",
    "sleep",
];

/// Adds `time_bucket`, `is_good` and `quality_flags`; takes away what could kill the process.
pub(crate) fn register(ctx: &SessionContext) {
    for name in WITHHELD {
        ctx.deregister_udf(name);
        ctx.deregister_udtf(name);
    }
    let date_bin = datafusion::functions::datetime::date_bin();
    ctx.register_udf(Arc::unwrap_or_clone(date_bin).with_aliases(["time_bucket"]));
    ctx.register_udf(create_udf(
        "is_good",
        vec![DataType::Int32],
        DataType::Boolean,
        Volatility::Immutable,
        Arc::new(|args| {
            over_qualities(args, |qualities| {
                let good =
                    qualities.iter().map(|bits| bits.map(|bits| Quality(bits as u32).is_good()));
                Arc::new(good.collect::<BooleanArray>())
            })
        }),
    ));
    ctx.register_udf(create_udf(
        "quality_flags",
        vec![DataType::Int32],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(|args| {
            over_qualities(args, |qualities| {
                let names =
                    qualities.iter().map(|bits| bits.map(|bits| names_of(Quality(bits as u32))));
                Arc::new(names.collect::<StringArray>())
            })
        }),
    ));
}

fn over_qualities(
    args: &[ColumnarValue],
    f: impl Fn(&arrow::array::Int32Array) -> Arc<dyn Array>,
) -> Result<ColumnarValue> {
    let arrays = ColumnarValue::values_to_arrays(args)?;
    Ok(ColumnarValue::Array(f(arrays[0].as_primitive::<Int32Type>())))
}

fn names_of(quality: Quality) -> String {
    let names: Vec<&str> =
        Flag::ALL.into_iter().filter(|flag| quality.has(*flag)).map(Flag::name).collect();
    names.join(",")
}
