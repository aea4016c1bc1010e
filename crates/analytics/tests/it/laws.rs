//! Laws that every algorithm keeps, seen from outside: it survives any numbers, goes on after a restart as if it had
//! never stopped, says the same row by row as at once, does not mind the order where order means nothing, and takes
//! a million rows.

mod any;
mod batch;
mod million;
mod restart;

use proptest::prelude::*;

/// Seeded noise, roughly normal: the sum of twelve uniform numbers less six.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn normals(seed: u64, n: usize) -> Vec<f64> {
        let mut noise = Noise(seed);
        (0..n).map(|_| noise.normal()).collect()
    }
}

/// Anything that a sensor can send: usual values, holes, repeated ones, infinities and the largest numbers.
fn wild(n: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        6 => -100.0..100.0f64,
        2 => Just(f64::NAN),
        2 => Just(1.0),
        1 => any::<f64>(),
    ];
    prop::collection::vec(value, n)
}
