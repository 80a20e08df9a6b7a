// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"errors"
	"os"
	"syscall"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
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

// misconfigured wraps an error of Open with [queue.ErrMisconfigured] where the
// directory is the wrong one.
func misconfigured(err error) error {
	for _, cause := range []error{errNoDir, os.ErrPermission, syscall.ENOTDIR, syscall.ENAMETOOLONG} {
		if errors.Is(err, cause) {
			return misconfiguredError{err}
		}
	}
	return err
}

// misconfiguredError reads as the error that it wraps.
type misconfiguredError struct{ error }

// Unwrap returns the error and [queue.ErrMisconfigured].
func (e misconfiguredError) Unwrap() []error { return []error{e.error, queue.ErrMisconfigured} }
