//! Making room for what found none, by moving or exchanging one replica.

use super::floor::Floor;

/// Nodes looked at that lack the least.
const TIGHT: usize = 12;
/// Nodes looked at that have the most free.
const FREE: usize = 40;

/// Places what it can; stops at the first item that nothing helps. Returns what is left.
pub(crate) fn place(floor: &mut Floor<'_>, left: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    let mut left = left;
    while let Some((item, count)) = left.last_mut() {
        if !place_one(floor, *item) {
            break;
        }
        *count -= 1;
        if *count == 0 {
            left.pop();
        }
    }
    left
}

fn place_one(floor: &mut Floor<'_>, item: u32) -> bool {
    if let Some(n) = (0..floor.class.len()).find(|&n| floor.fits(n, item)) {
        floor.put(n, item);
        return true;
    }
    let one = floor.items[item as usize];
    let (mut tight, free) = candidates(floor, item);
    // No node has more free than this, so none can take over more.
    let most = free.iter().fold((0.0f64, 0.0f64), |(cpu, mem), &q| {
        (cpu.max(floor.cpu[q]), mem.max(floor.mem[q]))
    });
    let lacks = |floor: &Floor<'_>, p: usize| (one.cpu - floor.cpu[p], one.mem - floor.mem[p]);
    tight.retain(|&p| {
        let lacks = lacks(floor, p);
        lacks.0 <= most.0 && lacks.1 <= most.1
    });
    for &p in &tight {
        let lacks = lacks(floor, p);
        for at in 0..floor.content[p].len() {
            let x = floor.content[p][at].0;
            let moved = floor.items[x as usize];
            if !(lacks.0..=most.0).contains(&moved.cpu) || !(lacks.1..=most.1).contains(&moved.mem)
            {
                continue;
            }
            if let Some(&q) = free.iter().find(|&&q| q != p && floor.fits(q, x)) {
                shift(floor, x, p, q);
                floor.put(p, item);
                return true;
            }
        }
    }
    tight.iter().any(|&p| exchange(floor, item, p, &free))
}

fn shift(floor: &mut Floor<'_>, item: u32, from: usize, to: usize) {
    floor.take(from, item);
    floor.put(to, item);
}

/// Exchanges a replica on `p` for a smaller one elsewhere, so that `item` fits on `p`.
fn exchange(floor: &mut Floor<'_>, item: u32, p: usize, free: &[usize]) -> bool {
    let one = floor.items[item as usize];
    for at in 0..floor.content[p].len() {
        let x = floor.content[p][at].0;
        let big = floor.items[x as usize];
        // What comes back to `p` may be at most this large.
        let most = (
            floor.cpu[p] + big.cpu - one.cpu,
            floor.mem[p] + big.mem - one.mem,
        );
        if most.0 < 0.0 || most.1 < 0.0 {
            continue;
        }
        for &q in free.iter().filter(|&&q| q != p) {
            let least = (big.cpu - floor.cpu[q], big.mem - floor.mem[q]);
            if least.0 > most.0 || least.1 > most.1 {
                continue;
            }
            let found = floor.content[q].iter().find(|&&(y, _)| {
                let small = floor.items[y as usize];
                (least.0..=most.0).contains(&small.cpu)
                    && (least.1..=most.1).contains(&small.mem)
                    && x != y
                    && !(y == item && one.apart)
                    && !(big.apart && floor.holds(q, x))
                    && !(small.apart && floor.holds(p, y))
            });
            if let Some(&(y, _)) = found {
                floor.take(p, x);
                floor.take(q, y);
                floor.put(p, y);
                floor.put(q, x);
                floor.put(p, item);
                return true;
            }
        }
    }
    false
}

/// The nodes that lack the least for an item, and those with the most free.
fn candidates(floor: &Floor<'_>, item: u32) -> (Vec<usize>, Vec<usize>) {
    let one = floor.items[item as usize];
    let mut tight: Vec<(f64, usize)> = Vec::new();
    let mut free: Vec<(f64, usize)> = Vec::new();
    for n in 0..floor.class.len() {
        let lack = (one.cpu - floor.cpu[n]).max(0.0) / one.cpu.max(1.0)
            + (one.mem - floor.mem[n]).max(0.0) / one.mem.max(1.0);
        let class = &floor.classes[floor.class[n]];
        if !(one.apart && floor.holds(n, item)) {
            tight.push((lack, n));
        }
        let share = floor.cpu[n] / class.cpu + floor.mem[n] / class.mem;
        free.push((-share, n));
    }
    (least(tight, TIGHT), least(free, FREE))
}

fn least(mut list: Vec<(f64, usize)>, count: usize) -> Vec<usize> {
    let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if list.len() > count {
        list.select_nth_unstable_by(count - 1, order);
        list.truncate(count);
    }
    list.sort_unstable_by(order);
    list.into_iter().map(|(_, n)| n).collect()
}
