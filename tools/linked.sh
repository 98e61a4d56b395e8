# Sourced by what builds Go programs. Kubernetes' programs, and Cluster API's, say and parse a version that only the linker can
# give them.

# The module's version that go.mod of this folder pins.
pinned_version() {
    go list -m -f '{{.Version}}' "$1"
}

# Linker flags for programs of a version, told to the packages given.
linked() {
    version=$1
    shift
    minor=${version#v*.}
    minor=${minor%%.*}
    flags="-s -w"
    for package in "$@"; do
        flags="$flags -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
    done
    echo "$flags"
}

# Where Kubernetes' programs look for it.
kubernetes_version_packages="k8s.io/component-base/version k8s.io/client-go/pkg/version"
