// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A wrong number would make a whole queue look as if its end were missing, or a
// queue without its end look whole.
func TestDamagedAcknowledged(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, acknowledgedFile)
	want := acknowledged{synced: 7, committed: 9}
	whole := want.encode()
	read := func(content []byte) (acknowledged, error) {
		t.Helper()
		must(t, os.WriteFile(name, content, 0o600))
		return readAcknowledged(dir)
	}
	if got, err := read(whole); err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
	for at := range whole {
		for bit := range 8 {
			changed := append([]byte(nil), whole...)
			changed[at] ^= 1 << bit
			if got, err := read(changed); !errors.Is(err, errDamaged) {
				t.Errorf("bit %d of byte %d: %+v, %v", bit, at, got, err)
			}
		}
	}
	for length := 1; length < len(whole); length++ {
		if got, err := read(whole[:length]); !errors.Is(err, errDamaged) {
			t.Errorf("cut to %d bytes: %+v, %v", length, got, err)
		}
	}
	// A power cut may leave the name only, or zeros.
	for _, empty := range [][]byte{nil, make([]byte, acknowledgedLength)} {
		if got, err := read(empty); err != nil || got != (acknowledged{}) {
			t.Errorf("%v: %+v, %v", empty, got, err)
		}
	}
}
