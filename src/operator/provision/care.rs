//! One look at one cluster, and what follows from it.

use std::sync::Arc;

use chrono::Utc;
use kube::{Client, ResourceExt};

use super::{
    Parent, Provisioner,
    act::{self, Subject},
    error::ProvisionError,
    look::{self, Found},
    moves::State,
    passage::Passage,
};
use crate::{
    api::{LatticeCluster, LatticeNodeClass, LatticePool},
    clusters::{
        equipment::Needs,
        lifecycle::{self, Action, Home, Moving, Progress, Sight, Way},
        pivot::ClusterName,
        render::{self, Rendered, Sources},
    },
    operator::leader::Term,
    placement::labels::has_parent,
};

/// What all clusters are looked after with.
pub(super) struct Care<'a> {
    pub(super) provisioner: &'a Provisioner,
    pub(super) term: &'a Term,
    /// The cluster that this operator runs in.
    pub(super) own: Option<String>,
    /// Where the first machines of new clusters call, once that is known.
    pub(super) parent: Option<Parent>,
    pub(super) pools: &'a [LatticePool],
    pub(super) node_classes: &'a [LatticeNodeClass],
}

impl Care<'_> {
    /// Looks at one cluster and does what is to be done for it.
    pub(super) async fn of(&self, cluster: &LatticeCluster) -> Result<Progress, ProvisionError> {
        let name = cluster.name_any();
        let is_own = self.own.as_ref() == Some(&name);
        let wanted = self.render(cluster, is_own);
        let subject = look::Subject {
            cluster,
            name: ClusterName::new(render::namespace(&name), name.clone()),
            is_own,
            rendered: wanted.as_ref().ok(),
        };
        let (client, now) = (&self.provisioner.client, Utc::now());
        let state = self.provisioner.moves.state(&name).await;
        let found = look::look(client, &self.provisioner.children, &subject, now).await?;
        let staged = wanted.clone().and_then(|rendered| {
            let control_plane = found.control_plane.as_ref();
            lifecycle::staged(rendered, control_plane, &found.deployments)
        });
        let upgrading = staged.as_ref().ok().and_then(|staged| staged.doing.clone());
        let rendered = staged.map(|staged| staged.rendered);
        let subject = look::Subject {
            rendered: rendered.as_ref().ok(),
            ..subject
        };
        let decision = lifecycle::decide(&Sight {
            cluster,
            rendered: rendered.as_ref(),
            home: &found.home,
            upgrading: upgrading.as_deref(),
            is_noted: found.child.is_some(),
            moving: match &state {
                State::None => Moving::No,
                State::Running(doing) => Moving::Yes(doing),
                State::Failed(why) => Moving::Failed(why),
            },
            capi: found.capi.as_ref(),
            deployments: &found.deployments,
            machines: &found.machines,
            has_credentials: found.has_credentials,
            invitation: found.invitation,
            now,
        });
        for action in &decision.actions {
            self.act(&subject, &found, action).await?;
        }
        self.refresh(&subject, &found).await?;
        let control_plane = found.control_plane.as_ref();
        let version = control_plane.and_then(|found| found["status"]["version"].as_str());
        let groups = rendered.as_ref().map(|rendered| &rendered.groups);
        let shortages =
            groups.map(|groups| lifecycle::shortages(cluster, groups, &found.machines, now));
        Ok(Progress {
            shortages: shortages.unwrap_or_default(),
            version: version.map(str::to_owned),
            ..decision.progress
        })
    }

    fn render(
        &self,
        cluster: &LatticeCluster,
        is_own: bool,
    ) -> Result<Rendered, render::RenderError> {
        let parent = self.parent.as_ref();
        // In a cluster of its own an operator may not know yet where children call it; what they are told to do is the same.
        let is_parent = parent.is_some() || self.own.is_some();
        let is_of_roots = parent.is_some_and(|parent| parent.is_of_roots);
        let calls = is_of_roots || (is_parent && has_parent(cluster));
        render::render(&Sources {
            cluster,
            pools: self.pools,
            node_classes: self.node_classes,
            // What a parent has rendered once has to come out the same in the cluster itself.
            has_parent: is_own || calls,
        })
    }

    async fn act(
        &self,
        subject: &look::Subject<'_>,
        found: &Found,
        action: &Action,
    ) -> Result<(), ProvisionError> {
        let Provisioner {
            client,
            children,
            moves,
            ..
        } = self.provisioner;
        let name = &subject.name.name;
        match action {
            Action::Move(way) => {
                self.begin(subject, *way);
                Ok(())
            }
            Action::HandDown => match &found.child {
                Some(child) => self.hand_down(subject, child).await,
                None => Ok(()),
            },
            Action::Forget => {
                moves.forget(name);
                act::unnote(client, subject.cluster).await?;
                children.forget(name).await
            }
            _ => {
                let subject = Subject {
                    cluster: subject.cluster,
                    namespace: &subject.name.namespace,
                    rendered: subject.rendered,
                    parent: self.parent.as_ref(),
                    now: Utc::now(),
                };
                act::act(client, &subject, action).await
            }
        }
    }

    /// Begins a move, which goes on while other clusters are looked at.
    fn begin(&self, subject: &look::Subject<'_>, way: Way) {
        let Some(infrastructure) = subject.cluster.spec.provider.provider_type() else {
            return;
        };
        let passage = Passage {
            parent: self.provisioner.client.clone(),
            children: Arc::clone(&self.provisioner.children),
            cluster: subject.cluster.clone(),
            namespace: subject.name.namespace.clone(),
            needs: Needs {
                is_cell: subject.cluster.spec.is_cell(),
                bootstrap: subject.cluster.spec.provider.kubernetes.bootstrap,
                infrastructure,
            },
            way,
        };
        let moves = &self.provisioner.moves;
        moves.begin(&subject.name.name, &self.term.over, |said| async {
            passage.go(said).await.map_err(|error| error.to_string())
        });
    }

    async fn hand_down(
        &self,
        subject: &look::Subject<'_>,
        child: &Client,
    ) -> Result<(), ProvisionError> {
        let between = (&self.provisioner.client, child);
        let known = (self.pools, self.node_classes);
        let handed_down = &self.provisioner.handed_down;
        handed_down
            .tell(between, subject.cluster, known, subject.rendered)
            .await
    }

    /// Keeps up with the credentials of a cluster that renews them itself.
    async fn refresh(
        &self,
        subject: &look::Subject<'_>,
        found: &Found,
    ) -> Result<(), ProvisionError> {
        match (&found.home, &found.child) {
            (Home::There, Some(child)) => {
                let children = &self.provisioner.children;
                children
                    .refresh(subject.cluster, child, &subject.name.namespace)
                    .await
            }
            _ => Ok(()),
        }
    }
}
