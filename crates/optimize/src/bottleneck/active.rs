//! Active periods: who has worked without a pause for longest holds the line back at this moment.

use super::observed::Observed;

/// A stretch of time with the machine that was the bottleneck then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Index of the machine.
    pub machine: usize,
    /// Begin in microseconds since 1970.
    pub from_us: i64,
    /// End in microseconds since 1970.
    pub to_us: i64,
    /// The machine to which the bottleneck is shifting, which is one too; `None` where it is the sole one.
    pub shifts_to: Option<usize>,
}

/// The bottleneck over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Momentary {
    /// Sole and shifting stretches in time order; none where no machine was active.
    pub segments: Vec<Segment>,
    /// Per machine: share of the observed time in which it was the sole bottleneck, 0 to 1.
    pub sole: Vec<f64>,
    /// Per machine: share of the observed time in which it was one of two.
    pub shifting: Vec<f64>,
}

impl Momentary {
    /// The machine that was a bottleneck, sole or shifting, for longest.
    pub fn machine(&self) -> Option<usize> {
        let any = self.sole.iter().zip(&self.shifting).map(|(sole, shifting)| sole + shifting);
        super::largest(any).filter(|_| !self.segments.is_empty())
    }
}

/// The momentary bottleneck at every time: the machine with the longest active period that spans it.
///
/// Where the period of one bottleneck overlaps that of the next, both are bottlenecks and it is shifting.
/// Cost: O(n + segments · machines · log n).
/// Source: Roser, Nakano, Tanaka (2002), "Shifting bottleneck detection".
///
/// ```
/// use optimize::bottleneck::{Activity::Working, Interval, Observed, momentary};
/// let on = |machine, from_us, to_us| Interval { machine, from_us, to_us, activity: Working };
/// let names = vec!["saw".to_owned(), "mill".to_owned()];
/// let line = Observed::new(names, &[on(0, 0, 60), on(1, 50, 100)], 0)?;
/// let found = momentary(&line);
/// assert_eq!(found.sole, [0.5, 0.4]); // the saw until 50, the mill from 60
/// assert_eq!(found.shifting, [0.1, 0.1]); // both between
/// assert_eq!(found.machine(), Some(0));
/// # Ok::<(), optimize::bottleneck::Error>(())
/// ```
pub fn momentary(line: &Observed) -> Momentary {
    let n_machines = line.names().len();
    let periods: Vec<Vec<(i64, i64)>> = (0..n_machines).map(|m| line.active_periods(m)).collect();
    let segments = segments(&chain(&periods));
    let mut found =
        Momentary { segments, sole: vec![0.0; n_machines], shifting: vec![0.0; n_machines] };
    let Some((from_us, to_us)) = line.span_us() else {
        return found;
    };
    let total_us = (to_us - from_us) as f64;
    for segment in &found.segments {
        let share = (segment.to_us - segment.from_us) as f64 / total_us;
        match segment.shifts_to {
            None => found.sole[segment.machine] += share,
            Some(next) => {
                found.shifting[segment.machine] += share;
                found.shifting[next] += share;
            }
        }
    }
    found
}

/// One active period that was the longest at some time.
#[derive(Clone, Copy)]
struct Link {
    machine: usize,
    from_us: i64,
    to_us: i64,
}

/// Periods that follow each other as the longest: at the end of one the longest of those that span its end.
fn chain(periods: &[Vec<(i64, i64)>]) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let first_us = periods.iter().filter_map(|own| own.first()).map(|(from_us, _)| *from_us).min();
    let mut at_us = first_us.unwrap_or_default();
    loop {
        if let Some(link) = longest_at(periods, at_us) {
            at_us = link.to_us;
            links.push(link);
            continue;
        }
        // Nobody is active just after at_us: go on where somebody begins.
        let next = periods.iter().filter_map(|own| {
            own.get(own.partition_point(|(from_us, _)| *from_us < at_us))
                .map(|(from_us, _)| *from_us)
        });
        match next.min() {
            Some(next_us) => at_us = next_us,
            None => return links,
        }
    }
}

fn longest_at(periods: &[Vec<(i64, i64)>], at_us: i64) -> Option<Link> {
    let spanning = periods.iter().enumerate().filter_map(|(machine, own)| {
        let idx = own.partition_point(|(from_us, _)| *from_us <= at_us).checked_sub(1)?;
        let (from_us, to_us) = own[idx];
        (to_us > at_us).then_some(Link { machine, from_us, to_us })
    });
    spanning.max_by_key(|link| (link.to_us - link.from_us, std::cmp::Reverse(link.machine)))
}

fn segments(links: &[Link]) -> Vec<Segment> {
    let mut found = Vec::new();
    for (idx, link) in links.iter().enumerate() {
        let before_end_us = idx.checked_sub(1).map_or(link.from_us, |before| links[before].to_us);
        let next = links.get(idx + 1).filter(|next| next.from_us < link.to_us);
        let sole_from_us = before_end_us.max(link.from_us);
        let sole_to_us = next.map_or(link.to_us, |next| next.from_us.max(sole_from_us));
        let mut push = |from_us, to_us, shifts_to| {
            if to_us > from_us {
                found.push(Segment { machine: link.machine, from_us, to_us, shifts_to });
            }
        };
        push(sole_from_us, sole_to_us, None);
        push(sole_to_us, link.to_us, next.map(|next| next.machine));
    }
    found
}

/// Mean length of the active periods of each machine, in microseconds; 0 for one that was never active.
///
/// The longest is the bottleneck (Roser 2001). It says nothing about when.
pub fn average_active_us(line: &Observed) -> Vec<f64> {
    let mean = |periods: Vec<(i64, i64)>| {
        let total_us: i64 = periods.iter().map(|(from_us, to_us)| to_us - from_us).sum();
        total_us as f64 / periods.len().max(1) as f64
    };
    (0..line.names().len()).map(|machine| mean(line.active_periods(machine))).collect()
}
