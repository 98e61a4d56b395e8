#!/bin/sh
# Builds kubeadm, the API server, the controller manager and the scheduler once more, from the same source and stamped with the
# next patch release: what a cluster is upgraded to where only the way of an upgrade matters. What is current is left alone.
set -eu

into=$1
tools=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$into"
into=$(cd "$into" && pwd)
stamp="$into/.built-from"
programs="kubeadm kube-apiserver kube-controller-manager kube-scheduler"
pinned=$(cat "$tools"/control-plane/go.* "$tools/linked.sh" "$0" | cksum)

if [ "$(cat "$stamp" 2>/dev/null)" = "$pinned" ]; then
    echo "next release: $into is up to date"
    exit 0
fi
rm -f "$stamp"
cd "$tools/control-plane"
. "$tools/linked.sh"
version=$(pinned_version k8s.io/kubernetes)
next=${version%.*}.$((${version##*.} + 1))
link=$(linked "$next" $kubernetes_version_packages)
for program in $programs; do
    echo "next release: building $program $next"
    CGO_ENABLED=0 go build -trimpath -ldflags "$link" -o "$into/$program" "k8s.io/kubernetes/cmd/$program"
done
echo "$pinned" >"$stamp"
