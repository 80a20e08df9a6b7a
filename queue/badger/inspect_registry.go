// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"crypto/aes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	badgerdb "github.com/dgraph-io/badger/v4"
)

// registryHead is how long the beginning of Badger's key registry is: an initialisation
// vector and a text that is always the same.
const registryHead = aes.BlockSize + len("Hello Badger")

// inspectRegistry checks Badger's registry of keys. A queue has none, as it does not have
// Badger encrypt anything, but Badger does not open without its file.
//
// Badger takes the length of an entry from the file and has as much memory cleared, so
// that one damaged byte may cost four gigabytes, and the process its life. So the lengths
// are checked before.
func (i *Inspection) inspectRegistry(dir, registry string) {
	err := checkRegistry(registry)
	if err == nil {
		err = guarded(func() error {
			opened, err := badgerdb.OpenKeyRegistry(badgerdb.KeyRegistryOptions{Dir: dir, ReadOnly: true})
			if err != nil {
				return err
			}
			return opened.Close()
		})
	}
	if err != nil {
		i.found(registry, "%v", err)
	}
}

// checkRegistry checks that the entries of a registry end where the file does. A file that
// is missing is left to Badger.
func checkRegistry(registry string) error {
	info, err := os.Stat(registry)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Size() > maxRegistry:
		return fmt.Errorf("%w: it has %d bytes, and the queue keeps no keys in it", errDamaged, info.Size())
	}
	content, err := os.ReadFile(registry)
	if err != nil {
		return err
	}
	if len(content) < registryHead {
		return fmt.Errorf("%w: it is cut", errDamaged)
	}
	for entries := content[registryHead:]; len(entries) > 0; {
		const head = 8 // length, checksum
		if len(entries) < head {
			return fmt.Errorf("%w: it is cut within an entry", errDamaged)
		}
		length := uint64(binary.BigEndian.Uint32(entries))
		if length > uint64(len(entries)-head) {
			return fmt.Errorf("%w: an entry of %d bytes has %d", errDamaged, length, len(entries)-head)
		}
		entries = entries[head+int(length):]
	}
	return nil
}

// maxRegistry is more than the registry of a queue ever has.
const maxRegistry = 1 << 20
