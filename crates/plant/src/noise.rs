//! Seeded randomness, and the two processes that all physics here is made of, exact for any step.

/// xorshift64* (Vigna (2016), "An experimental exploration of Marsaglia's xorshift generators, scrambled").
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    state: u64,
    spare: Option<f64>,
}

impl Noise {
    pub(crate) fn new(seed: u64) -> Noise {
        // SplitMix64, so that near seeds have nothing in common.
        let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Noise { state: (mixed ^ (mixed >> 31)) | 1, spare: None }
    }

    /// 0 ≤ u < 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Mean 0, variance 1 (Box & Muller (1958), polar form of Marsaglia & Bray (1964)).
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (a, b) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = a * a + b * b;
            if square < 1.0 && square > 0.0 {
                let scale = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(b * scale);
                return a * scale;
            }
        }
    }
}

/// The same number, 0 ≤ u < 1, for the same place and slot, whenever and in whatever order it is asked for.
pub(crate) fn hash(seed: u64, place: u64, slot: i64) -> f64 {
    let mixed = seed
        ^ place.wrapping_mul(0xD1B5_4A32_D192_ED03)
        ^ (slot as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    Noise::new(mixed).uniform()
}

/// Something that wanders about 0 with standard deviation 1 and forgets where it was after `memory_s`:
/// an Ornstein–Uhlenbeck process (Gillespie (1996), "Exact numerical simulation of the Ornstein–Uhlenbeck
/// process and its integral", eq. 3.1).
#[derive(Clone, Debug)]
pub(crate) struct Wander {
    value: f64,
    memory_s: f64,
}

impl Wander {
    pub(crate) fn new(memory_s: f64) -> Wander {
        Wander { value: 0.0, memory_s }
    }

    pub(crate) fn step(&mut self, step_s: f64, noise: &mut Noise) -> f64 {
        let keep = (-step_s / self.memory_s).exp();
        self.value = self.value * keep + (1.0 - keep * keep).sqrt() * noise.normal();
        self.value
    }
}

/// A quantity that follows its target with a time constant, after `step_s` of a constant target.
pub(crate) fn follow(value: f64, target: f64, step_s: f64, constant_s: f64) -> f64 {
    target + (value - target) * (-step_s / constant_s).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_steps_equal_one_large_one() {
        let mut value = 20.0;
        for _ in 0..300 {
            value = follow(value, 50.0, 0.2, 25.0);
        }
        assert!((value - follow(20.0, 50.0, 60.0, 25.0)).abs() < 1e-9);
        // 20 + 30·(1 − e^(−60/25))
        assert!((value - 47.2785).abs() < 1e-3);
    }

    #[test]
    fn a_wander_has_its_variance_and_memory_at_any_step() {
        for step_s in [0.2, 1.0, 60.0] {
            let mut noise = Noise::new(5);
            let mut wander = Wander::new(10.0);
            let values: Vec<f64> = (0..400_000).map(|_| wander.step(step_s, &mut noise)).collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|value| value * value).sum::<f64>() / n - mean * mean;
            let next =
                values.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / n - mean * mean;
            assert!(
                mean.abs() < 0.05 && (variance - 1.0).abs() < 0.08,
                "{step_s} s: {mean} {variance}"
            );
            assert!(
                (next / variance - (-step_s / 10.0_f64).exp()).abs() < 0.02,
                "{step_s} s: {next}"
            );
        }
    }

    #[test]
    fn places_and_slots_have_nothing_in_common() {
        let mut values: Vec<f64> =
            (0..50).flat_map(|place| (0..50).map(move |slot| hash(7, place, slot))).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.sort_by(f64::total_cmp);
        values.dedup();
        assert!(values.len() == 2500 && (mean - 0.5).abs() < 0.02, "{mean}");
    }
}
