//! What the cloud answers: pure, so that every refusal can be tried.

use super::model::{Cloud, Credential, EndpointRecord, Fault, MachineRequest, Record, Refusal};

/// Machines and endpoints have the numbers 1 and 2 to this in the network.
const LAST: u8 = 250;
const FIRST_MACHINE: u8 = 1;
/// Of a machine, whose host name it is.
const LONGEST_NAME: usize = 63;
/// Of a cluster with its namespace.
const LONGEST_KEY: usize = 253;
/// The bridge itself has number 1.
const FIRST_ENDPOINT: u8 = 2;
/// The one who may do everything, and break things.
pub(crate) const ADMINISTRATOR: &str = "admin";

/// Who comes with this token.
pub(crate) fn who(cloud: &Cloud, token: &str) -> Result<String, Refusal> {
    let known = cloud
        .credentials
        .iter()
        .find(|(_, credential)| same(&credential.token, token));
    known
        .map(|(name, _)| name.clone())
        .ok_or(Refusal::UnknownCredential)
}

/// Compares without telling by the time it takes how much was right.
fn same(known: &str, given: &str) -> bool {
    !known.is_empty()
        && known.len() == given.len()
        && known
            .bytes()
            .zip(given.bytes())
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

/// Refuses everything where that was asked for, except to the one who can end it.
pub(crate) fn available(cloud: &Cloud, who: &str) -> Result<(), Refusal> {
    if who != ADMINISTRATOR && cloud.faults.contains(&Fault::Unavailable) {
        return Err(Refusal::Unavailable);
    }
    Ok(())
}

/// Accepts a machine, or finds it accepted already.
pub(crate) fn create(
    cloud: &mut Cloud,
    who: &str,
    request: &MachineRequest,
    versions: &[&str],
) -> Result<Record, Refusal> {
    named("machine", &request.name)?;
    long("cluster", &request.cluster, LONGEST_KEY)?;
    if let Some(known) = cloud.machines.get(&request.name) {
        if known.owner != who || known.request.cluster != request.cluster || known.deleting {
            return Err(Refusal::NameTaken(request.name.clone()));
        }
        return Ok(known.clone());
    }
    if !versions.contains(&request.kubernetes_version.as_str()) {
        return Err(Refusal::ImageNotFound {
            wanted: request.kubernetes_version.clone(),
            there: versions.join(", "),
        });
    }
    in_stock(cloud, request)?;
    within_quota(cloud, who, request)?;
    let used: Vec<u8> = cloud.machines.values().map(|record| record.index).collect();
    let index = free(&used, FIRST_MACHINE).ok_or(Refusal::NoAddress("machines"))?;
    let stuck = cloud
        .faults
        .iter()
        .any(|fault| matches!(fault, Fault::NoBoot { prefix } if request.name.starts_with(prefix)));
    let record = Record {
        request: MachineRequest {
            user_data: String::new(),
            ..request.clone()
        },
        owner: who.to_owned(),
        index,
        on: true,
        cut: false,
        starts: !stuck,
        deleting: false,
    };
    cloud.machines.insert(request.name.clone(), record.clone());
    Ok(record)
}

fn in_stock(cloud: &Cloud, request: &MachineRequest) -> Result<(), Refusal> {
    let any_or = |wanted: &Option<String>, value: &str| {
        wanted.as_deref().is_none_or(|wanted| wanted == value)
    };
    let out = cloud.faults.iter().any(|fault| match fault {
        Fault::OutOfStock { size, zone } => {
            any_or(size, &request.size) && any_or(zone, &request.zone)
        }
        _ => false,
    });
    if out {
        return Err(Refusal::OutOfStock {
            size: request.size.clone(),
            zone: request.zone.clone(),
        });
    }
    Ok(())
}

fn within_quota(cloud: &Cloud, who: &str, request: &MachineRequest) -> Result<(), Refusal> {
    let quota = cloud.credentials.get(who).cloned().unwrap_or_default();
    let own = || cloud.machines.values().filter(|record| record.owner == who);
    let exceeded = |limit: u64, unit: &str, used: u64, wanted: u64| Refusal::QuotaExceeded {
        owner: who.to_owned(),
        limit: format!("{limit} {unit}"),
        used,
        wanted,
    };
    let machines = u64::try_from(own().count()).unwrap_or(u64::MAX);
    if let Some(limit) = quota.machines.filter(|limit| machines >= *limit) {
        return Err(exceeded(limit, "machines", machines, 1));
    }
    let cores: u64 = own().map(|record| record.request.milli_cores).sum();
    let wanted = request.milli_cores;
    if let Some(limit) = quota
        .milli_cores
        .filter(|limit| cores.saturating_add(wanted) > *limit)
    {
        return Err(exceeded(limit, "milli-cores", cores, wanted));
    }
    Ok(())
}

/// The machine, for one who may touch it.
pub(crate) fn machine<'a>(
    cloud: &'a mut Cloud,
    who: &str,
    name: &str,
) -> Result<&'a mut Record, Refusal> {
    let visible = cloud
        .machines
        .get_mut(name)
        .filter(|record| who == ADMINISTRATOR || record.owner == who);
    visible.ok_or_else(|| Refusal::NotFound(format!("machine {name}")))
}

/// An endpoint of this name, the same each time.
pub(crate) fn endpoint(
    cloud: &mut Cloud,
    who: &str,
    name: &str,
    port: u16,
) -> Result<EndpointRecord, Refusal> {
    long("endpoint", name, LONGEST_KEY)?;
    if let Some(known) = cloud.endpoints.get(name) {
        if known.owner != who {
            return Err(Refusal::NameTaken(name.to_owned()));
        }
        return Ok(known.clone());
    }
    let used: Vec<u8> = cloud
        .endpoints
        .values()
        .map(|record| record.index)
        .collect();
    let record = EndpointRecord {
        owner: who.to_owned(),
        index: free(&used, FIRST_ENDPOINT).ok_or(Refusal::NoAddress("endpoints"))?,
        port,
    };
    cloud.endpoints.insert(name.to_owned(), record.clone());
    Ok(record)
}

/// Takes the endpoint back, if it is there.
pub(crate) fn release(cloud: &mut Cloud, who: &str, name: &str) -> Result<(), Refusal> {
    match cloud.endpoints.get(name) {
        Some(known) if who != ADMINISTRATOR && known.owner != who => {
            Err(Refusal::NotFound(format!("endpoint {name}")))
        }
        _ => {
            cloud.endpoints.remove(name);
            Ok(())
        }
    }
}

/// Adds a credential, or changes its quotas.
pub(crate) fn admit(
    cloud: &mut Cloud,
    name: &str,
    quota: &Credential,
    fresh: String,
) -> Result<Credential, Refusal> {
    named("credential", name)?;
    let token = cloud
        .credentials
        .get(name)
        .map_or(fresh, |known| known.token.clone());
    let credential = Credential {
        token,
        ..quota.clone()
    };
    cloud
        .credentials
        .insert(name.to_owned(), credential.clone());
    Ok(credential)
}

fn free(used: &[u8], first: u8) -> Option<u8> {
    (first..=LAST).find(|index| !used.contains(index))
}

/// Names become host names and folders.
fn named(what: &str, name: &str) -> Result<(), Refusal> {
    long(what, name, LONGEST_NAME)
}

fn long(what: &str, name: &str, longest: usize) -> Result<(), Refusal> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let fits = !name.is_empty() && name.len() <= longest;
    if fits && name.chars().all(inner) && edge(name.chars().next()) && edge(name.chars().last()) {
        return Ok(());
    }
    Err(Refusal::Invalid(format!(
        "`{name}` is no name for a {what}: 1 to {longest} of a-z, 0-9, `-` and `.`, with a letter or digit at both ends"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str = "v1.36.3";

    fn request(name: &str) -> MachineRequest {
        MachineRequest {
            name: name.to_owned(),
            cluster: "a".to_owned(),
            size: "m".to_owned(),
            zone: "z".to_owned(),
            kubernetes_version: VERSION.to_owned(),
            milli_cores: 2000,
            user_data: "secret".to_owned(),
            ..MachineRequest::default()
        }
    }

    fn cloud(quota: Credential) -> Cloud {
        let mut cloud = Cloud::default();
        admit(&mut cloud, "me", &quota, "t".to_owned()).unwrap();
        cloud
    }

    fn refused(cloud: &mut Cloud, request: &MachineRequest) -> &'static str {
        let before = cloud.clone();
        let refusal = create(cloud, "me", request, &[VERSION]).unwrap_err();
        assert_eq!(*cloud, before, "nothing is left behind");
        refusal.code().1
    }

    #[test]
    fn a_name_is_one_machine_however_often_it_is_asked_for() {
        let mut cloud = cloud(Credential::default());
        let first = create(&mut cloud, "me", &request("m-1"), &[VERSION]).unwrap();
        let again = create(&mut cloud, "me", &request("m-1"), &[VERSION]).unwrap();
        assert_eq!(first, again);
        assert_eq!(first.index, 1);
        assert!(first.request.user_data.is_empty());
        let second = create(&mut cloud, "me", &request("m-2"), &[VERSION]).unwrap();
        assert_eq!(second.index, 2);
        assert_eq!(cloud.machines.len(), 2);
        let foreign = create(&mut cloud, "you", &request("m-1"), &[VERSION]).unwrap_err();
        assert_eq!(foreign.code().1, "NameTaken");
        cloud.machines.remove("m-1");
        assert_eq!(
            create(&mut cloud, "me", &request("m-3"), &[VERSION])
                .unwrap()
                .index,
            1
        );
    }

    #[test]
    fn quotas_hold_and_are_raised() {
        let mut cloud = cloud(Credential {
            machines: Some(1),
            ..Credential::default()
        });
        create(&mut cloud, "me", &request("m-1"), &[VERSION]).unwrap();
        assert_eq!(refused(&mut cloud, &request("m-2")), "QuotaExceeded");
        let cores = Credential {
            milli_cores: Some(3999),
            ..Credential::default()
        };
        let kept = admit(&mut cloud, "me", &cores, "other".to_owned()).unwrap();
        assert_eq!(kept.token, "t");
        assert_eq!(refused(&mut cloud, &request("m-2")), "QuotaExceeded");
        let more = Credential {
            milli_cores: Some(4000),
            ..Credential::default()
        };
        admit(&mut cloud, "me", &more, String::new()).unwrap();
        create(&mut cloud, "me", &request("m-2"), &[VERSION]).unwrap();
    }

    #[test]
    fn faults_are_what_they_say() {
        let mut cloud = cloud(Credential::default());
        let stock = |size: Option<&str>, zone: Option<&str>| Fault::OutOfStock {
            size: size.map(str::to_owned),
            zone: zone.map(str::to_owned),
        };
        for fault in [
            stock(None, None),
            stock(Some("m"), None),
            stock(Some("m"), Some("z")),
        ] {
            cloud.faults = vec![fault];
            assert_eq!(refused(&mut cloud, &request("m-1")), "OutOfStock");
        }
        cloud.faults = vec![stock(Some("m"), Some("y")), stock(Some("l"), None)];
        assert!(
            create(&mut cloud, "me", &request("m-1"), &[VERSION])
                .unwrap()
                .starts
        );
        cloud.faults = vec![Fault::NoBoot {
            prefix: "m-2".to_owned(),
        }];
        assert!(
            !create(&mut cloud, "me", &request("m-2"), &[VERSION])
                .unwrap()
                .starts
        );
        cloud.faults = vec![Fault::Unavailable];
        assert_eq!(available(&cloud, "me"), Err(Refusal::Unavailable));
        assert_eq!(available(&cloud, ADMINISTRATOR), Ok(()));
    }

    #[test]
    fn only_who_is_known_is_let_in_and_sees_its_own() {
        let mut cloud = cloud(Credential::default());
        assert_eq!(who(&cloud, "t").unwrap(), "me");
        for token in ["", "x", "tt"] {
            assert_eq!(who(&cloud, token), Err(Refusal::UnknownCredential));
        }
        create(&mut cloud, "me", &request("m-1"), &[VERSION]).unwrap();
        assert!(machine(&mut cloud, "you", "m-1").is_err());
        assert!(machine(&mut cloud, "me", "m-1").is_ok());
        assert!(machine(&mut cloud, ADMINISTRATOR, "m-1").is_ok());
    }

    #[test]
    fn bad_requests_are_refused_by_name() {
        let mut cloud = cloud(Credential::default());
        for name in ["", "-a", "a/b", "A", "a-", &"a".repeat(64)] {
            assert_eq!(refused(&mut cloud, &request(name)), "Invalid", "{name}");
        }
        let old = MachineRequest {
            kubernetes_version: "v1.2.3".to_owned(),
            ..request("m-1")
        };
        assert_eq!(refused(&mut cloud, &old), "ImageNotFound");
    }

    #[test]
    fn endpoints_are_kept_and_given_back() {
        let mut cloud = cloud(Credential::default());
        let first = endpoint(&mut cloud, "me", "a", 6443).unwrap();
        assert_eq!(endpoint(&mut cloud, "me", "a", 6443).unwrap(), first);
        assert_eq!(endpoint(&mut cloud, "me", "b", 6443).unwrap().index, 3);
        assert!(endpoint(&mut cloud, "you", "a", 6443).is_err());
        assert!(release(&mut cloud, "you", "a").is_err());
        release(&mut cloud, "me", "a").unwrap();
        release(&mut cloud, "me", "a").unwrap();
        assert_eq!(endpoint(&mut cloud, "me", "c", 6443).unwrap().index, 2);
    }
}
