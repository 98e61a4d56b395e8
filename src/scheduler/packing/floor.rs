//! Nodes being filled.

use super::{Class, Filled, Item, Limits};

/// Nodes with what is free of them and what is on them.
#[derive(Clone)]
pub(crate) struct Floor<'a> {
    pub classes: &'a [Class],
    pub items: &'a [Item],
    pub class: Vec<usize>,
    pub cpu: Vec<f64>,
    pub mem: Vec<f64>,
    /// Item and how many of it, in no order.
    pub content: Vec<Vec<(u32, u32)>>,
    /// How many of each item have a place.
    placed: Vec<u32>,
    scores: Vec<(f64, u32)>,
}

impl<'a> Floor<'a> {
    pub fn new(classes: &'a [Class], items: &'a [Item]) -> Self {
        Floor {
            classes,
            items,
            class: Vec::new(),
            cpu: Vec::new(),
            mem: Vec::new(),
            content: Vec::new(),
            placed: vec![0; items.len()],
            scores: Vec::new(),
        }
    }

    pub fn buy(&mut self, class: usize) {
        self.class.push(class);
        self.cpu.push(self.classes[class].cpu);
        self.mem.push(self.classes[class].mem);
        self.content.push(Vec::new());
    }

    pub fn price(&self) -> f64 {
        self.class.iter().map(|&k| self.classes[k].price).sum()
    }

    /// What all nodes take of the pool's limits.
    pub fn takes(&self) -> Limits {
        let none = Limits([0.0; 4]);
        (self.class.iter()).fold(none, |sum, &k| sum.less(&self.classes[k].takes, -1.0))
    }

    pub fn holds(&self, n: usize, item: u32) -> bool {
        self.content[n].iter().any(|&(i, _)| i == item)
    }

    /// Whether one more of an item may go on a node.
    pub fn fits(&self, n: usize, item: u32) -> bool {
        let one = &self.items[item as usize];
        one.cpu <= self.cpu[n] && one.mem <= self.mem[n] && !(one.apart && self.holds(n, item))
    }

    pub fn put(&mut self, n: usize, item: u32) {
        let one = &self.items[item as usize];
        self.cpu[n] -= one.cpu;
        self.mem[n] -= one.mem;
        self.placed[item as usize] += 1;
        match self.content[n].iter_mut().find(|(i, _)| *i == item) {
            Some((_, count)) => *count += 1,
            None => self.content[n].push((item, 1)),
        }
    }

    pub fn take(&mut self, n: usize, item: u32) {
        let one = &self.items[item as usize];
        self.cpu[n] += one.cpu;
        self.mem[n] += one.mem;
        self.placed[item as usize] -= 1;
        if let Some(at) = self.content[n].iter().position(|(i, _)| *i == item) {
            self.content[n][at].1 -= 1;
            if self.content[n][at].1 == 0 {
                self.content[n].swap_remove(at);
            }
        }
    }

    /// Spreads items over the nodes in the order given: each replica goes where its shape matches what is
    /// free best, which is where the product of the two, each resource weighed by how scarce it is
    /// on the whole, is largest. Returns what found no room.
    pub fn spread(&mut self, order: &[(u32, u32)]) -> Vec<(u32, u32)> {
        let nodes = self.class.len();
        let mut left = Vec::new();
        let (mut cpu, mut mem): (f64, f64) = (self.cpu.iter().sum(), self.mem.iter().sum());
        for &(item, count) in order {
            let one = self.items[item as usize];
            let mut missing = count;
            while missing > 0 {
                let batch = (missing as usize).min((nodes / 4).max(1));
                let weights = (
                    one.cpu * scarcity(cpu, nodes),
                    one.mem * scarcity(mem, nodes),
                );
                let placed = self.batch(item, batch, weights);
                if placed == 0 {
                    break;
                }
                cpu -= one.cpu * f64::from(placed);
                mem -= one.mem * f64::from(placed);
                missing -= placed;
            }
            if missing > 0 {
                left.push((item, missing));
            }
        }
        left
    }

    /// One replica on each of the nodes that match best; returns how many there were.
    fn batch(&mut self, item: u32, size: usize, weights: (f64, f64)) -> u32 {
        let one = self.items[item as usize];
        let apart = one.apart && self.placed[item as usize] > 0;
        let mut scores = std::mem::take(&mut self.scores);
        scores.clear();
        for n in 0..self.class.len() {
            let (cpu, mem) = (self.cpu[n], self.mem[n]);
            if one.cpu <= cpu && one.mem <= mem && !(apart && self.holds(n, item)) {
                scores.push((weights.0 * cpu + weights.1 * mem, n as u32));
            }
        }
        let better = |a: &(f64, u32), b: &(f64, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if scores.len() > size {
            scores.select_nth_unstable_by(size - 1, better);
            scores.truncate(size);
        }
        for &(_, n) in &scores {
            self.put(n as usize, item);
        }
        let placed = scores.len() as u32;
        self.scores = scores;
        placed
    }

    /// Exchanges each node for the cheapest class that holds what is on it.
    pub fn downsize(&mut self, limits: &Limits) {
        self.drop_empty();
        let mut free = limits.less(&self.takes(), 1.0);
        for n in 0..self.class.len() {
            let old = &self.classes[self.class[n]];
            let used = (old.cpu - self.cpu[n], old.mem - self.mem[n]);
            let without = free.less(&old.takes, -1.0);
            let cheapest = (0..self.classes.len())
                .filter(|&k| {
                    let class = &self.classes[k];
                    class.cpu >= used.0
                        && class.mem >= used.1
                        && class.price < old.price
                        && without.holds(&class.takes)
                })
                .min_by(|&a, &b| self.classes[a].price.total_cmp(&self.classes[b].price));
            if let Some(k) = cheapest {
                free = without.less(&self.classes[k].takes, 1.0);
                self.class[n] = k;
                self.cpu[n] = self.classes[k].cpu - used.0;
                self.mem[n] = self.classes[k].mem - used.1;
            }
        }
    }

    /// Gives nodes back that nothing is on.
    pub fn drop_empty(&mut self) {
        for n in (0..self.class.len()).rev() {
            if self.content[n].is_empty() {
                self.class.remove(n);
                self.cpu.remove(n);
                self.mem.remove(n);
                self.content.remove(n);
            }
        }
    }

    pub fn into_nodes(self) -> Vec<Filled> {
        let filled = self.class.into_iter().zip(self.content);
        filled
            .map(|(class, mut content)| {
                content.sort_unstable();
                Filled { class, content }
            })
            .collect()
    }
}

/// One over the square of what a node has free on average.
fn scarcity(free: f64, nodes: usize) -> f64 {
    let mean = (free / nodes.max(1) as f64).max(1.0);
    1.0 / (mean * mean)
}
