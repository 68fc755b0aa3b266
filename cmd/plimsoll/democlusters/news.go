// SPDX-License-Identifier: Apache-2.0

package democlusters

import (
	"fmt"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/democlusters/report"
)

// news is what happened, for people.
type news struct {
	lines  []string
	before *observation
}

func (n *news) say(at time.Duration, format string, args ...any) {
	n.lines = append(n.lines, fmt.Sprintf("%5s  ", report.Clock(at))+fmt.Sprintf(format, args...))
}

// compare says what is different from the observation before.
func (n *news) compare(o *observation) {
	before := n.before
	n.before = o
	if before == nil {
		return
	}
	for _, name := range names() {
		was, is := before.Members[name], o.Members[name]
		if was.State != is.State {
			n.say(o.At, "%s is %s", name, is.State)
		}
		if was.Answers && is.Answers && is.Nodes > was.Nodes {
			n.say(o.At, "%s has %d nodes: pods had found no room", name, is.Nodes)
		}
	}
	if was, is := before.Members[lost], o.Members[lost]; was.Away != is.Away {
		if is.Away {
			n.say(o.At, "the replicas of %s are with the others", lost)
		} else {
			n.say(o.At, "%s has its share again", lost)
		}
	}
}
