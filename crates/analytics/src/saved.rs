//! Writes numbers so that they come back bit for bit, also from formats such as JSON that know no NaN.
//!
//! Finite numbers are numbers, NaN is nothing, infinities are words.

use std::fmt;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

/// One number.
#[derive(Clone, Copy)]
struct Float(f64);

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_nan() => serializer.serialize_unit(),
            f64::INFINITY => serializer.serialize_str("inf"),
            f64::NEG_INFINITY => serializer.serialize_str("-inf"),
            value => serializer.serialize_f64(value),
        }
    }
}

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Float, D::Error> {
        deserializer.deserialize_any(FloatVisitor).map(Float)
    }
}

struct FloatVisitor;

impl Visitor<'_> for FloatVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, nothing, \"inf\" or \"-inf\"")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_unit<E: Error>(self) -> Result<f64, E> {
        Ok(f64::NAN)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<f64, E> {
        match value {
            "inf" => Ok(f64::INFINITY),
            "-inf" => Ok(f64::NEG_INFINITY),
            other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
        }
    }
}

/// For a field of type `f64`: `#[serde(with = "crate::saved::float")]`.
pub(crate) mod float {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        Float(*value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Float::deserialize(deserializer).map(|float| float.0)
    }
}

/// For a field of type `Vec<f64>`: `#[serde(with = "crate::saved::floats")]`.
pub(crate) mod floats {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        values: &[f64],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(values.len()))?;
        values.iter().try_for_each(|value| list.serialize_element(&Float(*value)))?;
        list.end()
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<f64>, D::Error> {
        deserializer.deserialize_seq(FloatsVisitor)
    }
}

/// For a field of type `[f64; N]`: `#[serde(with = "crate::saved::array")]`.
pub(crate) mod array {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        values: &[f64],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        floats::serialize(values, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[f64; N], D::Error> {
        let values = floats::deserialize(deserializer)?;
        let n = values.len();
        values.try_into().map_err(|_| Error::custom(format_args!("{n} numbers instead of {N}")))
    }
}

/// For a field of type `Vec<(f64, u64)>`: `#[serde(with = "crate::saved::pairs")]`.
pub(crate) mod pairs {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        pairs: &[(f64, u64)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(pairs.iter().map(|(value, number)| (Float(*value), number)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(f64, u64)>, D::Error> {
        let pairs = Vec::<(Float, u64)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().map(|(Float(value), number)| (value, number)).collect())
    }
}

struct FloatsVisitor;

impl<'de> Visitor<'de> for FloatsVisitor {
    type Value = Vec<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<f64>, A::Error> {
        let mut values = Vec::with_capacity(list.size_hint().unwrap_or(0).min(1 << 20));
        while let Some(Float(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

/// For a field of type `Forest`: `#[serde(with = "crate::saved::forest")]`.
pub(crate) mod forest {
    use super::*;
    use crate::trees::Forest;

    pub(crate) fn serialize<S: Serializer>(
        forest: &Forest,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&forest.to_json())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Forest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Forest::from_json(&text).map_err(Error::custom)
    }
}

/// For a field of type `Vec<Forest>`: `#[serde(with = "crate::saved::forests")]`.
pub(crate) mod forests {
    use super::*;
    use crate::trees::Forest;

    pub(crate) fn serialize<S: Serializer>(
        forests: &[Forest],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(forests.iter().map(Forest::to_json))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Forest>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| Forest::from_json(text).map_err(Error::custom)).collect()
    }
}
