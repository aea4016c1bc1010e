//! Seeded randomness and the two building blocks of all physics here.

/// xorshift64* (Vigna (2016)) with Box–Muller.
#[derive(Clone, Debug)]
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Noise {
        let mut noise = Noise(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        // The first numbers of near seeds are alike.
        for _ in 0..8 {
            noise.uniform();
        }
        noise
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
}

/// The same number for the same place and time, wherever it is asked for.
pub(crate) fn hash(seed: u64, place: u64, slot: i64) -> f64 {
    Noise::new(seed ^ place.rotate_left(21) ^ (slot as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93)).uniform()
}

/// A quantity that follows its target with a time constant: exact for any step.
pub(crate) fn follow(value: f64, target: f64, step_s: f64, constant_s: f64) -> f64 {
    target + (value - target) * (-step_s / constant_s).exp()
}

/// Ornstein–Uhlenbeck noise of unit variance: exact for any step (Gillespie (1996), eq. 3.1).
pub(crate) fn drift(value: f64, step_s: f64, constant_s: f64, noise: &mut Noise) -> f64 {
    let keep = (-step_s / constant_s).exp();
    value * keep + (1.0 - keep * keep).sqrt() * noise.normal()
}
