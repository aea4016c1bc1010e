//! The SQL functions that people get: those a plant engineer expects, and none that can hurt the house.
//!
//! DataFusion's own are let in by name. Memory limits of the engine are asked after a value was built, so a function
//! that makes long values from short ones (`repeat`, `lpad`, `range`, array functions, doubling a text in thirty
//! steps) could end the process before; such are left out, or looked at before they run.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, BooleanArray, StringArray};
use arrow::compute::{is_null, nullif, or};
use arrow::datatypes::{DataType, FieldRef, Int32Type};
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::functions::datetime::planner::DatetimeFunctionPlanner;
use datafusion::functions::unicode::planner::UnicodeFunctionPlanner;
use datafusion::functions_aggregate::planner::AggregateFunctionPlanner;
use datafusion::functions_window::planner::WindowFunctionPlanner;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, create_udf,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use signal::{Flag, Quality};

/// Longest text that a function may build, in bytes. A batch has 8192 rows.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// Functions whose results are no longer than what they are given.
const ALLOWED: &[&str] = &[
    "abs",
    "acos",
    "acosh",
    "ascii",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bit_length",
    "btrim",
    "cbrt",
    "ceil",
    "character_length",
    "chr",
    "coalesce",
    "contains",
    "cos",
    "cosh",
    "cot",
    "current_date",
    "current_time",
    "date_bin",
    "date_part",
    "date_trunc",
    "degrees",
    "ends_with",
    "exp",
    "floor",
    "from_unixtime",
    "gcd",
    "greatest",
    "initcap",
    "isnan",
    "iszero",
    "lcm",
    "least",
    "left",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "make_date",
    "nanvl",
    "now",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "pi",
    "power",
    "radians",
    "random",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "reverse",
    "right",
    "round",
    "rtrim",
    "signum",
    "sin",
    "sinh",
    "split_part",
    "sqrt",
    "starts_with",
    "strpos",
    "substr",
    "substr_index",
    "tan",
    "tanh",
    "to_date",
    "to_hex",
    "to_local_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_seconds",
    "to_unixtime",
    "trunc",
    "upper",
];

/// How long the result of a function can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Growth {
    /// As long as its arguments together.
    Sum,
    /// The first argument with the last put between all its letters.
    Replace,
    /// As the second argument, a format, says.
    Format,
}

/// Functions that are looked at before they run.
const GUARDED: &[(&str, Growth)] = &[
    ("concat", Growth::Sum),
    ("concat_ws", Growth::Sum),
    ("replace", Growth::Replace),
    ("regexp_replace", Growth::Replace),
    ("translate", Growth::Sum),
    ("to_char", Growth::Format),
];

/// Built once; a session only counts references.
static SCALARS: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(scalars);

fn scalars() -> Vec<Arc<ScalarUDF>> {
    let mut functions = vec![Arc::new(is_good()), Arc::new(quality_flags())];
    for function in datafusion::functions::all_default_functions() {
        let name = function.name();
        if name == "date_bin" {
            let date_bin = ScalarUDF::clone(&function).with_aliases(["time_bucket"]);
            functions.push(Arc::new(date_bin));
        } else if let Some((_, growth)) = GUARDED.iter().find(|(guarded, _)| *guarded == name) {
            let guarded = Guarded { inner: function.clone(), growth: *growth, is_strict: false };
            functions.push(Arc::new(ScalarUDF::new_from_impl(guarded)));
        } else if ALLOWED.contains(&name) {
            functions.push(function);
        }
    }
    functions
}

/// Gives a session only the functions and operators of this module.
pub(crate) fn restrict(builder: SessionStateBuilder) -> SessionStateBuilder {
    let planners: Vec<Arc<dyn ExprPlanner>> = vec![
        Arc::new(GuardedConcat),
        Arc::new(DatetimeFunctionPlanner),
        Arc::new(UnicodeFunctionPlanner),
        Arc::new(AggregateFunctionPlanner),
        Arc::new(WindowFunctionPlanner),
    ];
    builder
        .with_scalar_functions(SCALARS.clone())
        .with_higher_order_functions(Vec::new())
        .with_table_functions(std::collections::HashMap::new())
        .with_expr_planners(planners)
}

fn is_good() -> ScalarUDF {
    of_quality("is_good", DataType::Boolean, |qualities| {
        let good = qualities.iter().map(|bits| bits.map(|bits| Quality(bits as u32).is_good()));
        Arc::new(good.collect::<BooleanArray>())
    })
}

fn quality_flags() -> ScalarUDF {
    of_quality("quality_flags", DataType::Utf8, |qualities| {
        let names = qualities.iter().map(|bits| bits.map(|bits| names_of(Quality(bits as u32))));
        Arc::new(names.collect::<StringArray>())
    })
}

fn of_quality(
    name: &str,
    result: DataType,
    f: impl Fn(&arrow::array::Int32Array) -> Arc<dyn Array> + Send + Sync + 'static,
) -> ScalarUDF {
    let over = move |args: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(args)?;
        Ok(ColumnarValue::Array(f(arrays[0].as_primitive::<Int32Type>())))
    };
    create_udf(name, vec![DataType::Int32], result, Volatility::Immutable, Arc::new(over))
}

fn names_of(quality: Quality) -> String {
    let names: Vec<&str> =
        Flag::ALL.into_iter().filter(|flag| quality.has(*flag)).map(Flag::name).collect();
    names.join(",")
}

/// A function of DataFusion that refuses to build very long texts.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Guarded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
    /// Null if any argument is, as the operator `||`.
    is_strict: bool,
}

impl ScalarUDFImpl for Guarded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let field = self.inner.return_field_from_args(args)?;
        Ok(Arc::new(field.as_ref().clone().with_nullable(true)))
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lengths: Vec<usize> = args.args.iter().map(longest).collect();
        let n_bytes = match self.growth {
            // `concat_ws` puts its first argument between the others.
            Growth::Sum => {
                lengths.iter().sum::<usize>() + lengths.len() * lengths.first().unwrap_or(&0)
            }
            Growth::Replace => {
                let text = lengths.first().copied().unwrap_or(0);
                // `regexp_replace` may be followed by its flags.
                text + (text + 1) * lengths.get(2).copied().unwrap_or(0)
            }
            // No part of a format is longer than this when it is filled in.
            Growth::Format => lengths.get(1).copied().unwrap_or(0) * 32,
        };
        if n_bytes > MAX_TEXT_BYTES {
            return exec_err!(
                "{} would build a text of up to {n_bytes} bytes; at most {MAX_TEXT_BYTES} are allowed",
                self.name()
            );
        }
        if !self.is_strict {
            return self.inner.invoke_with_args(args);
        }
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let n_rows = args.number_rows;
        let joined = self.inner.invoke_with_args(args)?.into_array(n_rows)?;
        let mut nulls = BooleanArray::from(vec![false; joined.len()]);
        for array in &arrays {
            let array = if array.len() == joined.len() {
                array.clone()
            } else {
                datafusion::common::ScalarValue::try_from_array(array, 0)?
                    .to_array_of_size(joined.len())?
            };
            nulls = or(&nulls, &is_null(&array)?)?;
        }
        Ok(ColumnarValue::Array(nullif(&joined, &nulls)?))
    }
}

/// Bytes of the longest text in a column.
fn longest(value: &ColumnarValue) -> usize {
    let array = match value {
        ColumnarValue::Array(array) => array.clone(),
        ColumnarValue::Scalar(scalar) => match scalar.to_array() {
            Ok(array) => array,
            // What has no array cannot be a long text either.
            Err(_) => return 0,
        },
    };
    let lengths = |len: &mut dyn Iterator<Item = usize>| len.max().unwrap_or(0);
    match array.data_type() {
        DataType::Utf8 => lengths(&mut array.as_string::<i32>().iter().flatten().map(str::len)),
        DataType::LargeUtf8 => {
            lengths(&mut array.as_string::<i64>().iter().flatten().map(str::len))
        }
        DataType::Utf8View => lengths(&mut array.as_string_view().iter().flatten().map(str::len)),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => MAX_TEXT_BYTES,
        // Numbers and times as text.
        _ => 64,
    }
}

/// Plans `||` as a guarded `concat`.
#[derive(Debug)]
struct GuardedConcat;

static JOINED: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let inner = datafusion::functions::string::concat();
    Arc::new(ScalarUDF::new_from_impl(Guarded { inner, growth: Growth::Sum, is_strict: true }))
});

impl ExprPlanner for GuardedConcat {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        Ok(PlannerResult::Planned(JOINED.call(vec![expr.left, expr.right])))
    }
}
