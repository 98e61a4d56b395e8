//! The machines of a cloud as a table.

use crate::cli::table;
use crate::clusters::provider::cloud::{Boot, MachineView};

/// A line for each machine.
pub(super) fn table(machines: &[MachineView]) -> String {
    if machines.is_empty() {
        return "No machines.\n".to_owned();
    }
    let header = [
        "NAME", "CLUSTER", "ROLE", "SIZE", "ZONE", "ADDRESS", "STATE", "BOOT",
    ];
    let rows = machines.iter().map(|machine| {
        let role = if machine.control_plane {
            "control plane"
        } else {
            "worker"
        };
        let state = if machine.cut {
            format!("{:?}, cut off", machine.state)
        } else {
            format!("{:?}", machine.state)
        };
        vec![
            machine.name.clone(),
            machine.cluster.clone(),
            role.to_owned(),
            machine.size.clone(),
            machine.zone.clone(),
            machine.address.to_string(),
            state,
            boot(&machine.boot),
        ]
    });
    table::table(&header, &[], rows)
}

fn boot(boot: &Boot) -> String {
    match boot {
        Boot::Booting => "under way".to_owned(),
        Boot::Succeeded => "done".to_owned(),
        Boot::Failed { message } => {
            let first = message.lines().next().unwrap_or_default();
            format!("failed: {}", first.chars().take(80).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clusters::provider::cloud::MachineState;

    #[test]
    fn each_machine_has_its_line() {
        let machine = MachineView {
            name: "m-1".to_owned(),
            cluster: "a".to_owned(),
            control_plane: true,
            size: "m".to_owned(),
            zone: "z".to_owned(),
            provider_id: "local:///m-1".to_owned(),
            address: [10, 213, 1, 1].into(),
            state: MachineState::Running,
            cut: true,
            boot: Boot::Failed {
                message: "one\ntwo".to_owned(),
            },
        };
        let text = table(&[machine]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        for word in [
            "m-1",
            "control plane",
            "10.213.1.1",
            "Running, cut off",
            "failed: one",
        ] {
            assert!(lines[1].contains(word), "{text}");
        }
        assert_eq!(table(&[]), "No machines.\n");
    }
}
