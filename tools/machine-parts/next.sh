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
pinned=$(cat "$tools"/control-plane/go.* "$0" | cksum)

if [ "$(cat "$stamp" 2>/dev/null)" = "$pinned" ]; then
    echo "next release: $into is up to date"
    exit 0
fi
rm -f "$stamp"
cd "$tools/control-plane"
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v*.}
minor=${minor%%.*}
next=${version%.*}.$((${version##*.} + 1))
link="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    link="$link -X $package.gitVersion=$next -X $package.gitMajor=1 -X $package.gitMinor=$minor"
done
for program in $programs; do
    echo "next release: building $program $next"
    CGO_ENABLED=0 go build -trimpath -ldflags "$link" -o "$into/$program" "k8s.io/kubernetes/cmd/$program"
done
echo "$pinned" >"$stamp"
