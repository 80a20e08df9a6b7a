// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Written returns what stands in the files below a directory, to be searched for what
// must not be there. The files of an open queue have gigabytes of holes, which are left
// out.
func Written(t testing.TB, dir string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		all, err = appendWritten(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// appendWritten appends a file without its pages of zeros.
func appendWritten(to []byte, path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return to, err
	}
	defer func() { _ = file.Close() }()
	const page = 1 << 16
	read, empty := make([]byte, page), make([]byte, page)
	for {
		n, err := io.ReadFull(file, read)
		if !bytes.Equal(read[:n], empty[:n]) {
			to = append(to, read[:n]...)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return to, nil
		case err != nil:
			return to, err
		}
	}
}
