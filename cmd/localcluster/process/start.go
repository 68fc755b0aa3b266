// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// markVariable is set in the environment of every process that Start starts. It finds processes whose
// starter was killed before it could write down their identity.
const markVariable = "PLIMSOLL_LOCALCLUSTER_INSTANCE"

// Program is what Start runs.
type Program struct {
	Path      string
	Arguments []string
	// Log is the file that its output is appended to.
	Log string
	// Mark is the random name of the group of processes that it belongs to.
	Mark string
	// Hold is a file that the program keeps open without knowing; nil for none.
	Hold *os.File
}

// Start starts the program in a session of its own, so that it lives on when its starter ends. The
// returned channel gets the reason when the program ends while the starter is still there.
func Start(program Program) (Identity, <-chan error, error) {
	log, err := os.OpenFile(program.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return Identity{}, nil, fmt.Errorf("open the log: %w", err)
	}
	defer func() { _ = log.Close() }() // the program has its own
	command := exec.Command(program.Path, program.Arguments...)
	command.Stdout, command.Stderr = log, log
	command.Dir = "/"
	command.Env = append(os.Environ(), markVariable+"="+program.Mark)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if program.Hold != nil {
		command.ExtraFiles = []*os.File{program.Hold}
	}
	if err := command.Start(); err != nil {
		return Identity{}, nil, fmt.Errorf("start %s: %w", program.Path, err)
	}
	// Nobody reaps the child before Wait below: its number is still its own, even if it ended at once.
	identity, err := Identify(command.Process.Pid)
	if err != nil {
		return Identity{}, nil, errors.Join(err, command.Process.Kill())
	}
	ended := make(chan error, 1)
	go func() {
		err := command.Wait()
		if err == nil {
			err = errors.New("exit status 0")
		}
		ended <- err
	}()
	return identity, ended, nil
}

// Marked returns the living processes whose environment carries the mark.
func Marked(mark string) ([]Identity, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []Identity
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		identity, err := Identify(pid)
		if err != nil || !hasMark(pid, mark) {
			continue // it ended meanwhile, or is not ours to look at
		}
		if identity.Alive() {
			found = append(found, identity)
		}
	}
	return found, nil
}

func hasMark(pid int, mark string) bool {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	return slices.Contains(strings.Split(string(environ), "\x00"), markVariable+"="+mark)
}

// RunTied runs a command that ends when we end, however we end.
func RunTied(command *exec.Cmd) error {
	// The kernel ties the child to the thread that started it, so that thread must live as long.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	return command.Run()
}
