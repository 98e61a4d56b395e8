//! The least that everything pays at some prices. Shapes that look at the same pools share the answer, and those of
//! one segment are answered in one walk along its envelope.

use super::ascent::Price;
use super::envelope::{Corner, Envelope};
use super::groups::{Cell, Groups, Segment};
use std::collections::BTreeMap;

/// The answer to one question: what one of a shape pays at least in one segment, and the row where it does.
type Quote = (f64, usize);

/// All that is asked for, as questions and who waits for which answer.
#[derive(Debug)]
pub(crate) struct Quotes<'a> {
    groups: &'a Groups,
    envelopes: Vec<Envelope>,
    /// Segments that consist of others, with those.
    wholes: BTreeMap<usize, &'a [usize]>,
    gathered: Vec<Corner>,
    /// By segment: what is asked there, from the most cores for its memory to the most memory for its cores.
    questions: Vec<Vec<(f64, f64)>>,
    answers: Vec<Quote>,
    anywhere: Vec<Anywhere>,
    apart: Vec<Apart>,
    /// Cells in whose rows preferences charge something, each with what it asks for.
    charged: Vec<usize>,
    nearest: Vec<Quote>,
}

/// Replicas that may all be in one region.
#[derive(Debug)]
struct Anywhere {
    cpu: f64,
    mem: f64,
    n: f64,
    answer: usize,
}

/// Replicas that must be in several regions.
#[derive(Debug)]
struct Apart {
    cpu: f64,
    mem: f64,
    /// In the cheapest region, the second cheapest and so on.
    n: Vec<f64>,
    /// By region.
    answers: Vec<usize>,
}

impl<'a> Quotes<'a> {
    pub fn new(groups: &'a Groups) -> Self {
        let places = places(groups);
        let sets = groups.sets.iter().filter(|set| set.regions.len() > 1);
        let mut quotes = Quotes {
            groups,
            wholes: sets
                .map(|set| (set.whole, set.regions.as_slice()))
                .collect(),
            gathered: Vec::new(),
            envelopes: groups.segments.iter().map(Envelope::new).collect(),
            questions: vec![Vec::new(); groups.segments.len()],
            answers: vec![(0.0, 0); places.len()],
            anywhere: Vec::new(),
            apart: Vec::new(),
            charged: Vec::new(),
            nearest: Vec::new(),
        };
        for &(segment, (_, cpu, mem)) in places.keys() {
            quotes.questions[segment].push((f64::from_bits(cpu), f64::from_bits(mem)));
        }
        for (at, cell) in groups.cells.iter().enumerate() {
            match cell.penalties.is_empty() {
                true => quotes.ask(cell, &places),
                false => quotes.charged.push(at),
            }
        }
        quotes
    }

    fn ask(&mut self, cell: &Cell, places: &BTreeMap<Question, usize>) {
        let set = &self.groups.sets[cell.set];
        let (cpu, mem) = (cell.cpu, cell.mem);
        let answer = |segment: usize| places[&question(cell, segment)];
        for pattern in &cell.replicas {
            match pattern.0.as_slice() {
                [n] => self.anywhere.push(Anywhere {
                    cpu,
                    mem,
                    n: *n,
                    answer: answer(set.whole),
                }),
                n => self.apart.push(Apart {
                    cpu,
                    mem,
                    n: n.to_vec(),
                    answers: set.regions.iter().map(|&region| answer(region)).collect(),
                }),
            }
        }
    }

    fn update(&mut self, prices: &[Price]) {
        for (at, envelope) in self.envelopes.iter_mut().enumerate() {
            if !self.wholes.contains_key(&at) {
                envelope.update(prices);
            }
        }
        for (&whole, parts) in &self.wholes {
            self.gathered.clear();
            for &part in *parts {
                self.gathered.extend(self.envelopes[part].corners());
            }
            self.envelopes[whole].join(&mut self.gathered);
        }
    }

    /// What all pay at least; adds up in `asked` the cores and memory they ask for where they pay it.
    pub fn charge(&mut self, prices: &[Price], asked: &mut [[f64; 2]]) -> f64 {
        self.update(prices);
        let mut from = 0;
        for (envelope, questions) in self.envelopes.iter().zip(&self.questions) {
            let to = from + questions.len();
            envelope.answer(questions, &mut self.answers[from..to]);
            from = to;
        }
        let mut paid = 0.0;
        for one in &self.anywhere {
            let (price, row) = self.answers[one.answer];
            paid += one.n * price;
            asked[row][0] += one.n * one.cpu;
            asked[row][1] += one.n * one.mem;
        }
        for one in &self.apart {
            self.nearest.clear();
            self.nearest
                .extend(one.answers.iter().map(|&at| self.answers[at]));
            paid += settle(&mut self.nearest, (one.cpu, one.mem), &one.n, asked);
        }
        for &at in &self.charged {
            let cell = &self.groups.cells[at];
            let set = &self.groups.sets[cell.set];
            for pattern in &cell.replicas {
                self.nearest.clear();
                let segments = set.regions.iter().map(|&s| &self.groups.segments[s]);
                self.nearest
                    .extend(segments.map(|s| least(cell, s, prices)));
                paid += settle(&mut self.nearest, (cell.cpu, cell.mem), &pattern.0, asked);
            }
        }
        paid
    }
}

/// A segment, and a shape by the bits of its memory for a core, its cores and its memory, which for numbers
/// that are not negative are in the order of the numbers.
type Question = (usize, (u64, u64, u64));

fn question(cell: &Cell, segment: usize) -> Question {
    let ratio = cell.mem / cell.cpu.max(f64::MIN_POSITIVE);
    let bits = (ratio.to_bits(), cell.cpu.to_bits(), cell.mem.to_bits());
    (segment, bits)
}

/// All questions, with the place of the answer to each.
fn places(groups: &Groups) -> BTreeMap<Question, usize> {
    let mut places = BTreeMap::new();
    for cell in groups.cells.iter().filter(|c| c.penalties.is_empty()) {
        let set = &groups.sets[cell.set];
        for pattern in &cell.replicas {
            match pattern.0.len() {
                1 => drop(places.insert(question(cell, set.whole), 0)),
                _ => places.extend(set.regions.iter().map(|&s| (question(cell, s), 0))),
            }
        }
    }
    for (at, place) in places.values_mut().enumerate() {
        *place = at;
    }
    places
}

/// What replicas pay in the cheapest of some regions, so many in each.
fn settle(
    regions: &mut [Quote],
    (cpu, mem): (f64, f64),
    counts: &[f64],
    asked: &mut [[f64; 2]],
) -> f64 {
    cheapest_first(regions, counts.len());
    let mut paid = 0.0;
    for (&n, &(price, row)) in counts.iter().zip(regions.iter()) {
        paid += n * price;
        asked[row][0] += n * cpu;
        asked[row][1] += n * mem;
    }
    paid
}

/// Brings so many of the cheapest to the front, in order; there are few of them.
fn cheapest_first(list: &mut [Quote], needed: usize) {
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

/// The least that a replica pays with what preferences charge in each row.
fn least(cell: &Cell, segment: &Segment, prices: &[Price]) -> Quote {
    let mut best = (f64::INFINITY, 0);
    for row in segment.rows() {
        let cost = prices[row].of(cell.cpu, cell.mem) + cell.penalties[row] as f64;
        if cost < best.0 {
            best = (cost, row);
        }
    }
    best
}
