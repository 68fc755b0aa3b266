// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"

	"github.com/plimsoll/plimsoll/cmd/localcluster/components"
	"github.com/plimsoll/plimsoll/cmd/localcluster/process"
)

// A cluster takes a block of ports. The blocks lie below the range from which Linux gives ports to
// outgoing connections (32768 and up) and above what services usually use.
const (
	firstPort = 20000
	lastPort  = 29999
	blockSize = 20
)

// Ports are a cluster's ports on 127.0.0.1.
type Ports struct {
	Etcd              int `json:"etcd"`
	EtcdPeer          int `json:"etcdPeer"`
	APIServer         int `json:"kubeAPIServer"`
	ControllerManager int `json:"kubeControllerManager"`
	Scheduler         int `json:"kubeScheduler"`
	Kwok              int `json:"kwok"`
	Prometheus        int `json:"prometheus"`
	// Spare ports belong to the cluster and to none of its components: adapters may listen there.
	Spare []int `json:"spare"`
}

func portsOf(base int) Ports {
	ports := Ports{
		Etcd: base, EtcdPeer: base + 1, APIServer: base + 2, ControllerManager: base + 3,
		Scheduler: base + 4, Kwok: base + 5, Prometheus: base + 6,
	}
	for port := base + 7; port < base+blockSize; port++ {
		ports.Spare = append(ports.Spare, port)
	}
	return ports
}

// claimPorts finds a block that no other cluster holds and on which nobody listens. The block is held
// until the returned file and all copies of it are closed: the cluster's processes inherit one each.
func claimPorts(cache components.Cache) (Ports, *os.File, error) {
	blocks := (lastPort - firstPort + 1) / blockSize
	for _, block := range rand.Perm(blocks) {
		base := firstPort + block*blockSize
		hold, err := process.TryLock(cache.Path("ports", strconv.Itoa(base)+".lock"))
		if err != nil {
			return Ports{}, nil, err
		}
		if hold == nil {
			continue
		}
		if allFree(base) {
			return portsOf(base), hold, nil
		}
		if err := hold.Close(); err != nil {
			return Ports{}, nil, fmt.Errorf("release a block of ports: %w", err)
		}
	}
	return Ports{}, nil, fmt.Errorf("no block of %d free ports between %d and %d: end clusters that are not needed (localcluster list)",
		blockSize, firstPort, lastPort)
}

// allFree tells whether one can listen on every port of a block.
func allFree(base int) bool {
	var problems []error
	for port := base; port < base+blockSize; port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			err = listener.Close()
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...) == nil
}
