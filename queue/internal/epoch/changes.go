// SPDX-License-Identifier: Apache-2.0

package epoch

import "slices"

// maxChanges is how many changes of a kind are remembered at least, once there have been as
// many. Who has missed more reads all records, which costs little more by then.
const maxChanges = 1024

// changes remembers which records of a kind were changed last.
type changes struct {
	// since is the epoch after which all changes are in log, in the order of their versions.
	since uint64
	log   []change
}

type change struct {
	version uint64
	id      string
}

func (c *changes) add(version uint64, ids []string) {
	for _, id := range ids {
		c.log = append(c.log, change{version, id})
	}
	if drop := len(c.log) - maxChanges; drop > maxChanges {
		c.since = c.log[drop-1].version
		c.log = slices.Clone(c.log[drop:])
	}
}

// after returns the ids of what was changed after an epoch, and false if that is not known.
func (c *changes) after(epoch uint64) (ids []string, known bool) {
	if epoch < c.since {
		return nil, false
	}
	first, _ := slices.BinarySearchFunc(c.log, epoch+1, func(c change, version uint64) int {
		if c.version < version {
			return -1
		}
		return 1
	})
	for _, one := range c.log[first:] {
		ids = append(ids, one.id)
	}
	slices.Sort(ids)
	return slices.Compact(ids), true
}
