// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/plimsoll/plimsoll/cmd/localcluster/process"
)

// watcher is the name of the process that ends the cluster when its parent ends.
const watcher = "watcher"

// watchParent starts the watcher, before everything else, so that there is no moment in which the end of
// the parent would leave processes behind.
func (l *launch) watchParent() error {
	if l.state.Options.ParentPID == 0 {
		return nil
	}
	parent, err := process.Identify(l.state.Options.ParentPID)
	if err != nil {
		return fmt.Errorf("--parent-pid %d: %w", l.state.Options.ParentPID, err)
	}
	encoded, err := json.Marshal(parent)
	if err != nil {
		return fmt.Errorf("encode the parent's identity: %w", err)
	}
	return l.startProgram(watcher, l.manager.Executable, []string{"watch", "--dir", l.state.Options.Dir, "--parent", string(encoded)})
}

// Watch waits until the parent ends and then ends the cluster in dir.
func (m *Manager) Watch(ctx context.Context, dir, encodedParent string) error {
	var parent process.Identity
	if err := json.Unmarshal([]byte(encodedParent), &parent); err != nil {
		return fmt.Errorf("--parent: %w", err)
	}
	if err := parent.Wait(ctx); err != nil {
		return fmt.Errorf("wait for the end of process %d: %w", parent.PID, err)
	}
	m.say("process %d has ended, and so does its cluster", parent.PID)
	return m.down(ctx, dir, 0)
}
