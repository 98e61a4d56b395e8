//! The release of Kubernetes that machines run.

use super::error::RenderProblem;
use crate::api::cluster_provider::{Bootstrap, KubernetesSpec};

/// The version as Cluster API's providers write it: `v1.34.1`, and `v1.34.1+rke2r1` for RKE2.
pub(super) fn of(kubernetes: &KubernetesSpec) -> Result<String, RenderProblem> {
    let written = kubernetes.version.as_str();
    let plain = written.strip_prefix('v').unwrap_or(written);
    let end = plain.find(['-', '+']).unwrap_or(plain.len());
    let (numbers, suffix) = plain.split_at(end);
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if numbers.split('.').count() != 3 || !numbers.split('.').all(all_digits) {
        return Err(RenderProblem::PartialVersion(written.to_owned()));
    }
    let refuse = |bootstrap, instead| {
        Err(RenderProblem::VersionSuffix {
            version: written.to_owned(),
            bootstrap,
            instead,
        })
    };
    let is_rke2 = |suffix: &str| suffix.strip_prefix("+rke2r").is_some_and(all_digits);
    match kubernetes.bootstrap {
        Bootstrap::Rke2 if suffix.is_empty() => Ok(format!("v{numbers}+rke2r1")),
        Bootstrap::Rke2 if is_rke2(suffix) => Ok(format!("v{plain}")),
        Bootstrap::Rke2 => refuse("RKE2", "`1.34.1`, or `1.34.1+rke2r2` for a later build"),
        Bootstrap::Kubeadm if suffix.starts_with('+') => refuse(
            "kubeadm",
            "it without what is behind the `+`, or set `bootstrap: rke2`",
        ),
        Bootstrap::Kubeadm => Ok(format!("v{plain}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(written: &str, bootstrap: Bootstrap) -> Result<String, RenderProblem> {
        of(&KubernetesSpec {
            version: written.to_owned(),
            bootstrap,
            ..KubernetesSpec::default()
        })
    }

    #[test]
    fn a_release_is_written_as_the_provider_wants_it() {
        let good = [
            ("1.34.1", Bootstrap::Kubeadm, "v1.34.1"),
            ("v1.35.0-rc.1", Bootstrap::Kubeadm, "v1.35.0-rc.1"),
            ("1.31.0", Bootstrap::Rke2, "v1.31.0+rke2r1"),
            ("v1.31.0+rke2r2", Bootstrap::Rke2, "v1.31.0+rke2r2"),
        ];
        for (written, bootstrap, expected) in good {
            assert_eq!(version(written, bootstrap).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_names_no_release_is_refused() {
        for written in ["1.34", "1", "1.34.x", "1..2", "1.2.3.4"] {
            let refused = version(written, Bootstrap::Kubeadm);
            assert!(
                matches!(refused, Err(RenderProblem::PartialVersion(_))),
                "{written}"
            );
        }
        let suffixes = [
            ("1.31.0+rke2r1", Bootstrap::Kubeadm),
            ("1.31.0+k3s1", Bootstrap::Rke2),
            ("1.31.0-rc.1", Bootstrap::Rke2),
            ("1.31.0+rke2r", Bootstrap::Rke2),
        ];
        for (written, bootstrap) in suffixes {
            let refused = version(written, bootstrap);
            assert!(
                matches!(refused, Err(RenderProblem::VersionSuffix { .. })),
                "{written}"
            );
        }
    }
}
