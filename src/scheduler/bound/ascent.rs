//! Prices per pool by dual ascent: where more is asked for at these prices than is worth offering, they
//! rise, and the other way round. Steps are scaled by what the differences have been so far
//! (AdaGrad) and grow smaller.

use super::earn::{self, Earned, Tableau};
use super::groups::{Cell, Groups, Pattern, Rows, Segment};
use super::supply::Supply;
use crate::scheduler::packing::{Class, Limits, fluid};

/// First step, as a share of the average price.
const FIRST_STEP: f64 = 0.3;
/// Steps between two looks at the averaged prices.
const LOOK: usize = 25;

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
    groups: &'a Groups,
    supplies: &'a [Supply],
    cpu: Vec<f32>,
    mem: Vec<f32>,
    asked: Vec<[f64; 2]>,
    earned: Vec<Earned>,
    space: Tableau,
    profits: Vec<f64>,
    takes: Vec<Vec<Limits>>,
    mins: Vec<(f32, usize)>,
}

/// Looks for prices in so many steps.
pub(crate) fn ascend(rows: &Rows, groups: &Groups, supplies: &[Supply], steps: usize) -> Prices {
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
        let late = step * 3 >= steps;
        let done = step as f64 / steps as f64;
        let pace = FIRST_STEP * level / (1.0 + 24.0 * done * done);
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
        let takes = supplies
            .iter()
            .map(|s| s.classes.iter().map(|c| c.takes).collect());
        Market {
            groups,
            supplies,
            cpu: vec![0.0; count],
            mem: vec![0.0; count],
            asked: vec![[0.0; 2]; count],
            earned: vec![Earned::default(); count],
            space: Tableau::default(),
            profits: Vec::new(),
            takes: takes.collect(),
            mins: Vec::new(),
        }
    }

    /// The bound that prices give; leaves behind what is asked and what is earned.
    fn value(&mut self, prices: &[Price]) -> f64 {
        for (row, price) in prices.iter().enumerate() {
            self.cpu[row] = price.cpu as f32;
            self.mem[row] = price.mem as f32;
            self.asked[row] = [0.0; 2];
        }
        let mut value = 0.0;
        for cell in &self.groups.cells {
            value += self.charge(cell);
        }
        for (row, price) in prices.iter().enumerate() {
            value -= self.earn(row, price);
        }
        value
    }

    /// What a cell's replicas pay at least; counts them where they pay it.
    fn charge(&mut self, cell: &Cell) -> f64 {
        if let [Pattern(counts)] = cell.replicas.as_slice()
            && let [n] = counts.as_slice()
        {
            return self.charge_anywhere(cell, *n);
        }
        let mut mins = std::mem::take(&mut self.mins);
        mins.clear();
        for (at, segment) in self.groups.sets[cell.set].regions.iter().enumerate() {
            mins.push((self.least(cell, segment), at));
        }
        let needed = cell.replicas.iter().map(|p| p.0.len()).max().unwrap_or(1);
        cheapest_first(&mut mins, needed);
        let mut paid = 0.0;
        for pattern in &cell.replicas {
            for (&n, &(price, at)) in pattern.0.iter().zip(&mins) {
                paid += n * f64::from(price);
                let segment = &self.groups.sets[cell.set].regions[at];
                let row = self.row_of(cell, segment, price);
                self.asked[row][0] += n * cell.cpu;
                self.asked[row][1] += n * cell.mem;
            }
        }
        self.mins = mins;
        paid
    }

    fn charge_anywhere(&mut self, cell: &Cell, n: f64) -> f64 {
        let whole = &self.groups.sets[cell.set].whole;
        let least = self.least(cell, whole);
        let row = self.row_of(cell, whole, least);
        self.asked[row][0] += n * cell.cpu;
        self.asked[row][1] += n * cell.mem;
        n * f64::from(least)
    }

    /// The least that a replica pays in a region.
    fn least(&self, cell: &Cell, segment: &Segment) -> f32 {
        let (cpu, mem) = (cell.cpu as f32, cell.mem as f32);
        let mut least = f32::INFINITY;
        for run in &segment.runs {
            let (a, b) = (&self.cpu[run.from..run.to], &self.mem[run.from..run.to]);
            least = match cell.penalties.get(run.from..run.to) {
                None => least.min(cheapest(a, b, cpu, mem)),
                Some(penalties) => (a.iter().zip(b).zip(penalties))
                    .fold(least, |least, ((a, b), x)| {
                        least.min(a * cpu + b * mem + *x as f32)
                    }),
            };
        }
        least
    }

    /// The first row where a replica pays so little.
    fn row_of(&self, cell: &Cell, segment: &Segment, price: f32) -> usize {
        let (cpu, mem) = (cell.cpu as f32, cell.mem as f32);
        let rows = segment.runs.iter().flat_map(|run| run.from..run.to);
        let mut first = None;
        for row in rows {
            let penalty = cell.penalties.get(row).map_or(0.0, |p| *p as f32);
            if self.cpu[row] * cpu + self.mem[row] * mem + penalty <= price {
                return row;
            }
            first.get_or_insert(row);
        }
        first.unwrap_or(0)
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
        let (takes, earned) = (&self.takes[row], &mut self.earned[row]);
        earn::most(
            &mut self.space,
            &self.profits,
            takes,
            &supply.limits,
            earned,
        );
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

/// Brings so many of the cheapest to the front, in order; there are few of them.
fn cheapest_first(list: &mut [(f32, usize)], needed: usize) {
    for at in 0..needed.min(list.len()) {
        let mut least = at;
        for other in at + 1..list.len() {
            if list[other].0 < list[least].0 {
                least = other;
            }
        }
        list.swap(at, least);
    }
}

/// The least that an amount costs at any of the prices. Eight at a time, which compilers turn into
/// instructions that do so.
fn cheapest(a: &[f32], b: &[f32], cpu: f32, mem: f32) -> f32 {
    let mut least = [f32::INFINITY; 8];
    let (chunks_a, chunks_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = chunks_a.remainder().iter().zip(chunks_b.remainder());
    for (a, b) in chunks_a.zip(chunks_b) {
        for i in 0..8 {
            let price = a[i] * cpu + b[i] * mem;
            least[i] = if price < least[i] { price } else { least[i] };
        }
    }
    let rest = rest.fold(f32::INFINITY, |least, (a, b)| least.min(a * cpu + b * mem));
    least.into_iter().fold(rest, f32::min)
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
