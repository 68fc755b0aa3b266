// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// writeFiles puts the pair where the API server reads it, if it is not there yet. Each file is replaced whole. Between the
// two the server may find a key that is not the certificate's; it then keeps the pair it has and reads again.
func writeFiles(dir string, p pair) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for the serving certificate: %w", err)
	}
	if err := writeFile(KeyFile(dir), p.key); err != nil {
		return fmt.Errorf("write the serving certificate's key: %w", err)
	}
	if err := writeFile(CertFile(dir), p.cert); err != nil {
		return fmt.Errorf("write the serving certificate: %w", err)
	}
	return nil
}

func writeFile(path string, data []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // nothing is left to remove once it is renamed
	if _, err := temporary.Write(data); err != nil {
		_ = temporary.Close()
		return err
	}
	if err := temporary.Close(); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
