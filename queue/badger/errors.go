// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"

	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

var (
	// ErrDamaged is wrapped by a [DamageError].
	ErrDamaged = errors.New("the queue is damaged")

	// ErrBadBackup is returned for a file that is no whole backup, or does not
	// follow the one before.
	ErrBadBackup = errors.New("not a usable backup")

	// errNoDir is returned where no directory is given.
	errNoDir = errors.New("no directory is given")
	// errDamaged is returned for bytes that no version of this package has
	// written.
	errDamaged = record.ErrDamaged
	// errSnapshot is returned for a snapshot that cannot be read. Its object's
	// mark must stay: reconciled as if it was never seen, the object would
	// count its events from 1 again.
	errSnapshot = errors.New("unreadable snapshot")
)
