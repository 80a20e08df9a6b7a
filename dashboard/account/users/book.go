// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Store is the part of the queue that keeps users.
type Store interface {
	Change(ctx context.Context, changes ...queue.Record) (version uint64, err error)
	Record(ctx context.Context, kind, id string) (queue.Record, error)
	Records(ctx context.Context, kind string, page queue.Page) ([]queue.Record, queue.Cursor, error)
	RecordsOf(ctx context.Context, kind, owner string, page queue.Page) ([]queue.Record, queue.Cursor, error)
}

// Sealer keeps what must not be read on a disk. [seal.Keyring] is one.
type Sealer interface {
	Seal(plain, associated []byte) []byte
	Open(sealed, associated []byte) (plain []byte, stale bool, err error)
}

// With returns records that are written in the same step as a user, such as a note of who
// did it. It may be called again for one change; nil returns none.
type With func(u *User) ([]queue.Record, error)

// Book keeps users.
type Book struct {
	Store  Store
	Sealer Sealer
	Now    func() time.Time
}

// Add makes a user of a tenant's, or an operator if that is "". It returns the code of the
// link by which the user sets a password, which nobody can read again. It fails with
// [ErrBadName] or [ErrExists].
func (b *Book) Add(ctx context.Context, name, tenant string, link time.Duration, with With) (u User, code string, err error) {
	if name, err = NormalName(name); err != nil {
		return User{}, "", err
	}
	if len(tenant) > queue.MaxRecordOwner {
		return User{}, "", fmt.Errorf("%w: the tenant has %d bytes, and %d are possible", ErrBadName, len(tenant), queue.MaxRecordOwner)
	}
	u = User{ID: newID(), Name: name, Tenant: tenant, Created: b.Now().UTC(), Generation: 1}
	u.Link, code = newLink(u.ID, b.Now().Add(link))
	u.Version, err = b.write(ctx, &u, with, u.nameRecord())
	if errors.Is(err, queue.ErrConflict) {
		return User{}, "", ErrExists
	}
	return u, code, err
}

// Get returns the user of an id, or [queue.ErrNotFound].
func (b *Book) Get(ctx context.Context, id string) (User, error) {
	record, err := b.Store.Record(ctx, KindUser, id)
	if err != nil {
		return User{}, err
	}
	return userOf(record, b.Sealer)
}

// ByName returns the user of a name, or [queue.ErrNotFound]. It reads as often if there is
// none.
func (b *Book) ByName(ctx context.Context, name string) (User, error) {
	normal, err := NormalName(name)
	if err != nil {
		normal = "-" // nobody is called that
	}
	id := idPrefix
	record, err := b.Store.Record(ctx, kindName, normal)
	switch {
	case err == nil:
		id = string(record.Value)
	case !errors.Is(err, queue.ErrNotFound):
		return User{}, err
	}
	return b.Get(ctx, id)
}

// List lists users by id: a tenant's, or those of all if tenant is nil.
func (b *Book) List(ctx context.Context, tenant *string, page queue.Page) ([]User, queue.Cursor, error) {
	var records []queue.Record
	var next queue.Cursor
	var err error
	if tenant == nil {
		records, next, err = b.Store.Records(ctx, KindUser, page)
	} else {
		records, next, err = b.Store.RecordsOf(ctx, KindUser, *tenant, page)
	}
	if err != nil {
		return nil, "", err
	}
	all := make([]User, len(records))
	for i := range records {
		if all[i], err = userOf(records[i], b.Sealer); err != nil {
			return nil, "", err
		}
	}
	return all, next, nil
}

// Change changes a user. The function may be called again, with the state that somebody
// else has left; its error ends the change.
func (b *Book) Change(ctx context.Context, id string, change func(*User) error, with With) (User, error) {
	for {
		u, err := b.Get(ctx, id)
		if err != nil {
			return User{}, err
		}
		if u.Unreadable {
			return User{}, ErrUnreadable
		}
		u = u.clone()
		if err := change(&u); err != nil {
			return User{}, err
		}
		version, err := b.write(ctx, &u, with)
		if !changedMeanwhile(err) {
			u.Version = version
			return u, err
		}
	}
}

// Remove removes a user, whose sessions end with it.
func (b *Book) Remove(ctx context.Context, id string, with With) error {
	for {
		u, err := b.Get(ctx, id)
		if err != nil {
			return err
		}
		changes, err := with.records(&u)
		if err != nil {
			return err
		}
		name := u.nameRecord()
		name.Value, name.Version = nil, queue.AnyVersion
		changes = append(changes, queue.Record{Kind: KindUser, ID: id, Version: u.Version}, name)
		if _, err = b.Store.Change(ctx, changes...); !changedMeanwhile(err) {
			return err
		}
	}
}

// Reset has a user begin anew, with the link whose code it returns: the password, the
// second factors and all sessions end at once.
func (b *Book) Reset(ctx context.Context, id string, link time.Duration, with With) (u User, code string, err error) {
	for {
		old, err := b.Get(ctx, id)
		if err != nil {
			return User{}, "", err
		}
		u = User{ID: old.ID, Name: old.Name, Tenant: old.Tenant, Version: old.Version, Created: old.Created, Login: old.Login}
		// Of one that cannot be read, it is not known which generation it had.
		if u.Generation = old.Generation + 1; old.Unreadable {
			u.Created, u.Generation = b.Now().UTC(), uint64(b.Now().UnixNano())
		}
		u.Link, code = newLink(u.ID, b.Now().Add(link))
		u.Version, err = b.write(ctx, &u, with)
		if !changedMeanwhile(err) {
			return u, code, err
		}
	}
}

// ByLink returns the user of a link's code while it works, or [ErrBadLink].
func (b *Book) ByLink(ctx context.Context, code string) (User, error) {
	id := linkUser(code)
	if id == "" {
		return User{}, ErrBadLink
	}
	u, err := b.Get(ctx, id)
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return User{}, ErrBadLink
	case err != nil:
		return User{}, err
	case !u.Link.Opens(code, b.Now()):
		return User{}, ErrBadLink
	}
	return u, nil
}

// UseLink sets the password of a user to a hash, by the code of a link. Of several that
// use a link at once, one does; for all others it fails with [ErrBadLink].
func (b *Book) UseLink(ctx context.Context, code, hash string, with With) (User, error) {
	u, err := b.ByLink(ctx, code)
	if err != nil {
		return User{}, err
	}
	return b.Change(ctx, u.ID, func(u *User) error {
		if !u.Link.Opens(code, b.Now()) {
			return ErrBadLink
		}
		u.Password, u.Link = hash, nil
		u.Revoke()
		return nil
	}, with)
}

// write writes a user with other records, in one step.
func (b *Book) write(ctx context.Context, u *User, with With, more ...queue.Record) (uint64, error) {
	record, err := u.record(b.Sealer)
	if err != nil {
		return 0, err
	}
	others, err := with.records(u)
	if err != nil {
		return 0, err
	}
	return b.Store.Change(ctx, append(append([]queue.Record{record}, more...), others...)...)
}

// changedMeanwhile reports whether a change failed as somebody else had changed the user.
// What is written beside it may conflict, too, and is not ours to try again.
func changedMeanwhile(err error) bool {
	var conflict *queue.ConflictError
	return errors.As(err, &conflict) && conflict.Kind == KindUser
}

func (w With) records(u *User) ([]queue.Record, error) {
	if w == nil {
		return nil, nil
	}
	return w(u)
}
