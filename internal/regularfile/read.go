// SPDX-License-Identifier: Apache-2.0

// Package regularfile reads the files that a configuration names.
package regularfile

import (
	"fmt"
	"io"
	"os"
)

// Read returns the content of a file that has no more than some bytes. It refuses what is
// no regular file: opening a pipe, for example, may take for ever.
func Read(name string, most int) ([]byte, error) {
	if info, err := os.Stat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > most:
		return nil, fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return content, nil
}
