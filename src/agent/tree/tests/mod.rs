//! A tree of cells in a simulated world. `SEED=n` runs one world, `SEEDS=n` so many.

mod stock;
mod world;

use std::{collections::BTreeMap, time::Duration};

use self::{
    stock::Lot,
    world::{Hardships, SHAPE, World, labels},
};
use super::{Because, Need, Status, WayOut};
use crate::agent::luck::Luck;

const SEEDS: u64 = 500;
const HARD: Duration = Duration::from_secs(900);
const CALM: Duration = Duration::from_secs(900);
const REGIONS: [&str; 3] = ["eu", "us", "ap"];

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn lot(region: &str, hourly: u64, nodes: u64) -> Lot {
    Lot {
        labels: labels(region),
        milli_cores: 4000,
        mib: 16_384,
        hourly,
        nodes,
    }
}

fn need(id: &str, region: Option<&str>, replicas: u64) -> Need {
    let labels = region.map(|region| ("region".to_owned(), region.to_owned()));
    Need {
        id: id.to_owned(),
        replicas,
        milli_cores: 2000,
        mib: 1024,
        labels: labels.into_iter().collect(),
        ..Need::default()
    }
}

fn random_lots(luck: &mut Luck, _: &str) -> BTreeMap<String, Lot> {
    let lots = (0..luck.below(3)).map(|number| {
        let region = REGIONS[luck.below(3) as usize];
        let lot = lot(region, 1 + luck.below(9), luck.below(8));
        (format!("lot-{number}"), lot)
    });
    lots.collect()
}

fn live(seed: u64) -> World {
    let mut luck = Luck(seed ^ 0x5A5A);
    let mut up_to = |most: u64| luck.below(most + 1);
    let hard = Hardships {
        lost: up_to(150),
        doubled: up_to(150),
        late: up_to(150),
        cut: up_to(10),
        crash: up_to(10),
    };
    let mut world = World::new(seed, hard, random_lots);
    for number in 0..24 {
        let (cell, _) = SHAPE[luck.below(9) as usize];
        let region = (luck.below(4) > 0).then(|| REGIONS[luck.below(3) as usize]);
        let id = format!("{cell}/service-{number}");
        let at = Duration::from_millis(luck.below(600_000));
        world.want(at, cell, need(&id, region, 1 + luck.below(6)));
        if luck.below(5) == 0 {
            world.unwant(at + Duration::from_millis(luck.below(400_000)), &id);
        }
    }
    world.run_until(HARD);
    world.hard = Hardships::default();
    world.run_until(HARD + CALM);
    world
}

/// The cells in which a service has a place for good.
fn owners<'a>(world: &'a World, id: &str) -> Vec<&'a str> {
    let stocks = world.stocks.iter();
    stocks
        .filter(|(_, stock)| stock.confirmed().any(|known| known == id))
        .map(|(name, _)| name.as_str())
        .collect()
}

fn hold(seed: u64) {
    let world = live(seed);
    for (id, (cell, need)) in &world.wanted {
        let owners = owners(&world, id);
        match world.cells[cell].status(id) {
            Some(Status::Placed { path, .. }) => {
                assert_eq!(owners, [path.last().unwrap()], "seed {seed}: {id}");
            }
            Some(Status::Waiting(because)) => {
                assert!(
                    owners.is_empty(),
                    "seed {seed}: {id} waits and has {owners:?}"
                );
                let said = matches!(
                    because,
                    Because::Refused(_) | Because::Asked | Because::InTurn
                );
                assert!(said, "seed {seed}: {id}: {because:?}");
                let room = world.stocks.iter().find(|(_, stock)| {
                    stock.lots().iter().any(|(name, lot)| {
                        let nodes = need.nodes(lot.milli_cores, lot.mib);
                        need.matches(&lot.labels)
                            && nodes.is_some_and(|nodes| nodes <= stock.free(name))
                    })
                });
                assert!(
                    room.is_none(),
                    "seed {seed}: {id} waits, and {} has room",
                    room.unwrap().0
                );
            }
            None => panic!("seed {seed}: {id} is forgotten"),
        }
    }
    for (name, stock) in &world.stocks {
        for id in stock.confirmed() {
            assert!(
                world.wanted.contains_key(id),
                "seed {seed}: {name} keeps room for {id}"
            );
        }
    }
}

fn of_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn whatever_happens_nothing_is_booked_twice_and_every_service_is_placed_or_says_why() {
    if let Some(seed) = of_environment("SEED") {
        return hold(seed);
    }
    for seed in 0..of_environment("SEEDS").unwrap_or(SEEDS) {
        hold(seed);
    }
}

/// Only these cells have anything.
fn kind(lots: &[(&'static str, Lot)]) -> World {
    let lots = lots.to_vec();
    World::new(1, Hardships::default(), move |_, name| {
        let own = lots
            .iter()
            .enumerate()
            .filter(|(_, (cell, _))| *cell == name);
        own.map(|(number, (_, lot))| (format!("lot-{number}"), lot.clone()))
            .collect()
    })
}

fn path_of(world: &World, cell: &str, id: &str) -> Vec<String> {
    match world.cells[cell].status(id) {
        Some(Status::Placed { path, .. }) => path,
        other => panic!("{id}: {other:?}"),
    }
}

#[test]
fn own_pools_come_first_then_the_cheapest_anywhere() {
    let mut world = kind(&[
        ("a1", lot("eu", 9, 1)),
        ("a2", lot("eu", 5, 2)),
        ("root", lot("eu", 4, 2)),
        ("b3", lot("eu", 1, 2)),
    ]);
    world.run_until(seconds(30));
    world.want(seconds(30), "a1", need("first", Some("eu"), 1));
    world.run_until(seconds(40));
    assert_eq!(path_of(&world, "a1", "first"), ["a1"]);
    // Nothing left at home: its parent knows of a sibling, and takes it, as the parent's parent is asked only when there is
    // nothing nearer.
    world.want(seconds(40), "a1", need("second", Some("eu"), 4));
    world.run_until(seconds(50));
    assert_eq!(path_of(&world, "a1", "second"), ["a1", "a", "a2"]);
    world.want(seconds(50), "a1", need("third", Some("eu"), 4));
    world.run_until(seconds(70));
    assert_eq!(
        path_of(&world, "a1", "third"),
        ["a1", "a", "root", "b", "b3"]
    );
    world.want(seconds(70), "a1", need("fourth", Some("eu"), 4));
    world.run_until(seconds(90));
    assert_eq!(path_of(&world, "a1", "fourth"), ["a1", "a", "root"]);
    // What is released is there for the next.
    world.want(seconds(90), "b1", need("fifth", Some("eu"), 4));
    world.run_until(seconds(100));
    world.unwant(seconds(100), "third");
    world.run_until(seconds(500));
    assert_eq!(path_of(&world, "b1", "fifth"), ["b1", "b", "b3"]);
}

/// argocd-agent#813, #660: what a cell that starts again has forgotten is no reason for anybody to lose anything.
#[test]
fn a_parent_that_starts_again_takes_no_place_away() {
    let mut world = kind(&[("root", lot("eu", 3, 8)), ("b1", lot("eu", 3, 8))]);
    for number in 0..6 {
        let id = format!("a1/service-{number}");
        world.want(seconds(1), "a1", need(&id, Some("eu"), 4));
    }
    world.run_until(seconds(60));
    let placed = |world: &World| -> Vec<(String, Vec<String>)> {
        let ids = world.wanted.keys();
        ids.map(|id| {
            let owners = owners(world, id).into_iter().map(str::to_owned);
            (id.clone(), owners.collect())
        })
        .collect()
    };
    let before = placed(&world);
    assert!(
        before.iter().all(|(_, owners)| owners.len() == 1),
        "{before:?}"
    );
    for name in ["root", "a", "root", "b"] {
        world.restart(name);
        let until = world.now() + seconds(90);
        world.run_until(until);
        assert_eq!(placed(&world), before, "after {name} started again");
    }
}

#[test]
fn the_roots_no_says_what_would_help_and_what_it_costs() {
    let mut world = kind(&[("b3", lot("us", 7, 4)), ("a2", lot("us", 3, 1))]);
    world.run_until(seconds(30));
    world.want(seconds(30), "a1", need("s", Some("eu"), 4));
    world.run_until(seconds(33));
    let way = WayOut {
        term: "region=eu".into(),
        hourly: 14,
    };
    let because = Because::Refused(vec![way]);
    assert_eq!(
        world.cells["a1"].status("s"),
        Some(Status::Waiting(because))
    );
}

/// Cut off for a day, with 100 services waiting: placed within half a minute, oldest first, with few messages each.
#[test]
fn after_a_day_alone_everything_is_placed_within_30_seconds() {
    const SERVICES: u64 = 100;
    const DAY: u64 = 86_400;
    for seed in 0..100 {
        let mut world = kind(&[("b2", lot("eu", 5, SERVICES)), ("a1", lot("us", 5, 1))]);
        world.luck = Luck(seed);
        world.run_until(seconds(20));
        world.want(seconds(20), "a1", need("here", Some("us"), 1));
        world.run_until(seconds(30));
        world.set_link("a", "root", false);
        world.set_link("a1", "a", false);
        for number in 0..SERVICES {
            let at = seconds(DAY - 900 + number * 8);
            world.want(at, "a1", need(&format!("s-{number:03}"), Some("eu"), 1));
        }
        world.period = seconds(600);
        world.run_until(seconds(DAY - 1200));
        world.period = seconds(5);
        world.run_until(seconds(DAY));
        let cut_off = Status::Waiting(Because::CutOff);
        assert_eq!(world.cells["a1"].status("s-000"), Some(cut_off));
        assert_eq!(path_of(&world, "a1", "here"), ["a1"], "what runs stays");
        let before = world.messages;
        world.set_link("a", "root", true);
        world.set_link("a1", "a", true);
        world.run_until(seconds(DAY + 30));
        for number in 0..SERVICES {
            path_of(&world, "a1", &format!("s-{number:03}"));
        }
        // Four links there and back, three times, and the summaries.
        let messages = world.messages - before;
        assert!(messages < SERVICES * 30 + 400, "{messages} messages");
    }
}

/// The link further up is cut, not that to the parent: whoever is below waits for what is beyond it, and is not told that there is
/// nothing.
#[test]
fn when_a_cell_further_up_is_cut_off_those_below_wait_and_are_placed_within_30_seconds() {
    const SERVICES: u64 = 40;
    for seed in 0..50 {
        let mut world = kind(&[
            ("b2", lot("eu", 5, SERVICES + 1)),
            ("a2", lot("us", 5, SERVICES)),
        ]);
        world.luck = Luck(seed);
        world.run_until(seconds(20));
        world.want(seconds(20), "a1", need("before", Some("eu"), 2));
        world.run_until(seconds(30));
        assert_eq!(
            path_of(&world, "a1", "before"),
            ["a1", "a", "root", "b", "b2"]
        );
        world.set_link("a", "root", false);
        for number in 0..SERVICES {
            let at = seconds(40 + number);
            world.want(at, "a1", need(&format!("{number}"), Some("eu"), 2));
        }
        // What is to be had without the root is.
        world.want(seconds(100), "a1", need("near", Some("us"), 2));
        world.run_until(seconds(4000));
        assert_eq!(path_of(&world, "a1", "near"), ["a1", "a", "a2"]);
        let cut_off = Some(Status::Waiting(Because::CutOff));
        for number in 0..SERVICES {
            assert_eq!(world.cells["a1"].status(&number.to_string()), cut_off);
        }
        assert_eq!(owners(&world, "before"), ["b2"]);
        world.set_link("a", "root", true);
        world.run_until(seconds(4030));
        for number in 0..SERVICES {
            let way = path_of(&world, "a1", &number.to_string());
            assert_eq!(way, ["a1", "a", "root", "b", "b2"], "seed {seed}");
        }
    }
}

/// The cell that has room comes back later than the one that needs it, after both were away for an hour. Whoever was told in the
/// meantime that there is none does not wait out the pause that it has come to.
#[test]
fn a_cell_with_room_that_comes_back_last_is_found_within_10_seconds() {
    const SERVICES: u64 = 40;
    for seed in 0..50 {
        let mut world = kind(&[("b2", lot("eu", 5, SERVICES))]);
        world.luck = Luck(seed);
        world.run_until(seconds(20));
        world.set_link("a", "root", false);
        world.set_link("b", "root", false);
        for number in 0..SERVICES {
            let at = seconds(30 + number);
            world.want(at, "a1", need(&format!("{number}"), Some("eu"), 2));
        }
        world.run_until(seconds(3600));
        world.period = seconds(1);
        world.set_link("a", "root", true);
        let later = 3600 + world.luck.below(600);
        world.run_until(seconds(later));
        let said = world.cells["a1"].status("0");
        assert!(matches!(said, Some(Status::Waiting(_))), "{said:?}");
        world.set_link("b", "root", true);
        world.run_until(seconds(later + 10));
        for number in 0..SERVICES {
            let way = path_of(&world, "a1", &number.to_string());
            assert_eq!(way, ["a1", "a", "root", "b", "b2"], "seed {seed}");
        }
    }
}

/// A cell is deleted whose services have places with its parent, with a sibling and in another part of the tree.
#[test]
fn a_cell_that_is_gone_for_good_leaves_no_place_behind() {
    for seed in 0..50 {
        let mut world = kind(&[
            ("a", lot("ap", 5, 2)),
            ("a2", lot("us", 5, 2)),
            ("b2", lot("eu", 5, 2)),
        ]);
        world.luck = Luck(seed);
        world.run_until(seconds(20));
        for region in REGIONS {
            world.want(seconds(20), "a1", need(region, Some(region), 2));
        }
        world.want(seconds(20), "a3", need("stays", Some("eu"), 2));
        world.run_until(seconds(150));
        assert_eq!(owners(&world, "eu"), ["b2"], "seed {seed}");
        assert_eq!(owners(&world, "us"), ["a2"], "seed {seed}");
        assert_eq!(owners(&world, "ap"), ["a"], "seed {seed}");
        world.hard.lost = 200;
        world.hard.doubled = 100;
        world.delete("a1");
        world.run_until(seconds(800));
        for region in REGIONS {
            assert!(owners(&world, region).is_empty(), "seed {seed}: {region}");
        }
        assert_eq!(owners(&world, "stays"), ["b2"], "seed {seed}");
    }
}

/// A root is adopted: its parent calls it something else than it called itself.
#[test]
fn what_was_found_under_an_earlier_name_is_asked_after_and_given_back() {
    let mut world = kind(&[("a2", lot("us", 5, 9)), ("b2", lot("eu", 5, 9))]);
    world.rename("a", "old");
    world.run_until(seconds(20));
    // Its own, and one that has its place through it.
    world.want(seconds(20), "a", need("own", Some("us"), 2));
    world.want(seconds(20), "a1", need("below", Some("us"), 2));
    world.run_until(seconds(60));
    assert_eq!(path_of(&world, "a", "own"), ["old", "a2"]);
    assert_eq!(path_of(&world, "a1", "below"), ["a1", "old", "a2"]);
    world.rename("a", "a");
    world.run_until(seconds(300));
    assert_eq!(owners(&world, "own"), ["a2"]);
    assert_eq!(owners(&world, "below"), ["a2"]);
    world.unwant(seconds(300), "own");
    world.unwant(seconds(300), "below");
    world.run_until(seconds(400));
    assert!(owners(&world, "own").is_empty());
    assert!(owners(&world, "below").is_empty());
}
