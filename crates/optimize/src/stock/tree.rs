//! A tree of stages that promise each other service times: where safety stock belongs.

use super::{Error, not_negative};

/// Longest total processing time in periods.
const MAX_PERIODS: usize = 5_000;

/// A stage of a supply tree.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Indices of the stages that feed it.
    pub suppliers: Vec<usize>,
    /// Per piece and period.
    pub holding_cost: f64,
    /// Whole periods that its work takes.
    pub processing_time: usize,
    /// Periods after which an outside supplier delivers; 0 for at once.
    pub supplier_time: usize,
    /// Periods that an outside customer accepts to wait; `None` where no customer buys.
    pub customer_time: Option<usize>,
    /// Standard deviation of the customers' demand per period; 0 without.
    pub demand_sd: f64,
}

/// Service times and stocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Periods after which each stage promises to deliver (its committed service time).
    pub service_times: Vec<usize>,
    /// Periods of demand that each stage covers from stock.
    pub covered_times: Vec<usize>,
    /// Safety stock of each stage in pieces.
    pub safety_stocks: Vec<f64>,
    /// Holding cost of all safety stock per period.
    pub cost: f64,
}

/// Service times of least safety-stock cost in a tree, demand over τ periods being at most μτ + zσ√τ.
///
/// `z`: standard deviations of demand that stock has to cover, 1.645 for 95 %.
/// Cost: O(stages · M²) for a longest total processing time of M periods, at most 5,000.
/// Source: Graves & Willems (2000), the dynamic program of §3; Snyder & Shen §6.3.5.
///
/// # Errors
/// If a stage names a supplier that is not there, the stages are not one tree, takes too long, or a number is out of
/// its range.
///
/// ```
/// use optimize::stock::tree::{Stage, service_times};
/// // One stage, 4 periods of work, customers wait 0: it covers 4 periods, 2 × 1 × √4 pieces.
/// let one = Stage { name: "A".into(), holding_cost: 3.0, processing_time: 4,
///                   customer_time: Some(0), demand_sd: 1.0, ..Stage::default() };
/// let plan = service_times(&[one], 2.0)?;
/// assert_eq!((plan.safety_stocks[0], plan.cost), (4.0, 12.0));
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn service_times(stages: &[Stage], z: f64) -> Result<Plan, Error> {
    not_negative("z", z)?;
    let tree = Tree::new(stages, z)?;
    let mut best = vec![Best::default(); stages.len()];
    for node in tree.order.iter().rev() {
        best[*node] = tree.solve(*node, &best);
    }
    let plan = tree.read_back(&best);
    not_negative("cost of the tree", plan.cost)?;
    Ok(plan)
}

/// Safety stocks and cost of any service times, one per stage, as [`service_times`] finds them.
///
/// # Errors
/// As for [`service_times`], or if a stage promises sooner than it can, or later than its customers accept.
///
/// ```
/// use optimize::stock::tree::{Stage, plan_of};
/// let one = Stage { name: "A".into(), holding_cost: 3.0, processing_time: 9, customer_time: Some(5), demand_sd: 1.0,
///                   ..Stage::default() };
/// // Promising after 5 of 9 periods leaves 4 to cover: 2 × 1 × √4 pieces.
/// assert_eq!(plan_of(&[one.clone()], 2.0, &[5])?.cost, 12.0);
/// let late = plan_of(&[one], 2.0, &[6]).unwrap_err().to_string();
/// assert_eq!(late, "stage A promises later than its customers accept; lower its service time");
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn plan_of(stages: &[Stage], z: f64, service_times: &[usize]) -> Result<Plan, Error> {
    not_negative("z", z)?;
    let tree = Tree::new(stages, z)?;
    if service_times.len() != stages.len() {
        let value = service_times.len() as f64;
        return Err(Error::Number {
            what: "number of service times",
            value,
            must_be: "one per stage",
        });
    }
    let mut chosen = Vec::with_capacity(stages.len());
    for (stage, outbound) in stages.iter().zip(service_times) {
        let waits = stage.suppliers.iter().map(|supplier| service_times[*supplier]).max();
        let inbound = waits.unwrap_or(0).max(stage.supplier_time);
        if *outbound > inbound.saturating_add(stage.processing_time) {
            return Err(network(
                stage,
                "promises later than it ever needs; lower its service time",
            ));
        }
        if stage.customer_time.is_some_and(|most| *outbound > most) {
            return Err(network(
                stage,
                "promises later than its customers accept; lower its service time",
            ));
        }
        chosen.push((inbound, *outbound));
    }
    Ok(tree.plan(&chosen))
}

/// How a node is joined to its parent, the neighbor that is decided after it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Parent {
    None,
    /// The parent is fed by this node.
    Customer,
    /// The parent feeds this node.
    Supplier,
}

struct Tree<'a> {
    stages: &'a [Stage],
    z: f64,
    /// Nodes so that each comes after its parent.
    order: Vec<usize>,
    parent: Vec<Parent>,
    /// Children that feed the node, and children that it feeds.
    feeders: Vec<Vec<usize>>,
    fed: Vec<Vec<usize>>,
    /// Standard deviation of demand that reaches each stage.
    sd: Vec<f64>,
    /// Longest time a stage could need if nobody held stock.
    longest: Vec<usize>,
}

/// Least cost of a node's part of the tree by the time it shares with its parent, with the choice that gives it.
#[derive(Debug, Clone, Default)]
struct Best {
    cost: Vec<f64>,
    /// (inbound, outbound) service time of the node itself.
    choice: Vec<(usize, usize)>,
}

impl<'a> Tree<'a> {
    fn new(stages: &'a [Stage], z: f64) -> Result<Self, Error> {
        let n = stages.len();
        let customers = customers(stages)?;
        let mut tree = Self {
            stages,
            z,
            order: Vec::with_capacity(n),
            parent: vec![Parent::None; n],
            feeders: vec![Vec::new(); n],
            fed: vec![Vec::new(); n],
            sd: Vec::new(),
            longest: Vec::new(),
        };
        tree.walk(&customers);
        tree.check_shape()?;
        let upwards = downstream_first(&customers);
        tree.sd = demand_sd(stages, &customers, &upwards);
        tree.longest = longest(stages, &upwards);
        if let Some(stage) = (0..n).find(|stage| tree.longest[*stage] > MAX_PERIODS) {
            return Err(network(
                &stages[stage],
                "is more than 5,000 periods from the first supplier; count in longer periods",
            ));
        }
        Ok(tree)
    }

    /// Every stage was reached, over as many links as a tree has.
    fn check_shape(&self) -> Result<(), Error> {
        let n = self.stages.len();
        if let Some(stage) = (0..n).find(|idx| !self.order.contains(idx)) {
            return Err(network(
                &self.stages[stage],
                "is not linked to the first stage; plan it on its own",
            ));
        }
        let n_links: usize = self.stages.iter().map(|stage| stage.suppliers.len()).sum();
        if n_links + 1 > n.max(1) {
            return Err(network(
                &self.stages[0],
                "is part of a loop of links; only trees can be planned",
            ));
        }
        Ok(())
    }

    /// Depth first from the first stage; links who comes before whom.
    fn walk(&mut self, customers: &[Vec<usize>]) {
        let mut seen = vec![false; self.stages.len()];
        let mut open: Vec<usize> = (0..self.stages.len().min(1)).collect();
        while let Some(node) = open.pop() {
            if std::mem::replace(&mut seen[node], true) {
                continue;
            }
            self.order.push(node);
            for supplier in self.stages[node].suppliers.iter().filter(|next| !seen[**next]) {
                self.parent[*supplier] = Parent::Customer;
                self.feeders[node].push(*supplier);
                open.push(*supplier);
            }
            for customer in customers[node].iter().filter(|next| !seen[**next]) {
                self.parent[*customer] = Parent::Supplier;
                self.fed[node].push(*customer);
                open.push(*customer);
            }
        }
    }

    /// Tries every pair of inbound and outbound time of a node whose children are solved.
    fn solve(&self, node: usize, best: &[Best]) -> Best {
        let stage = &self.stages[node];
        let n_times = self.longest[node] + 1;
        let mut found = Best { cost: vec![f64::INFINITY; n_times], choice: vec![(0, 0); n_times] };
        let latest_inbound = self.longest[node] - stage.processing_time;
        for inbound in stage.supplier_time..=latest_inbound.max(stage.supplier_time) {
            // A supplier may promise earlier than the node waits for all of them.
            let inbound_cost: f64 =
                self.feeders[node].iter().map(|child| at_most(&best[*child].cost, inbound)).sum();
            let latest = inbound + stage.processing_time;
            for outbound in 0..=latest.min(stage.customer_time.unwrap_or(latest)) {
                let outbound_cost: f64 =
                    self.fed[node].iter().map(|child| at(&best[*child].cost, outbound)).sum();
                let cost = self.own_cost(node, latest - outbound) + inbound_cost + outbound_cost;
                let key = if self.parent[node] == Parent::Supplier { inbound } else { outbound };
                if key < n_times && cost < found.cost[key] {
                    (found.cost[key], found.choice[key]) = (cost, (inbound, outbound));
                }
            }
        }
        if self.parent[node] == Parent::Supplier {
            allow_late_inbound(&mut found);
        }
        found
    }

    fn own_cost(&self, node: usize, covered: usize) -> f64 {
        self.stages[node].holding_cost * self.z * self.sd[node] * (covered as f64).sqrt()
    }

    /// From the root down, each node's choice given what its parent chose.
    fn read_back(&self, best: &[Best]) -> Plan {
        let n = self.stages.len();
        let mut chosen = vec![(0, 0); n];
        let mut cost = 0.0;
        let mut key: Vec<Option<usize>> = vec![None; n];
        for node in &self.order {
            let own = &best[*node];
            let at =
                key[*node].unwrap_or_else(|| least(&own.cost, own.cost.len().saturating_sub(1)));
            if key[*node].is_none() {
                cost = own.cost.get(at).copied().unwrap_or(0.0);
            }
            let at = at.min(own.cost.len() - 1);
            chosen[*node] = own.choice[at];
            let (inbound, outbound) = chosen[*node];
            for child in &self.feeders[*node] {
                key[*child] = Some(least(&best[*child].cost, inbound));
            }
            for child in &self.fed[*node] {
                key[*child] = Some(outbound);
            }
        }
        Plan { cost, ..self.plan(&chosen) }
    }

    /// What follows from inbound and outbound times.
    fn plan(&self, chosen: &[(usize, usize)]) -> Plan {
        let covered = |(stage, (inbound, outbound)): (&Stage, &(usize, usize))| {
            inbound.saturating_add(stage.processing_time).saturating_sub(*outbound)
        };
        let covered_times: Vec<usize> = self.stages.iter().zip(chosen).map(covered).collect();
        let stock = |(sd, covered): (&f64, &usize)| self.z * sd * (*covered as f64).sqrt();
        let safety_stocks: Vec<f64> = self.sd.iter().zip(&covered_times).map(stock).collect();
        let costs = self.stages.iter().zip(&safety_stocks);
        Plan {
            service_times: chosen.iter().map(|(_, outbound)| *outbound).collect(),
            cost: costs.map(|(stage, stock)| stage.holding_cost * stock).sum(),
            covered_times,
            safety_stocks,
        }
    }
}

/// Indices of the stages that each stage feeds; checks the numbers of every stage on the way.
fn customers(stages: &[Stage]) -> Result<Vec<Vec<usize>>, Error> {
    let mut customers: Vec<Vec<usize>> = vec![Vec::new(); stages.len()];
    for (idx, stage) in stages.iter().enumerate() {
        not_negative("holding cost", stage.holding_cost)?;
        not_negative("standard deviation of demand", stage.demand_sd)?;
        for supplier in &stage.suppliers {
            let Some(known) = customers.get_mut(*supplier) else {
                return Err(network(
                    stage,
                    "names a supplier that is not in the list; add it or drop the link",
                ));
            };
            known.push(idx);
        }
    }
    Ok(customers)
}

/// Cost of a child that this node feeds, by the node's outbound time, which is never beyond the child's longest.
fn at(cost: &[f64], time: usize) -> f64 {
    cost.get(time).copied().unwrap_or(f64::INFINITY)
}

/// Least cost of a feeding child over outbound times up to `time`.
fn at_most(cost: &[f64], time: usize) -> f64 {
    cost[..=time.min(cost.len() - 1)].iter().copied().fold(f64::INFINITY, f64::min)
}

/// Index of the least entry up to `last`; the first of equals.
fn least(cost: &[f64], last: usize) -> usize {
    let upto = &cost[..=last.min(cost.len().saturating_sub(1))];
    (0..upto.len()).fold(0, |best, idx| if upto[idx] < upto[best] { idx } else { best })
}

/// A node may wait longer than its supplier asks: cost by the supplier's time is the least over later inbound times.
fn allow_late_inbound(best: &mut Best) {
    for idx in (0..best.cost.len().saturating_sub(1)).rev() {
        if best.cost[idx + 1] < best.cost[idx] {
            (best.cost[idx], best.choice[idx]) = (best.cost[idx + 1], best.choice[idx + 1]);
        }
    }
}

/// Stages so that each comes before those that feed it.
fn downstream_first(customers: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(customers.len());
    let mut left: Vec<usize> = (0..customers.len()).collect();
    while !left.is_empty() {
        let before = left.len();
        left.retain(|node| {
            let is_ready = customers[*node].iter().all(|customer| order.contains(customer));
            if is_ready {
                order.push(*node);
            }
            !is_ready
        });
        assert!(left.len() < before, "a tree has no loop");
    }
    order
}

/// Root of the summed variances of all demand that a stage's pieces end up in.
fn demand_sd(stages: &[Stage], customers: &[Vec<usize>], downstream_first: &[usize]) -> Vec<f64> {
    let mut variance: Vec<f64> = stages.iter().map(|stage| stage.demand_sd.powi(2)).collect();
    for node in downstream_first {
        let below: f64 = customers[*node].iter().map(|customer| variance[*customer]).sum();
        variance[*node] += below;
    }
    variance.into_iter().map(f64::sqrt).collect()
}

fn longest(stages: &[Stage], downstream_first: &[usize]) -> Vec<usize> {
    let mut longest = vec![0; stages.len()];
    for node in downstream_first.iter().rev() {
        let above = stages[*node].suppliers.iter().map(|supplier| longest[*supplier]).max();
        let waits = above.unwrap_or(0).max(stages[*node].supplier_time);
        longest[*node] = waits.saturating_add(stages[*node].processing_time);
    }
    longest
}

fn network(stage: &Stage, problem: &'static str) -> Error {
    Error::Network { stage: stage.name.clone(), problem }
}
