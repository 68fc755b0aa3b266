// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/replay"
)

// runReplay compares a cluster that plimsoll demo has recorded with the arithmetic of plan.
func (f *planFlags) runReplay(out io.Writer) error {
	if f.trace != "" || f.prometheus != "" || len(f.manifests) > 0 || f.report != "" || f.allHPAs {
		return errors.New("--replay goes without --trace, --prometheus, --filename, --report and --all-hpas: the folder has all of it")
	}
	recording, err := replay.Read(f.replay)
	if err != nil {
		return err
	}
	list, err := replay.Run(recording)
	if err != nil {
		return err
	}
	if f.output == "json" {
		return replay.WriteJSON(out, list)
	}
	return replay.WriteTable(out, recording, list)
}
