// SPDX-License-Identifier: Apache-2.0

package main

import _ "embed"

// The module file and its checksums travel inside the binary: they are all that is needed to build the
// components, so that bin/localcluster works from any folder.
var (
	//go:embed go.mod
	goMod []byte
	//go:embed go.sum
	goSum []byte
)
