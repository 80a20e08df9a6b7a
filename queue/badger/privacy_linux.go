// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"
	"syscall"
)

// makePrivate gives a directory a default access list, as `setfacl -d -m
// u::rwx,g::-,o::-` does: whatever is made in it from then on is its owner's
// alone, without a moment in which it is not. The umask does not count there. It
// fails where the file system has no such lists, and if the directory belongs to
// another user.
func makePrivate(dir string) error {
	const version, userObject, groupObject, other = 2, 0x01, 0x04, 0x20
	list := binary.LittleEndian.AppendUint32(nil, version)
	for _, entry := range [...]struct{ tag, rights uint16 }{{userObject, 7}, {groupObject, 0}, {other, 0}} {
		list = binary.LittleEndian.AppendUint16(list, entry.tag)
		list = binary.LittleEndian.AppendUint16(list, entry.rights)
		list = binary.LittleEndian.AppendUint32(list, 0xffffffff) // no user or group by number
	}
	return syscall.Setxattr(dir, "system.posix_acl_default", list, 0)
}
