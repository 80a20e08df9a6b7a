// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	badgerdb "github.com/dgraph-io/badger/v4"
)

// A registry whose entries claim more than there is is found without the memory that they
// claim.
func TestRegistry(t *testing.T) {
	whole := strings.Repeat("i", registryHead-len("Hello Badger")) + "Hello Badger"
	for name, tc := range map[string]struct{ content, want string }{
		"whole":                      {whole, ""},
		"empty entries":              {whole + strings.Repeat("\x00", 16), ""},
		"cut":                        {whole[:20], "it is cut"},
		"empty":                      {"", "it is cut"},
		"another text":               {whole[:len(whole)-1] + "R", "Encryption key mismatch"},
		"half a length":              {whole + strings.Repeat("\x00", 8) + "\xee\xc7", "cut within an entry"},
		"an entry of four gigabytes": {whole + "\xff\xff\xff\xff\x00\x00\x00\x00" + "x", "an entry of 4294967295 bytes has 1"},
		"an entry without its bytes": {whole + "\xee\xc7\x00\x00\x00\x00\x00\x00", "an entry of 4006019072 bytes has 0"},
		"an entry that is no key":    {whole + "\x00\x00\x00\x01\x00\x00\x00\x00x", "checksum"},
		"long":                       {whole + strings.Repeat("\x00", maxRegistry), "the queue keeps no keys in it"},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, badgerdb.KeyRegistryFileName)
		if err := os.WriteFile(file, []byte(tc.content), 0o600); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		i := new(Inspection)
		i.inspectRegistry(dir, file)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 16<<20 {
			t.Errorf("%s: it took %d bytes of memory", name, spent)
		}
		switch {
		case tc.want == "" && len(i.Findings) > 0:
			t.Errorf("%s: %+v", name, i.Findings)
		case tc.want != "" && (len(i.Findings) != 1 || !strings.Contains(i.Findings[0].Problem, tc.want)):
			t.Errorf("%s: %+v, want %q", name, i.Findings, tc.want)
		}
	}
}
