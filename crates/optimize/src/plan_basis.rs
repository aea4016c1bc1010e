//! What the advice about a plan needs to know besides the plan.

/// Units, clock and seed of a route or a schedule that becomes a [`Recommendation`](crate::Recommendation).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanBasis<'a> {
    /// The seed of the search.
    pub seed: u64,
    /// UCUM unit or currency code of costs.
    pub unit: &'a str,
    /// When the facts may have changed too much, in microseconds since 1970.
    pub valid_until_us: i64,
    /// The moment that the plan calls 0, in microseconds since 1970.
    pub zero_us: i64,
    /// Length of the plan's unit of time, in microseconds.
    pub tick_us: i64,
}

impl PlanBasis<'_> {
    /// A span of the plan's time in microseconds since 1970; times beyond what those can say are their ends.
    ///
    /// ```
    /// let basis = optimize::PlanBasis { seed: 1, unit: "EUR", valid_until_us: 0, zero_us: 100, tick_us: 60 };
    /// assert_eq!(basis.window_us(1, 10), (160, 700));
    /// ```
    pub fn window_us(&self, from: i64, to: i64) -> (i64, i64) {
        let moment = |time: i64| self.zero_us.saturating_add(time.saturating_mul(self.tick_us));
        (moment(from), moment(to))
    }
}
