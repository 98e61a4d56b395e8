//! Time of the whole command `lattice plan DIR`: reading and checking manifests, solving, printing.

use criterion::{Criterion, criterion_group, criterion_main};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A folder of manifests that `generate-fleet` wrote.
const FLEET: &str = "target/fleet-10000x100";

fn offline(criterion: &mut Criterion) {
    assert!(
        Path::new(FLEET).is_dir(),
        "no {FLEET}: run `make bench`, which writes it"
    );
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10);
    group.measurement_time(Duration::from_secs(60));
    group.bench_function("10000x100", |bencher| {
        bencher.iter(|| {
            let status = Command::new(env!("CARGO_BIN_EXE_lattice"))
                .args(["plan", FLEET])
                .stdout(Stdio::null())
                .status();
            // 2: there are changes to make.
            assert!(status.is_ok_and(|s| s.code() == Some(2)));
        });
    });
    group.finish();
}

criterion_group!(benches, offline);
criterion_main!(benches);
