#!/bin/sh
# Builds what local machines are made of, beside the control plane's programs: kubeadm, the controller manager,
# the scheduler, kwok and Cluster API's managers; and clusterctl, which tests compare moves with. What is current is left
# alone.
set -eu

into=$1
tools=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$into"
into=$(cd "$into" && pwd)
stamp="$into/.machine-parts-built-from"
programs="kubeadm kube-controller-manager kube-scheduler kwok
    cluster-api-controller kubeadm-bootstrap-controller kubeadm-control-plane-controller clusterctl"
manifests=cluster-api.yaml
pinned=$(cat "$tools"/control-plane/go.* "$tools"/kwok/go.* "$tools"/cluster-api/go.* "$tools/linked.sh" "$0" | cksum)

complete() {
    for program in $programs; do
        [ -x "$into/$program" ] || return 1
    done
    [ -s "$into/$manifests" ] || return 1
    [ "$(cat "$stamp" 2>/dev/null)" = "$pinned" ]
}

if complete; then
    echo "machine-parts: $into is up to date"
    exit 0
fi

. "$tools/linked.sh"

build() {
    echo "machine-parts: building $1 ($2)"
    CGO_ENABLED=0 go build -trimpath -ldflags "$link" -o "$into/$1" "$2"
}

echo "machine-parts: the first build takes about six minutes on two cores"
rm -f "$stamp"
cd "$tools/control-plane"
link=$(linked "$(pinned_version k8s.io/kubernetes)" $kubernetes_version_packages)
build kubeadm k8s.io/kubernetes/cmd/kubeadm
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
build kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler
cd "$tools/kwok"
link="-s -w"
build kwok sigs.k8s.io/kwok/cmd/kwok
cd "$tools/cluster-api"
link=$(linked "$(pinned_version sigs.k8s.io/cluster-api)" sigs.k8s.io/cluster-api/version)
build cluster-api-controller sigs.k8s.io/cluster-api
build kubeadm-bootstrap-controller sigs.k8s.io/cluster-api/bootstrap/kubeadm
build kubeadm-control-plane-controller sigs.k8s.io/cluster-api/controlplane/kubeadm
build clusterctl sigs.k8s.io/cluster-api/cmd/clusterctl
module=$(go list -m -f '{{.Dir}}' sigs.k8s.io/cluster-api)
for part in . bootstrap/kubeadm controlplane/kubeadm; do
    "$into/kubectl" kustomize "$module/$part/config/default"
    echo ---
done >"$into/$manifests"
echo "$pinned" >"$stamp"
