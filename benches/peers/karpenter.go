package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/log"
	v1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/events"
	"sigs.k8s.io/karpenter/pkg/operator/injection"
	"sigs.k8s.io/karpenter/pkg/operator/logging"
	"sigs.k8s.io/karpenter/pkg/operator/options"
	requirements "sigs.k8s.io/karpenter/pkg/scheduling"
)

const (
	karpenterModule = "sigs.k8s.io/karpenter"
	nodePoolName    = "pool"
	zone            = "zone-a"
	serviceLabel    = "service"
)

type outcome struct {
	elapsed  time.Duration
	nodes    []Node
	unplaced int
}

// The scheduler asks nothing of a cloud but its name; instance types are handed to it.
type noCloud struct{ cloudprovider.CloudProvider }

func (noCloud) Name() string { return "none" }

// solveOnce sets a scheduler up from nothing, since one remembers the nodes it has planned, and times
// nothing but Solve. The operator would stop after a minute and go on in the next pass; this does not.
func solveOnce(instance Instance, threads int) (outcome, error) {
	ctx, err := operatorContext()
	if err != nil {
		return outcome{}, err
	}
	pods := podsOf(instance)
	scheduler, err := newScheduler(ctx, instance, pods, threads)
	if err != nil {
		return outcome{}, err
	}
	runtime.GC()
	wall, used := stopwatch()
	results, err := scheduler.Solve(ctx, pods)
	// What neighbours on a busy machine take away does not count against it.
	elapsed := min(wall(), used())
	if err != nil {
		return outcome{}, fmt.Errorf("solving: %w", err)
	}
	nodes, err := nodesOf(results)
	return outcome{elapsed, nodes, len(results.PodErrors)}, err
}

// operatorContext carries the operator's options, at their defaults.
func operatorContext() (context.Context, error) {
	log.SetLogger(logging.NopLogger)
	defaults := &options.Options{}
	flags := &options.FlagSet{FlagSet: flag.NewFlagSet("karpenter", flag.ContinueOnError)}
	defaults.AddFlags(flags)
	if err := defaults.Parse(flags); err != nil {
		return nil, fmt.Errorf("karpenter's options: %w", err)
	}
	return injection.WithControllerName(defaults.ToContext(context.Background()), "provisioner"), nil
}

func newScheduler(ctx context.Context, instance Instance, pods []*corev1.Pod, threads int) (*scheduling.Scheduler, error) {
	settings := []scheduling.Options{
		scheduling.DisableReservedCapacityFallback,
		scheduling.NumConcurrentReconciles(threads),
		scheduling.MinValuesPolicy(options.FromContext(ctx).MinValuesPolicy),
	}
	pool := &v1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: nodePoolName, UID: nodePoolName}}
	pool.Spec.Template.Spec.NodeClassRef = &v1.NodeClassReference{Group: "none", Kind: "None", Name: "none"}
	pools := []*v1.NodePool{pool}
	types := map[string][]*cloudprovider.InstanceType{nodePoolName: typesOf(instance)}
	client := fake.NewClientBuilder().Build()
	timer := clock.RealClock{}
	cluster := state.NewCluster(timer, client, noCloud{})
	topology, err := scheduling.NewTopology(ctx, client, cluster, nil, pools, types, pods, settings...)
	if err != nil {
		return nil, fmt.Errorf("karpenter's topology: %w", err)
	}
	recorder := events.NewRecorder(&record.FakeRecorder{})
	return scheduling.NewScheduler(
		ctx, client, pools, cluster, nil, topology, types, nil, recorder, timer, nil, nil, settings...,
	), nil
}

// typesOf takes what pods can use of a node for all of it, so that nothing is taken off twice.
func typesOf(instance Instance) []*cloudprovider.InstanceType {
	var types []*cloudprovider.InstanceType
	for _, class := range instance.Classes {
		labels := map[string]string{
			v1.CapacityTypeLabelKey:  v1.CapacityTypeOnDemand,
			corev1.LabelTopologyZone: zone,
		}
		all := requirements.NewLabelRequirements(labels)
		all.Add(requirements.NewLabelRequirements(map[string]string{
			corev1.LabelInstanceTypeStable: class.Name,
			corev1.LabelArchStable:         v1.ArchitectureAmd64,
			corev1.LabelOSStable:           string(corev1.Linux),
		}).Values()...)
		types = append(types, &cloudprovider.InstanceType{
			Name:         class.Name,
			Requirements: all,
			Offerings: cloudprovider.Offerings{{
				Requirements: requirements.NewLabelRequirements(labels),
				Price:        float64(class.HourlyMicros) / 1e6,
				Available:    true,
			}},
			Capacity: corev1.ResourceList{
				corev1.ResourceCPU:    milli(class.MilliCores),
				corev1.ResourceMemory: mebi(class.MiB),
				corev1.ResourcePods:   *resource.NewQuantity(class.MaxPods, resource.DecimalSI),
			},
			Overhead: &cloudprovider.InstanceTypeOverhead{},
		})
	}
	return types
}

func podsOf(instance Instance) []*corev1.Pod {
	var pods []*corev1.Pod
	for _, service := range instance.Services {
		for i := range service.Replicas {
			name := fmt.Sprintf("%s-%d", service.Name, i)
			pods = append(pods, &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: "default",
					Name:      name,
					UID:       types.UID(name),
					Labels:    map[string]string{serviceLabel: service.Name},
				},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "main",
					Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
						corev1.ResourceCPU:    milli(service.MilliCores),
						corev1.ResourceMemory: mebi(service.MiB),
					}},
				}}},
				Status: corev1.PodStatus{Phase: corev1.PodPending},
			})
		}
	}
	return pods
}

// nodesOf takes for each node the cheapest of the types that Karpenter left open.
func nodesOf(results scheduling.Results) ([]Node, error) {
	nodes := []Node{}
	for _, claim := range results.NewNodeClaims {
		cheapest := claim.InstanceTypeOptions.OrderByPrice(claim.Requirements)
		if len(cheapest) == 0 {
			return nil, errors.New("a node without a type")
		}
		services := map[string]int64{}
		for _, pod := range claim.Pods {
			services[pod.Labels[serviceLabel]]++
		}
		nodes = append(nodes, Node{Class: cheapest[0].Name, Services: services})
	}
	return nodes, nil
}

func karpenterVersion() (string, error) {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, module := range info.Deps {
			if module.Path == karpenterModule {
				return module.Version, nil
			}
		}
	}
	return "", fmt.Errorf("this program was built without the version of %s", karpenterModule)
}

// stopwatch gives wall clock and processor time, of all threads, from now on.
func stopwatch() (wall, used func() time.Duration) {
	processor := func() time.Duration {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			panic(err) // cannot be for a process that asks about itself
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	start, before := time.Now(), processor()
	wall = func() time.Duration { return time.Since(start) }
	used = func() time.Duration { return processor() - before }
	return wall, used
}

func milli(n int64) resource.Quantity { return *resource.NewMilliQuantity(n, resource.DecimalSI) }

func mebi(n int64) resource.Quantity { return *resource.NewQuantity(n<<20, resource.BinarySI) }
