//! What kubeadm tells a kubelet: flags in a file of variables.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Taint;

/// The flags that have a meaning here. Others concern containers, which there are none of.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Settings {
    /// The node's name, where it is not the host name.
    pub(super) hostname_override: Option<String>,
    /// Labels that the node registers with.
    pub(super) labels: BTreeMap<String, String>,
    /// Taints that the node registers with.
    pub(super) taints: Vec<Taint>,
    /// The node's name at its provider.
    pub(super) provider_id: Option<String>,
}

impl Settings {
    /// Reads the text of `kubeadm-flags.env`.
    pub(super) fn parse(text: &str) -> Self {
        let mut settings = Self::default();
        let value = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("KUBELET_KUBEADM_ARGS="))
            .unwrap_or_default();
        for word in value.trim_matches('"').split_whitespace() {
            let Some((flag, value)) = word.trim_start_matches('-').split_once('=') else {
                continue;
            };
            settings.set(flag, value.trim_matches('\''));
        }
        settings
    }

    fn set(&mut self, flag: &str, value: &str) {
        let parts = || value.split(',').filter(|part| !part.is_empty());
        match flag {
            "hostname-override" => self.hostname_override = Some(value.to_owned()),
            "provider-id" => self.provider_id = Some(value.to_owned()),
            "node-labels" => {
                self.labels = parts()
                    .map(|label| label.split_once('=').unwrap_or((label, "")))
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .collect();
            }
            "register-with-taints" => self.taints = parts().filter_map(taint).collect(),
            _ => {}
        }
    }
}

/// `key=value:Effect` or `key:Effect`.
fn taint(text: &str) -> Option<Taint> {
    let (name, effect) = text.rsplit_once(':')?;
    let (key, value) = match name.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (name, None),
    };
    Some(Taint {
        key: key.to_owned(),
        value: value.filter(|value| !value.is_empty()),
        effect: effect.to_owned(),
        time_added: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubeadm_writes_is_read() {
        let text = "KUBELET_KUBEADM_ARGS=\"--hostname-override=a --node-labels=x=1,y= --provider-id=local:///a --register-with-taints=node-role.kubernetes.io/control-plane:NoSchedule,k=v:NoExecute --v=2\"\n";
        let settings = Settings::parse(text);
        assert_eq!(settings.hostname_override.as_deref(), Some("a"));
        assert_eq!(settings.provider_id.as_deref(), Some("local:///a"));
        assert_eq!(settings.labels["x"], "1");
        assert_eq!(settings.labels["y"], "");
        let taints: Vec<_> = settings
            .taints
            .iter()
            .map(|taint| {
                (
                    taint.key.as_str(),
                    taint.value.as_deref(),
                    taint.effect.as_str(),
                )
            })
            .collect();
        assert_eq!(
            taints,
            [
                ("node-role.kubernetes.io/control-plane", None, "NoSchedule"),
                ("k", Some("v"), "NoExecute")
            ]
        );
    }

    #[test]
    fn no_flags_are_no_settings() {
        assert_eq!(
            Settings::parse("KUBELET_KUBEADM_ARGS=\"\"\n"),
            Settings::default()
        );
        assert_eq!(Settings::parse(""), Settings::default());
    }
}
