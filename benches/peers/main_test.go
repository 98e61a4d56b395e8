package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

const instance = `{
  "classes": [
    {"name": "small", "milliCores": 2000, "mib": 4096, "maxPods": 3, "hourlyMicros": 100000},
    {"name": "dear", "milliCores": 2000, "mib": 4096, "maxPods": 3, "hourlyMicros": 110000}
  ],
  "services": [
    {"name": "web", "milliCores": 100, "mib": 64, "replicas": 7},
    {"name": "db", "milliCores": 1800, "mib": 1024, "replicas": 1}
  ]
}`

func solved(t *testing.T, text string) Plan {
	t.Helper()
	var out bytes.Buffer
	if err := run(strings.NewReader(text), &out, 2, 1); err != nil {
		t.Fatal(err)
	}
	var plan Plan
	if err := json.Unmarshal(out.Bytes(), &plan); err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestEveryPodIsOnACheapNodeWithRoom(t *testing.T) {
	plan := solved(t, instance)
	placed := map[string]int64{}
	for i, node := range plan.Nodes {
		var pods int64
		for service, n := range node.Services {
			placed[service] += n
			pods += n
		}
		if node.Class != "small" || pods > 3 {
			t.Errorf("node %d is %+v", i, node)
		}
	}
	if placed["web"] != 7 || placed["db"] != 1 || plan.Unplaced != 0 {
		t.Errorf("placed %v, unplaced %d", placed, plan.Unplaced)
	}
	// Eight pods, three a node.
	if len(plan.Nodes) != 3 || plan.HourlyMicros != 300000 {
		t.Errorf("%d nodes for %d micro-dollars an hour", len(plan.Nodes), plan.HourlyMicros)
	}
	if plan.Milliseconds <= 0 || plan.Runs != 2 {
		t.Errorf("%v ms of %d runs", plan.Milliseconds, plan.Runs)
	}
}

func TestPodsThatFitNowhereAreCounted(t *testing.T) {
	plan := solved(t, strings.Replace(instance, `"milliCores": 1800`, `"milliCores": 2001`, 1))
	if plan.Unplaced != 1 {
		t.Errorf("%d pods are unplaced", plan.Unplaced)
	}
}

func TestBadInstancesNameThePlace(t *testing.T) {
	for text, want := range map[string]string{
		`{"classes": [], "services": []}`: "at least one class",
		`{"nodes": []}`:                   `unknown field "nodes"`,
		strings.Replace(instance, `"replicas": 7`, `"replicas": 0`, 1): `service "web"`,
		strings.Replace(instance, `"maxPods": 3`, `"maxPods": -1`, 1):  `class "small"`,
	} {
		err := run(strings.NewReader(text), &bytes.Buffer{}, 1, 1)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v is not about %s", err, want)
		}
	}
}
