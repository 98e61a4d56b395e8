// The infrastructure providers whose CRDs the tests hold rendered objects against. Nothing is built from this: their
// requirements clash with each other's, and only the CRDs' files are read.
module lattice.dev/tools/providers

go 1.26.0

require (
	sigs.k8s.io/cluster-api-provider-aws/v2 v2.13.0
	sigs.k8s.io/cluster-api-provider-azure v1.21.0
	sigs.k8s.io/cluster-api-provider-gcp v1.13.1
)
