//! Time of whole decisions on tame random fleets, from nothing and from the decision itself.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lattice::scheduler::model::Snapshot;
use lattice::scheduler::solve;
use std::hint::black_box;

#[path = "../tests/fleet/mod.rs"]
mod fleet;

const SIZES: [(u64, u64); 3] = [(100, 10), (1_000, 10), (10_000, 100)];

fn tame(services: u64, pools: u64) -> Snapshot {
    let shape = fleet::Shape {
        pools,
        services,
        wild: false,
    };
    fleet::random(7, &shape)
}

fn solving(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("solve");
    group.sample_size(10);
    for (services, pools) in SIZES {
        let snapshot = tame(services, pools);
        let name = format!("{services}x{pools}");
        group.bench_with_input(BenchmarkId::new("fresh", &name), &snapshot, |b, s| {
            b.iter(|| solve(black_box(s)));
        });
        let settled = Snapshot {
            clusters: solve(&snapshot).live().map(|d| d.cluster.clone()).collect(),
            ..snapshot
        };
        group.bench_with_input(BenchmarkId::new("unchanged", &name), &settled, |b, s| {
            b.iter(|| solve(black_box(s)));
        });
    }
    group.finish();
}

criterion_group!(benches, solving);
criterion_main!(benches);
