// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/clusters"
	"github.com/plimsoll/plimsoll/cmd/plimsoll/members"
)

// memberFlags say how member clusters are asked, and which of them is taken for lost.
type memberFlags struct {
	members.Options
	lose string
}

// add defines the flags on a command, and completes the name of a member.
func (f *memberFlags) add(command *cobra.Command, kube *kubeFlags) {
	flags := command.Flags()
	flags.StringVar(&f.lose, "lose", "", "name of the MemberCluster that is lost")
	flags.StringVar(&f.Secrets, "members-namespace", members.DefaultSecrets, "namespace of the members' kubeconfigs")
	flags.DurationVar(&f.Timeout, "member-timeout", members.DefaultTimeout, "how long to wait for one member")
	_ = command.RegisterFlagCompletionFunc("lose", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return memberNames(c.Context(), kube), cobra.ShellCompDirectiveNoFileComp
	})
}

// memberNames are the names of all members; none if they cannot be had.
func memberNames(ctx context.Context, kube *kubeFlags) []string {
	hub, err := kube.connect(io.Discard)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	loaded, err := clusters.Load(ctx, hub)
	if err != nil {
		return nil
	}
	var names []string
	for i := range loaded.Members {
		names = append(names, loaded.Members[i].Name)
	}
	return names
}
