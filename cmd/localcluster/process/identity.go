// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ErrGone says that a process has ended (or that its number belongs to another process now).
var ErrGone = errors.New("the process has ended")

// Identity names one process of this machine for good.
type Identity struct {
	PID int `json:"pid"`
	// StartTicks is the start time in clock ticks since the machine booted (field 22 of /proc/PID/stat).
	StartTicks uint64 `json:"startTicks"`
	// Boot is the kernel's id of the running boot.
	Boot string `json:"boot"`
}

// Identify returns the identity of the process that has the number now; ErrGone if there is none.
func Identify(pid int) (Identity, error) {
	stat, err := readStat(pid)
	if err != nil {
		return Identity{}, err
	}
	boot, err := bootID()
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, StartTicks: stat.startTicks, Boot: boot}, nil
}

// Alive tells whether this very process still runs. A zombie, which only waits to be reaped, does not.
func (i Identity) Alive() bool {
	return i.check() == nil
}

// check returns nil if the process runs and ErrGone if it does not.
func (i Identity) check() error {
	boot, err := bootID()
	if err != nil {
		return err
	}
	stat, err := readStat(i.PID)
	if err != nil {
		return err
	}
	if boot != i.Boot || stat.startTicks != i.StartTicks || stat.state == 'Z' || stat.state == 'X' {
		return ErrGone
	}
	return nil
}

// Stopped tells whether the process stands still because of SIGSTOP.
func (i Identity) Stopped() bool {
	stat, err := readStat(i.PID)
	return err == nil && stat.startTicks == i.StartTicks && stat.state == 'T'
}

func bootID() (string, error) {
	content, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w; local clusters need Linux", err)
	}
	return strings.TrimSpace(string(content)), nil
}

// stat is what we need of /proc/PID/stat.
type stat struct {
	state      byte
	startTicks uint64
}

func readStat(pid int) (stat, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return stat{}, ErrGone
	}
	if err != nil {
		return stat{}, fmt.Errorf("look up process %d: %w", pid, err)
	}
	parsed, err := parseStat(content)
	if err != nil {
		return stat{}, fmt.Errorf("look up process %d: %w", pid, err)
	}
	return parsed, nil
}

// parseStat reads a line of /proc/PID/stat (proc_pid_stat(5)). The program's name, field 2, is in
// parentheses and may itself hold blanks and parentheses: fields are counted from the last one.
func parseStat(content []byte) (stat, error) {
	end := bytes.LastIndexByte(content, ')')
	if end < 0 {
		return stat{}, fmt.Errorf("no program name in %q", content)
	}
	fields := strings.Fields(string(content[end+1:]))
	const stateField, startField = 0, 22 - 3 // the state is the third field, the first one here
	if len(fields) <= startField || len(fields[stateField]) != 1 {
		return stat{}, fmt.Errorf("too few fields in %q", content)
	}
	ticks, err := strconv.ParseUint(fields[startField], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("start time in %q: %w", content, err)
	}
	return stat{state: fields[stateField][0], startTicks: ticks}, nil
}
