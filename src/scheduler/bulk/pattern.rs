//! One node at a time: of all nodes that may be bought, with the best that goes on each, the one that costs the least
//! for what is on it.

use crate::scheduler::packing::Class;

/// Equal replicas of one service without a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanting {
    pub cpu: f64,
    pub mem: f64,
    pub count: u32,
    /// Whether they must be on different nodes.
    pub apart: bool,
    /// What one is worth: the least that any place for it costs by the prices.
    pub worth: f64,
}

/// What goes on a node: which of those wanting, and how many; and what all of it is worth.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pattern {
    pub content: Vec<(usize, u32)>,
    pub worth: f64,
}

/// By what the next on a node is chosen: how well it goes with what is still free, weighed with its size.
#[derive(Clone, Copy)]
enum Choice {
    Largest,
    Aligned,
    Dearest,
}

const CHOICES: [Choice; 3] = [Choice::Largest, Choice::Aligned, Choice::Dearest];

/// The best found for an empty node of a class.
pub(super) fn best(class: &Class, wanting: &[Wanting]) -> Pattern {
    let patterns = CHOICES.map(|choice| filled(class, wanting, choice));
    let mut best = Pattern::default();
    for pattern in patterns {
        if pattern.worth > best.worth {
            best = pattern;
        }
    }
    best
}

fn filled(class: &Class, wanting: &[Wanting], choice: Choice) -> Pattern {
    let mut pattern = Pattern::default();
    let (mut cpu, mut mem) = (class.cpu, class.mem);
    let mut left: Vec<Left> = (wanting.iter().enumerate())
        .map(|(i, w)| Left {
            i,
            count: if w.apart { w.count.min(1) } else { w.count },
            share: (w.cpu / class.cpu, w.mem / class.mem),
        })
        .collect();
    loop {
        let (a, b) = (cpu / class.cpu, mem / class.mem);
        let mut next: Option<(f64, usize)> = None;
        // What does not fit any more never will.
        left.retain(|l| l.count > 0 && wanting[l.i].cpu <= cpu && wanting[l.i].mem <= mem);
        for (at, l) in left.iter().enumerate() {
            let (x, y) = l.share;
            let score = match choice {
                Choice::Largest => x * a + y * b,
                // Goes in the direction of what is free, however large.
                Choice::Aligned => (x * a + y * b) * (x * a + y * b) / (x * x + y * y),
                Choice::Dearest => wanting[l.i].worth,
            };
            if next.is_none_or(|(most, _)| score > most) {
                next = Some((score, at));
            }
        }
        let Some((_, at)) = next else { break };
        left[at].count -= 1;
        let i = left[at].i;
        cpu -= wanting[i].cpu;
        mem -= wanting[i].mem;
        pattern.worth += wanting[i].worth;
        match pattern.content.iter_mut().find(|(at, _)| *at == i) {
            Some((_, n)) => *n += 1,
            None => pattern.content.push((i, 1)),
        }
    }
    pattern
}

/// What is still to be had of those wanting.
struct Left {
    i: usize,
    count: u32,
    /// Shares of the empty node that one takes.
    share: (f64, f64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::packing::Limits;

    const NODE: Class = Class {
        cpu: 4_000.0,
        mem: 16_384.0,
        price: 200.0,
        takes: Limits([1.0, 4_000.0, 16_384.0, 200.0]),
    };

    fn wanting(cpu: f64, mem: f64, count: u32, apart: bool) -> Wanting {
        Wanting {
            cpu,
            mem,
            count,
            apart,
            worth: cpu + mem / 4.0,
        }
    }

    #[test]
    fn what_is_heavy_in_memory_goes_beside_what_is_light_in_it() {
        let heavy = wanting(1_000.0, 8_192.0, 2, false);
        let light = wanting(1_000.0, 0.0, 4, false);
        let pattern = best(&NODE, &[light, heavy]);
        let mut content = pattern.content.clone();
        content.sort_unstable();
        assert_eq!(content, [(0, 2), (1, 2)]);
        assert_eq!(pattern.worth, 2.0 * light.worth + 2.0 * heavy.worth);
    }

    #[test]
    fn replicas_that_must_be_apart_are_on_a_node_once() {
        let pattern = best(&NODE, &[wanting(500.0, 512.0, 3, true)]);
        assert_eq!(pattern.content, [(0, 1)]);
    }

    #[test]
    fn what_no_node_holds_is_worth_nothing() {
        let pattern = best(&NODE, &[wanting(5_000.0, 512.0, 1, false)]);
        assert_eq!(pattern, Pattern::default());
    }
}
