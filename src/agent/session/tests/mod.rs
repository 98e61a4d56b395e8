//! Sessions in a simulated world. `SEED=n` runs one world, `SEEDS=n` so many.

mod lessons;
mod single;
mod world;

use std::time::Duration;

use self::world::{AGENTS, Hardships, World};
use crate::agent::luck::Luck;

const SEEDS: u64 = 2000;
const HARD_SECONDS: u64 = 240;
const CALM_SECONDS: u64 = 120;
const COMMANDS: usize = 12;

fn hardships(luck: &mut Luck) -> Hardships {
    let mut up_to = |most: u64| luck.below(most + 1);
    Hardships {
        lost: up_to(120),
        doubled: up_to(120),
        late: up_to(120),
        broken: up_to(40),
        crash: up_to(15),
        no_dial: up_to(400),
    }
}

/// A hard time, then a calm one, after which everything must have been done, once.
fn live(seed: u64) -> World {
    let mut luck = Luck(seed ^ 0xA5A5);
    let mut world = World::new(seed, hardships(&mut luck));
    for agent in 0..AGENTS {
        for _ in 0..COMMANDS {
            let at = Duration::from_millis(luck.below(HARD_SECONDS * 1000));
            world.issue_at(at, agent);
        }
    }
    world.run_until(Duration::from_secs(HARD_SECONDS));
    world.hard = Hardships::default();
    world.run_until(Duration::from_secs(HARD_SECONDS + CALM_SECONDS));
    world
}

fn hold(seed: u64) {
    let world = live(seed);
    for agent in 0..AGENTS {
        let (disk, child) = world.agent(agent);
        let (cell, parent) = world.cell(agent);
        assert_eq!(cell.issued.len(), COMMANDS, "seed {seed}");
        assert_eq!(
            disk.effects, cell.issued,
            "seed {seed}: once each, in order"
        );
        for tag in &cell.issued {
            let answers = cell.answers.get(tag).copied().unwrap_or_default();
            assert!(answers >= 1, "seed {seed}: {tag} was never answered");
            assert!(
                answers == 1 || world.cell_crashes > 0,
                "seed {seed}: {tag} was answered {answers} times"
            );
        }
        assert!(
            child.is_some_and(|child| child.is_connected()),
            "seed {seed}"
        );
        let parent = parent.unwrap();
        assert!(parent.is_connected(), "seed {seed}");
        assert_eq!(parent.outbox().waiting(), 0, "seed {seed}");
        assert_eq!(child.unwrap().inbox().record().answers, [], "seed {seed}");
    }
}

fn of_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn whatever_happens_each_command_is_applied_once_and_answered() {
    if let Some(seed) = of_environment("SEED") {
        return hold(seed);
    }
    for seed in 0..of_environment("SEEDS").unwrap_or(SEEDS) {
        hold(seed);
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    let told = |seed| {
        let mut world = live(seed);
        (world.luck.next(), world.cell_crashes)
    };
    assert_eq!(told(7), told(7));
    assert_ne!(told(7), told(8));
}

#[test]
fn in_a_kind_world_nothing_is_told_twice() {
    let mut world = World::new(1, Hardships::default());
    for second in 0..40 {
        world.issue_at(Duration::from_secs(second), 0);
    }
    world.run_until(Duration::from_secs(180));
    let (cell, _) = world.cell(0);
    assert_eq!(world.agent(0).0.effects, cell.issued);
    assert!(cell.answers.values().all(|count| *count == 1));
    assert_eq!(cell.answers.len(), 40);
}
