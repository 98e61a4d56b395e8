//! The import table: which folder of `src/` may use what. `ARCHITECTURE.md` says why.

/// What a folder may do.
pub struct Folder {
    /// Its name below `src/`.
    pub name: &'static str,
    /// What of ours it may import: a path and everything below it.
    pub may_import: &'static [&'static str],
    /// Which of its files may touch the world.
    pub world: World,
    /// What it may not use besides.
    pub bans: &'static [Ban],
    /// The rule in words.
    pub rule: &'static str,
}

/// Who may read clocks, files, sockets, the environment or an API server.
pub enum World {
    /// No file.
    Never,
    /// Files, or folders, of these names.
    Only(&'static [&'static str]),
    /// All files.
    Everywhere,
}

/// Something that may not be used.
pub enum Ban {
    /// A path and everything below it.
    Path(&'static str),
    /// A name, wherever it stands in a path.
    Name(&'static str),
    /// A macro.
    Macro(&'static str),
}

use Ban::{Macro, Name, Path};

/// What touches the world.
pub const WORLD: &[Ban] = &[
    Path("std::time::Instant"),
    Path("std::time::SystemTime"),
    Path("std::fs"),
    Path("std::net"),
    Path("std::env"),
    Path("std::thread"),
    Path("std::process"),
    Path("std::os"),
    Path("tokio"),
    Path("rand"),
    Path("kube::Client"),
    Path("kube::client"),
    Path("kube::Api"),
    Path("kube::api::Api"),
    Path("kube::Config"),
    Path("kube::config"),
    Path("kube::runtime"),
    Path("chrono::Utc::now"),
    Path("chrono::Local"),
    Path("Utc::now"),
    Name("Instant"),
    Name("SystemTime"),
    Macro("print"),
    Macro("println"),
    Macro("eprint"),
    Macro("eprintln"),
    Macro("dbg"),
];

/// What would make the solver depend on anything but its snapshot.
const SOLVER: &[Ban] = &[
    Path("kube"),
    Path("k8s_openapi"),
    Path("tokio"),
    Path("tracing"),
    Path("chrono"),
    Path("rand"),
    Path("std::time"),
    Path("core::time"),
    Name("HashMap"),
    Name("HashSet"),
    Name("RandomState"),
    Name("f32"),
    Name("f64"),
    // Every machine agrees on sums, products, quotients and square roots, and on nothing beyond.
    Name("exp"),
    Name("ln"),
    Name("log2"),
    Name("log10"),
    Name("mul_add"),
    Name("powf"),
    Name("powi"),
    Name("sin"),
    Name("cos"),
    Name("tan"),
    Name("tanh"),
];

/// Where floating point may guide the search. What comes of it is counted in integers elsewhere.
pub const FLOATING: [&str; 3] = [
    "src/scheduler/bound/",
    "src/scheduler/bulk/",
    "src/scheduler/packing/",
];

/// Names that say nothing of what is inside.
pub const EMPTY_NAMES: [&str; 7] = [
    "util", "utils", "common", "helper", "helpers", "misc", "shared",
];

/// What unfinished work is marked by.
pub const UNFINISHED: [&str; 5] = ["TODO", "FIXME", "XXX", "todo!", "unimplemented!"];

/// Lines that a file should not exceed.
pub const LONG_LINES: usize = 400;
/// Lines that a file must not exceed.
pub const MOST_LINES: usize = 600;

/// One constraint, one file, with its tests.
pub const TESTED_FOLDER: &str = "src/scheduler/constraint/";

/// All folders. A folder that is not here may not be.
pub const FOLDERS: &[Folder] = &[
    Folder {
        name: "scheduler",
        may_import: &[],
        world: World::Never,
        bans: SOLVER,
        rule: "src/scheduler imports nothing of ours and depends on its snapshot only: integers, ordered maps, no kube, tokio, tracing, clock or randomness",
    },
    Folder {
        name: "api",
        may_import: &[
            "scheduler::capacity",
            "scheduler::model",
            "scheduler::reason",
            "scheduler::solution",
            "scheduler::units",
        ],
        world: World::Never,
        bans: &[],
        rule: "src/api is data: it imports the scheduler's plain types at most and never touches the world",
    },
    Folder {
        name: "placement",
        may_import: &["api", "scheduler"],
        world: World::Never,
        bans: &[],
        rule: "src/placement imports api and scheduler and never touches the world; time is passed in",
    },
    Folder {
        name: "clusters",
        may_import: &["api"],
        world: World::Only(&["apply", "provider"]),
        bans: &[],
        rule: "src/clusters imports api; only its `apply` and `provider` files touch the world",
    },
    Folder {
        name: "gitops",
        may_import: &["api", "placement::decisions"],
        world: World::Only(&["apply"]),
        bans: &[],
        rule: "src/gitops imports api and placement's decisions; only its `apply` files touch the world",
    },
    Folder {
        name: "mesh",
        may_import: &["api", "placement::decisions"],
        world: World::Only(&["apply"]),
        bans: &[],
        rule: "src/mesh imports api and placement's decisions; only its `apply` files touch the world",
    },
    Folder {
        name: "workload",
        may_import: &["api", "placement::decisions"],
        world: World::Only(&["apply"]),
        bans: &[],
        rule: "src/workload imports api and placement's decisions; only its `apply` files touch the world",
    },
    Folder {
        name: "agent",
        may_import: &["api", "clusters"],
        world: World::Only(&["client", "server", "proxy"]),
        bans: &[],
        rule: "src/agent imports api and clusters; only its `client`, `server` and `proxy` files touch the world",
    },
    Folder {
        name: "operator",
        may_import: &[
            "scheduler",
            "api",
            "placement",
            "clusters",
            "gitops",
            "mesh",
            "workload",
            "agent",
        ],
        world: World::Everywhere,
        bans: &[],
        rule: "src/operator imports everything but cli",
    },
    Folder {
        name: "cli",
        may_import: &[
            "scheduler",
            "api",
            "placement",
            "clusters",
            "gitops",
            "mesh",
            "workload",
            "agent",
            "operator",
        ],
        world: World::Everywhere,
        bans: &[],
        rule: "src/cli imports everything",
    },
];
