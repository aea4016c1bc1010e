//! What tests are made of: seeded noise, and the numbers that sensors should not send but do.

use proptest::prelude::*;

/// xorshift64* with Box–Muller: small, the same on every machine.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Noise {
        Noise(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform().max(1e-300), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// `n` normal values of this seed.
    pub(crate) fn normals(seed: u64, n: usize) -> Vec<f64> {
        let mut noise = Noise::new(seed);
        (0..n).map(|_| noise.normal()).collect()
    }
}

/// One number of all that a sensor, a gateway or a division by zero can send. [`any`] never gives NaN or infinities.
pub(crate) fn wild_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        12 => -100.0..100.0f64,
        2 => Just(1.0),
        2 => Just(f64::NAN),
        1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY]),
        1 => prop::sample::select(vec![1e308, -1e308, f64::MAX, f64::MIN]),
        1 => prop::sample::select(vec![5e-324, -5e-324, 1e-310, -0.0]),
        1 => any::<f64>(),
    ]
}

/// So many of them.
pub(crate) fn wild(n: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(wild_value(), n)
}
