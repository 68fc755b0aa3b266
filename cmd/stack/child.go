// SPDX-License-Identifier: Apache-2.0

package stack

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// child is a process that ends, at the latest, when we do.
type child struct {
	command *exec.Cmd
	log     string
	// done is closed when the process has ended; err then says how.
	done chan struct{}
	err  error
}

// startChild starts the program with its output in the file log.
func startChild(program, log string, arguments []string) (*child, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	c := &child{command: exec.Command(program, arguments...), log: log, done: make(chan struct{})}
	c.command.Stdout, c.command.Stderr = file, file
	c.command.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Setpgid:   true, // Ctrl-C is for us: we end it in order
	}
	started := make(chan error)
	go func() {
		defer func() { _ = file.Close() }()
		// The kernel ties the child to the thread that started it: the thread must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.command.Start()
		started <- err
		if err == nil {
			c.err = c.command.Wait()
			close(c.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return c, nil
}

// signal sends a signal and waits until the process has ended. The exit status counts only if it was asked politely.
func (c *child) end(signal syscall.Signal) error {
	if err := c.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s: %w", signal, err)
	}
	<-c.done
	if c.err != nil && signal != syscall.SIGKILL {
		return fmt.Errorf("it ended with an error: %w; the end of its log:\n%s", c.err, c.tail())
	}
	return nil
}

// ended returns an error with the end of the log if the process has ended.
func (c *child) ended() error {
	select {
	case <-c.done:
		err := c.err
		if err == nil {
			err = errors.New("exit status 0")
		}
		return fmt.Errorf("it has ended: %w; the end of its log:\n%s", err, c.tail())
	default:
		return nil
	}
}

// tail returns the last lines of the log.
func (c *child) tail() []byte {
	const lines = 15
	content, err := os.ReadFile(c.log)
	if err != nil {
		return []byte(err.Error())
	}
	all := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], []byte("\n"))
}
