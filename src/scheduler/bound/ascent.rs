//! Prices per pool by dual ascent: where more is asked for at these prices than is worth offering, they
//! rise, and the other way round. Steps are scaled by what the differences have been so far
//! (AdaGrad) and grow smaller.

use super::earn::{Earned, Programme};
use super::groups::{Groups, Rows};
use super::quotes::Quotes;
use super::supply::Supply;
use crate::scheduler::packing::{Class, fluid};
use crate::scheduler::units::Micros;

/// First step, as a share of the average price.
const FIRST_STEP: f64 = 0.3;
/// How much above the bound a plan may be to count as good enough.
const NEAR: f64 = 1.005;
/// Steps between two looks at the averaged prices.
const LOOK: usize = 25;

/// How prices are looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub steps: usize,
    /// How many times smaller the last step is than the first.
    pub slowing: f64,
}

/// Prices of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Price {
    /// Micro-dollars per milli-core and hour.
    pub cpu: f64,
    /// Micro-dollars per MiB and hour.
    pub mem: f64,
}

impl Price {
    /// What an amount is worth.
    pub fn of(&self, cpu: f64, mem: f64) -> f64 {
        self.cpu * cpu + self.mem * mem
    }
}

/// The best prices found, and what was asked and offered on the way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prices {
    pub rows: Vec<Price>,
    /// Average over the later steps of the cores and memory asked for in each row.
    pub asked: Vec<[f64; 2]>,
    /// The same of what was worth offering; as much as is asked where nothing is limited.
    pub offered: Vec<[f64; 2]>,
    /// What one more of each limit would earn at the best prices.
    pub worth: Vec<[f64; 4]>,
    /// The bound that the best prices give, not yet proven in integers.
    pub bound: f64,
}

impl Prices {
    /// Whether hardly anything can be cheaper for what they were sought for.
    pub fn nearly_prove(&self, objective: Micros) -> bool {
        objective as f64 <= self.bound * NEAR
    }

    /// A class's price with what a node of it takes of its row's limits.
    pub fn reduced(&self, row: usize, class: &Class) -> f64 {
        let (worth, takes) = (&self.worth[row], &class.takes.0);
        class.price * (1.0 + worth[3])
            + takes[0] * worth[0]
            + takes[1] * worth[1]
            + takes[2] * worth[2]
    }
}

struct Market<'a> {
    quotes: Quotes<'a>,
    supplies: &'a [Supply],
    asked: Vec<[f64; 2]>,
    earned: Vec<Earned>,
    programmes: Vec<Programme>,
    profits: Vec<f64>,
}

/// Looks for prices.
pub(crate) fn ascend(rows: &Rows, groups: &Groups, supplies: &[Supply], pace: Pace) -> Prices {
    let Pace { steps, slowing } = pace;
    let total = demand(groups);
    let count = rows.pools.len();
    let mut prices = first_prices(supplies, total);
    let scale = (total.1 / total.0.max(1.0)).max(1e-6);
    let level = prices.iter().map(|p| p.cpu + p.mem * scale).sum::<f64>() / count.max(1) as f64;
    let mut market = Market::new(groups, supplies);
    let mut best = Prices {
        rows: prices.clone(),
        bound: f64::NEG_INFINITY,
        ..Prices::default()
    };
    let mut gathered = vec![[1e-9f64; 2]; count];
    let mut sums = Sums::new(count);
    for step in 0..steps {
        let value = market.value(&prices);
        if value > best.bound {
            best.bound = value;
            best.rows.clone_from(&prices);
        }
        let late = step * 3 >= steps || step + 1 == steps;
        let done = step as f64 / steps as f64;
        let pace = FIRST_STEP * level / (1.0 + slowing * done * done);
        for row in 0..count {
            let asked = market.asked[row];
            let offered = market.offered(row);
            if late {
                sums.add(row, asked, offered, prices[row]);
            }
            let more = [asked[0] - offered[0], (asked[1] - offered[1]) / scale];
            let price = &mut prices[row];
            for i in 0..2 {
                gathered[row][i] += more[i] * more[i];
            }
            price.cpu = (price.cpu + pace * more[0] / gathered[row][0].sqrt()).max(0.0);
            price.mem = (price.mem + pace / scale * more[1] / gathered[row][1].sqrt()).max(0.0);
            hold_down(price, &supplies[row]);
        }
        if late {
            sums.steps += 1.0;
            if step % LOOK == LOOK - 1 || step + 1 == steps {
                let averaged = sums.prices();
                let value = market.value(&averaged);
                if value > best.bound {
                    best.bound = value;
                    best.rows = averaged;
                }
            }
        }
    }
    market.value(&best.rows);
    best.worth = market.earned.iter().map(|earned| earned.worth).collect();
    (best.asked, best.offered) = sums.means();
    best
}

/// Where nothing limits a pool, a price above what a node costs would earn without end.
fn hold_down(price: &mut Price, supply: &Supply) {
    if supply.is_limited() {
        return;
    }
    let over = supply.classes.iter().fold(1.0f64, |over, class| {
        over.max(price.of(class.cpu, class.mem) / class.price.max(1e-9))
    });
    price.cpu /= over;
    price.mem /= over;
}

fn demand(groups: &Groups) -> (f64, f64) {
    let mut total = (0.0, 0.0);
    for cell in &groups.cells {
        let n: f64 = cell.replicas.iter().flat_map(|p| p.0.iter()).sum();
        total.0 += cell.cpu * n;
        total.1 += cell.mem * n;
    }
    total
}

fn first_prices(supplies: &[Supply], total: (f64, f64)) -> Vec<Price> {
    supplies
        .iter()
        .map(|supply| {
            let all: Vec<usize> = (0..supply.classes.len()).collect();
            let fluid = fluid::solve(&supply.classes, &all, total);
            fluid.map_or(Price::default(), |f| Price {
                cpu: f.cpu,
                mem: f.mem,
            })
        })
        .collect()
}

impl<'a> Market<'a> {
    fn new(groups: &'a Groups, supplies: &'a [Supply]) -> Self {
        let count = supplies.len();
        let programme = |s: &Supply| Programme::new(s.classes.iter().map(|c| c.takes), &s.limits);
        Market {
            quotes: Quotes::new(groups),
            supplies,
            asked: vec![[0.0; 2]; count],
            earned: vec![Earned::default(); count],
            programmes: supplies.iter().map(programme).collect(),
            profits: Vec::new(),
        }
    }

    /// The bound that prices give; leaves behind what is asked and what is earned.
    fn value(&mut self, prices: &[Price]) -> f64 {
        self.asked.fill([0.0; 2]);
        let mut value = self.quotes.charge(prices, &mut self.asked);
        for (row, price) in prices.iter().enumerate() {
            value -= self.earn(row, price);
        }
        value
    }

    fn earn(&mut self, row: usize, price: &Price) -> f64 {
        let supply = &self.supplies[row];
        self.profits.clear();
        let profits = supply
            .classes
            .iter()
            .map(|c| price.of(c.cpu, c.mem) - c.price);
        self.profits.extend(profits);
        if !supply.is_limited() || self.profits.iter().all(|profit| *profit <= 0.0) {
            self.earned[row].nodes.clear();
            self.earned[row].worth = [0.0; 4];
            return 0.0;
        }
        let earned = &mut self.earned[row];
        self.programmes[row].most(&self.profits, earned);
        earned.value
    }

    /// The cores and memory that are worth offering in a row.
    fn offered(&self, row: usize) -> [f64; 2] {
        let supply = &self.supplies[row];
        let counts = self.earned[row].nodes.iter().zip(&supply.classes);
        counts.fold([0.0; 2], |[cpu, mem], (n, class)| {
            [cpu + n * class.cpu, mem + n * class.mem]
        })
    }
}

/// What the later steps add up to.
struct Sums {
    steps: f64,
    asked: Vec<[f64; 2]>,
    offered: Vec<[f64; 2]>,
    prices: Vec<Price>,
}

impl Sums {
    fn new(count: usize) -> Self {
        Sums {
            steps: 0.0,
            asked: vec![[0.0; 2]; count],
            offered: vec![[0.0; 2]; count],
            prices: vec![Price::default(); count],
        }
    }

    fn add(&mut self, row: usize, asked: [f64; 2], offered: [f64; 2], price: Price) {
        for i in 0..2 {
            self.asked[row][i] += asked[i];
            self.offered[row][i] += offered[i];
        }
        self.prices[row].cpu += price.cpu;
        self.prices[row].mem += price.mem;
    }

    fn prices(&self) -> Vec<Price> {
        let n = self.steps.max(1.0);
        let mean = |p: &Price| Price {
            cpu: p.cpu / n,
            mem: p.mem / n,
        };
        self.prices.iter().map(mean).collect()
    }

    fn means(&self) -> (Vec<[f64; 2]>, Vec<[f64; 2]>) {
        let n = self.steps.max(1.0);
        let mean = |list: &[[f64; 2]]| list.iter().map(|x| x.map(|x| x / n)).collect();
        (mean(&self.asked), mean(&self.offered))
    }
}
