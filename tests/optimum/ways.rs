//! All ways to fill a node to which nothing can be added.

use super::rules::Service;
use lattice::scheduler::units::Resources;

/// Replicas of each service on one node; only those listed may be there.
pub fn full(services: &[Service<'_>], listed: &[usize], room: Resources) -> Vec<Vec<u32>> {
    let mut found = Vec::new();
    let mut way = vec![0; services.len()];
    extend(services, listed, 0, room, &mut way, &mut found);
    found
}

fn extend(
    services: &[Service<'_>],
    listed: &[usize],
    at: usize,
    room: Resources,
    way: &mut Vec<u32>,
    found: &mut Vec<Vec<u32>>,
) {
    let more = |s: usize, n: u32| n < most(&services[s]) && services[s].size.fits(room);
    let Some(&s) = listed.get(at) else {
        if !listed.iter().any(|&s| more(s, way[s])) {
            found.push(way.clone());
        }
        return;
    };
    let mut left = room;
    loop {
        extend(services, listed, at + 1, left, way, found);
        if way[s] == most(&services[s]) || !services[s].size.fits(left) {
            break;
        }
        way[s] += 1;
        left -= services[s].size;
    }
    way[s] = 0;
}

fn most(service: &Service<'_>) -> u32 {
    match service.one_per_node {
        true => service.replicas.min(1),
        false => service.replicas,
    }
}
