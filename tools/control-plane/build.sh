#!/bin/sh
# Builds the pinned etcd, kube-apiserver and kubectl into the folder given, unless they are there already.
set -eu

into=$1
here=$(cd "$(dirname "$0")" && pwd)

if [ -n "${KUBEBUILDER_ASSETS:-}" ] &&
    [ -x "$KUBEBUILDER_ASSETS/etcd" ] && [ -x "$KUBEBUILDER_ASSETS/kube-apiserver" ]; then
    echo "control-plane: using $KUBEBUILDER_ASSETS"
    exit 0
fi

mkdir -p "$into"
into=$(cd "$into" && pwd)
stamp="$into/.built-from"
pinned=$(cat "$here/go.mod" "$here/go.sum" "$here/build.sh" "$here/../linked.sh" | cksum)
if [ -x "$into/etcd" ] && [ -x "$into/kube-apiserver" ] && [ -x "$into/kubectl" ] &&
    [ "$(cat "$stamp" 2>/dev/null)" = "$pinned" ]; then
    echo "control-plane: $into is up to date"
    exit 0
fi

. "$here/../linked.sh"
link=$(cd "$here" && linked "$(pinned_version k8s.io/kubernetes)" $kubernetes_version_packages)

build() {
    echo "control-plane: building $1 ($2)"
    (cd "$here" && CGO_ENABLED=0 go build -trimpath -ldflags "$link" -o "$into/$1" "$2")
}

echo "control-plane: the first build takes about five minutes on two cores"
rm -f "$stamp"
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build etcd go.etcd.io/etcd/server/v3
build kubectl k8s.io/kubernetes/cmd/kubectl
echo "$pinned" >"$stamp"
