//! The tables of the demonstration.

use comfy_table::{Cell, CellAlignment, Table, presets::NOTHING};
use kube::ResourceExt;

use crate::api::{LatticePool, LatticeService, Ratio};

/// Pools with what is used of them.
pub(super) fn pools(pools: &[LatticePool]) -> String {
    let mut table = table(&[
        "POOL",
        "PROVIDER",
        "REGION",
        "NODES",
        "CORES",
        "MEMORY",
        "CLUSTERS",
        "COST/MONTH",
        "BUDGET",
        "USED",
    ]);
    for pool in pools {
        let status = pool.status.clone().unwrap_or_default();
        let capacity = status.capacity.unwrap_or_default();
        let shares = status.utilization.unwrap_or_default();
        let budget = status.budget.unwrap_or_default();
        let limit = pool.spec.budget.as_ref();
        table.add_row(vec![
            pool.name_any(),
            pool.spec.provider.type_.to_string(),
            pool.spec.provider.region.clone(),
            used(capacity.allocated_nodes, shares.nodes),
            used(capacity.allocated_cores, shares.cores),
            used(capacity.allocated_memory_gi, shares.memory),
            status.clusters.len().to_string(),
            budget.projected_month_cost.to_string(),
            limit.map_or("-".to_owned(), |limit| {
                format!("{} {}", limit.max_monthly_cost, limit.currency)
            }),
            budget.utilization_percent.map_or("-".to_owned(), percent),
        ]);
    }
    align(&mut table, &[3, 4, 5, 6, 7, 8, 9]);
    finished(&table)
}

/// How many objects of Cluster API are here, and in each cluster.
pub(super) fn objects(clusters: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let mut header = vec!["CLUSTER API'S".to_owned(), "HERE".to_owned()];
    header.extend(clusters);
    let mut shown = table(&header);
    rows.into_iter().for_each(|row| {
        shown.add_row(row);
    });
    let counts: Vec<usize> = (1..header.len()).collect();
    align(&mut shown, &counts);
    finished(&shown)
}

/// Services with their places and cost.
pub(super) fn services(services: &[LatticeService]) -> String {
    let mut table = table(&[
        "SERVICE",
        "PHASE",
        "REPLICAS",
        "PLACES",
        "COST/HOUR",
        "COST/30 DAYS",
    ]);
    for service in services {
        let status = service.status.clone().unwrap_or_default();
        let places: Vec<String> = status
            .placements
            .iter()
            .map(|place| format!("{} on {}", place.replicas, place.cluster))
            .collect();
        let replicas: u32 = status.placements.iter().map(|place| place.replicas).sum();
        let cost = status.total_cost;
        table.add_row(vec![
            format!(
                "{}/{}",
                service.namespace().unwrap_or_default(),
                service.name_any()
            ),
            status
                .phase
                .map_or("-".to_owned(), |phase| format!("{phase:?}")),
            replicas.to_string(),
            if places.is_empty() {
                "-".to_owned()
            } else {
                places.join(", ")
            },
            cost.map_or("-".to_owned(), |cost| cost.hourly.to_string()),
            cost.map_or("-".to_owned(), |cost| cost.projected_30_day.to_string()),
        ]);
    }
    align(&mut table, &[2, 4, 5]);
    finished(&table)
}

fn used(amount: impl std::fmt::Display, share: Option<Ratio>) -> String {
    match share {
        Some(share) => format!("{amount} ({})", percent(share)),
        None => amount.to_string(),
    }
}

fn percent(share: Ratio) -> String {
    let tenths = (share.ppm() + 500) / 1000;
    format!("{}.{}%", tenths / 10, tenths % 10)
}

fn table<T: std::fmt::Display>(header: &[T]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(header.iter().map(Cell::new));
    table
}

fn align(table: &mut Table, right: &[usize]) {
    for index in right {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn finished(table: &Table) -> String {
    let mut text: String = table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect();
    if text.is_empty() {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_shown_to_a_tenth_of_a_percent() {
        assert_eq!(percent(Ratio::from_ppm(820_000)), "82.0%");
        assert_eq!(percent(Ratio::from_ppm(4_567)), "0.5%");
        assert_eq!(used(4, Some(Ratio::from_ppm(40_000))), "4 (4.0%)");
        assert_eq!(used(4, None), "4");
    }
}
