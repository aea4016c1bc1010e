//! Writes numbers so that they come back bit for bit, also from formats such as JSON that know no NaN.
//!
//! Mark a field `#[serde(with = "crate::saved")]`. Finite numbers are numbers, NaN is nothing, infinities are words; of
//! a number that may be absent, nothing is its absence and NaN a word. Forests are text.

use std::collections::VecDeque;
use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::trees::Forest;

/// What a field `with` this module holds.
pub(crate) trait Exact: Sized {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

pub(crate) fn serialize<T: Exact, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.write(serializer)
}

pub(crate) fn deserialize<'de, T: Exact, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    T::read(deserializer)
}

/// A part of what is written.
struct Written<'a, T>(&'a T);

impl<T: Exact> Serialize for Written<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

/// A part of what is read.
struct Read<T>(T);

impl<'de, T: Exact> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Read<T>, D::Error> {
        T::read(deserializer).map(Read)
    }
}

impl Exact for f64 {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            value if value.is_nan() => serializer.serialize_unit(),
            f64::INFINITY => serializer.serialize_str("inf"),
            f64::NEG_INFINITY => serializer.serialize_str("-inf"),
            value => serializer.serialize_f64(value),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(deserializer.deserialize_any(NumberVisitor)?.unwrap_or(f64::NAN))
    }
}

impl Exact for Option<f64> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            None => serializer.serialize_none(),
            Some(value) if value.is_nan() => serializer.serialize_str("nan"),
            Some(value) => value.write(serializer),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, nothing, \"inf\", \"-inf\" or \"nan\"")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Option<f64>, E> {
        Ok(Some(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Option<f64>, E> {
        Ok(Some(value as f64))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Option<f64>, E> {
        Ok(Some(value as f64))
    }

    fn visit_unit<E: Error>(self) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_none<E: Error>(self) -> Result<Option<f64>, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Option<f64>, E> {
        match value {
            "inf" => Ok(Some(f64::INFINITY)),
            "-inf" => Ok(Some(f64::NEG_INFINITY)),
            "nan" => Ok(Some(f64::NAN)),
            other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
        }
    }
}

/// A number that goes with others.
impl Exact for u64 {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        u64::deserialize(deserializer)
    }
}

impl<A: Exact, B: Exact> Exact for (A, B) {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Written(&self.0), Written(&self.1)).serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(A, B), D::Error> {
        let (Read(a), Read(b)) = Deserialize::deserialize(deserializer)?;
        Ok((a, b))
    }
}

impl<A: Exact, B: Exact> Exact for Option<(A, B)> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(Written).serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<(A, B)>, D::Error> {
        let pair = Option::<Read<(A, B)>>::deserialize(deserializer)?;
        Ok(pair.map(|Read(pair)| pair))
    }
}

impl<T: Exact> Exact for Vec<T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Written))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        let parts = Vec::<Read<T>>::deserialize(deserializer)?;
        Ok(parts.into_iter().map(|Read(part)| part).collect())
    }
}

impl<T: Exact> Exact for VecDeque<T> {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Written))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VecDeque<T>, D::Error> {
        Vec::read(deserializer).map(VecDeque::from)
    }
}

impl<T: Exact, const N: usize> Exact for [T; N] {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Written))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[T; N], D::Error> {
        let parts = Vec::read(deserializer)?;
        let n = parts.len();
        parts.try_into().map_err(|_| Error::custom(format_args!("{n} parts instead of {N}")))
    }
}

impl Exact for Forest {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_json())
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Forest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Forest::from_json(&text).map_err(Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Held {
        #[serde(with = "crate::saved")]
        one: f64,
        #[serde(with = "crate::saved")]
        perhaps: [Option<f64>; 3],
        #[serde(with = "crate::saved")]
        range: Option<(f64, f64)>,
        #[serde(with = "crate::saved")]
        lists: Vec<VecDeque<f64>>,
        #[serde(with = "crate::saved")]
        counted: Vec<(f64, u64)>,
    }

    #[test]
    fn every_number_comes_back() {
        let held = Held {
            one: f64::NAN,
            perhaps: [None, Some(f64::NAN), Some(-0.0)],
            range: Some((f64::NEG_INFINITY, 1.5)),
            lists: vec![VecDeque::from([5e-324, f64::INFINITY])],
            counted: vec![(f64::NAN, u64::MAX)],
        };
        let text = serde_json::to_string(&held).expect("serializes");
        let expected = concat!(
            r#"{"one":null,"perhaps":[null,"nan",-0.0],"range":["-inf",1.5],"#,
            r#""lists":[[5e-324,"inf"]],"counted":[[null,18446744073709551615]]}"#
        );
        assert_eq!(text, expected);
        let back: Held = serde_json::from_str(&text).expect("parses");
        assert_eq!(format!("{back:?}"), format!("{held:?}"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let text = r#"{"one":"many","perhaps":[null,1,2],"range":null,"lists":[],"counted":[]}"#;
        let error = serde_json::from_str::<Held>(text).expect_err("not a number").to_string();
        assert!(error.contains("a number, nothing, \"inf\", \"-inf\" or \"nan\""), "{error}");
        let error = serde_json::from_str::<Held>(&text.replace("\"many\"", "1").replace(",2", ""))
            .expect_err("two of three")
            .to_string();
        assert!(error.contains("2 parts instead of 3"), "{error}");
    }
}
