package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// Class is a node type: what pods can use of one node, and its price.
type Class struct {
	Name         string `json:"name"`
	MilliCores   int64  `json:"milliCores"`
	MiB          int64  `json:"mib"`
	MaxPods      int64  `json:"maxPods"`
	HourlyMicros int64  `json:"hourlyMicros"`
}

// Service is a number of equal pods.
type Service struct {
	Name       string `json:"name"`
	MilliCores int64  `json:"milliCores"`
	MiB        int64  `json:"mib"`
	Replicas   int64  `json:"replicas"`
}

// Instance is one problem: place all services on nodes of these classes.
type Instance struct {
	Classes  []Class   `json:"classes"`
	Services []Service `json:"services"`
}

// Node is a bought node with the pods of each service on it.
type Node struct {
	Class    string           `json:"class"`
	Services map[string]int64 `json:"services"`
}

// Plan is the outcome; whoever reads it checks it.
type Plan struct {
	Version      string  `json:"version"`
	Threads      int     `json:"threads"`
	Runs         int     `json:"runs"`
	Milliseconds float64 `json:"milliseconds"`
	HourlyMicros int64   `json:"hourlyMicros"`
	Unplaced     int     `json:"unplaced"`
	Nodes        []Node  `json:"nodes"`
}

func readInstance(from io.Reader) (Instance, error) {
	var instance Instance
	decoder := json.NewDecoder(from)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&instance); err != nil {
		return instance, fmt.Errorf("reading the instance: %w", err)
	}
	for _, class := range instance.Classes {
		if class.MilliCores <= 0 || class.MiB <= 0 || class.MaxPods <= 0 || class.HourlyMicros <= 0 {
			return instance, fmt.Errorf("class %q: cores, memory, pods and price must be above zero", class.Name)
		}
	}
	for _, service := range instance.Services {
		if service.MilliCores <= 0 || service.MiB <= 0 || service.Replicas <= 0 {
			return instance, fmt.Errorf("service %q: cores, memory and replicas must be above zero", service.Name)
		}
	}
	if len(instance.Classes) == 0 || len(instance.Services) == 0 {
		return instance, fmt.Errorf("the instance needs at least one class and one service")
	}
	return instance, nil
}

func hourly(instance Instance, nodes []Node) int64 {
	prices := map[string]int64{}
	for _, class := range instance.Classes {
		prices[class.Name] = class.HourlyMicros
	}
	var sum int64
	for _, node := range nodes {
		sum += prices[node.Class]
	}
	return sum
}
