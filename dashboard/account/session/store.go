// SPDX-License-Identifier: Apache-2.0

package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// KindSession is the kind of the records of sessions. Their owners are users.
const KindSession = "session"

// maxTries limits how often a session is written anew that others write, too.
const maxTries = 20

// Store is the part of the queue that keeps sessions.
type Store interface {
	Change(ctx context.Context, changes ...queue.Record) (version uint64, err error)
	Record(ctx context.Context, kind, id string) (queue.Record, error)
	RecordsOf(ctx context.Context, kind, owner string, page queue.Page) ([]queue.Record, queue.Cursor, error)
}

// Record is what is written with a session.
type Record = queue.Record

// Sealer keeps what must not be read on a disk. [seal.Keyring] is one.
type Sealer interface {
	Seal(plain, associated []byte) []byte
	Open(sealed, associated []byte) (plain []byte, stale bool, err error)
}

var (
	errNotFound = queue.ErrNotFound
	// errChanged is returned if another request has changed the session meanwhile.
	errChanged = errors.New("the session was changed meanwhile")
	// errWithoutContext is returned by what a manager calls only for stores that know no
	// context.
	errWithoutContext = errors.New("a session is kept with the context of its request")
)

// turn is what one request knows of the session that it has read. It is how the manager's
// calls, which know tokens alone, become changes that expect what was read: otherwise a
// request under way would bring back a session that was ended meanwhile.
type turn struct {
	// id and version are those of the record that was read or written, "" and 0 for none.
	id      string
	version uint64
	// over is the record that the next one takes the place of, if there is one.
	over *queue.Record
	// with is written in the same step as the session.
	with []queue.Record
	// insists is true if the session is to be written also over what another request has
	// changed meanwhile, though never if it has ended.
	insists bool
}

type turnKey struct{}

func withTurn(ctx context.Context) context.Context {
	return context.WithValue(ctx, turnKey{}, new(turn))
}

func turnOf(ctx context.Context) *turn { return ctx.Value(turnKey{}).(*turn) }

// store keeps sessions as records, for a manager. It implements [scs.CtxStore]; the tokens
// that it gets are hashes.
type store struct {
	records Store
	sealer  Sealer
}

// FindCtx returns the session under a token's hash. One that is over is not there: its record
// has expired.
func (s *store) FindCtx(ctx context.Context, id string) (value []byte, found bool, err error) {
	record, err := s.records.Record(ctx, KindSession, id)
	if errors.Is(err, queue.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	value, _, err = s.sealer.Open(record.Value, bound(id, record.Owner))
	if err != nil {
		return nil, false, nil //nolint:nilerr // it was sealed with a key that is lost: whoever had it logs in again
	}
	turn := turnOf(ctx)
	turn.id, turn.version = id, record.Version
	return value, true, nil
}

// DeleteCtx has the next session that is written take the place of one.
func (s *store) DeleteCtx(ctx context.Context, id string) error {
	turn := turnOf(ctx)
	if turn.id == id {
		turn.over = &queue.Record{Kind: KindSession, ID: id, Version: turn.version}
		turn.id, turn.version = "", 0
	}
	return nil
}

// CommitCtx writes a session, as it is expected to be there still.
func (s *store) CommitCtx(ctx context.Context, id string, value []byte, _ time.Time) error {
	at := turnOf(ctx)
	var written Session
	if err := json.Unmarshal(value, &written); err != nil {
		return fmt.Errorf("reading a session: %w", err)
	}
	record := queue.Record{
		Kind: KindSession, ID: id, Owner: written.User, Expires: written.ends(), Value: s.sealer.Seal(value, bound(id, written.User)),
	}
	for range maxTries {
		record.Version = at.version
		changes := []queue.Record{record}
		if at.over != nil {
			changes = append(changes, *at.over)
		}
		version, err := s.records.Change(ctx, append(changes, at.with...)...)
		var conflict *queue.ConflictError
		switch {
		case err == nil:
			*at = turn{id: id, version: version}
			return nil
		case !errors.As(err, &conflict) || conflict.Kind != KindSession:
			return fmt.Errorf("keeping a session: %w", err)
		}
		if err := s.catchUp(ctx, at); err != nil {
			return err
		}
		if !at.insists {
			return errChanged
		}
	}
	return errChanged
}

// catchUp has a turn expect what is there now. It fails with [ErrEnded] if the session is
// not there any more.
func (s *store) catchUp(ctx context.Context, at *turn) error {
	id, version := at.id, &at.version
	if at.over != nil {
		id, version = at.over.ID, &at.over.Version
	}
	record, err := s.records.Record(ctx, KindSession, id)
	if errors.Is(err, queue.ErrNotFound) || id == "" {
		return ErrEnded
	}
	*version = record.Version
	return err
}

// end ends a session, whatever its version is.
func (s *store) end(ctx context.Context, id string, with []queue.Record) error {
	_, err := s.records.Change(ctx, append([]queue.Record{{Kind: KindSession, ID: id, Version: queue.AnyVersion}}, with...)...)
	return err
}

// of returns the sessions of a user, the one that was used last first.
func (s *store) of(ctx context.Context, user string) ([]Session, error) {
	records, _, err := s.records.RecordsOf(ctx, KindSession, user, queue.Page{Limit: queue.MaxLimit})
	if err != nil {
		return nil, err
	}
	var all []Session
	for _, record := range records {
		value, _, err := s.sealer.Open(record.Value, bound(record.ID, record.Owner))
		if err != nil {
			continue // as in FindCtx
		}
		var one Session
		if err := json.Unmarshal(value, &one); err != nil {
			return nil, fmt.Errorf("reading a session: %w", err)
		}
		one.ID = record.ID
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Session) int { return b.Seen.Compare(a.Seen) })
	return all, nil
}

// oldest returns changes that end those sessions of a user for which one leaves no room. It
// takes the place of the session with an id, if there is one.
func (s *store) oldest(ctx context.Context, next *Session, id string) (ends []queue.Record, err error) {
	all, err := s.of(ctx, next.User)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(other Session) bool { return other.Full != next.Full || other.ID == id })
	most := maxBegun
	if next.Full {
		most = MaxSessions
	}
	for len(all) >= most && len(ends) < queue.MaxChanges/2 {
		last := all[len(all)-1]
		ends, all = append(ends, queue.Record{Kind: KindSession, ID: last.ID, Version: queue.AnyVersion}), all[:len(all)-1]
	}
	return ends, nil
}

// bound is what a sealed session opens with.
func bound(id, user string) []byte { return []byte("session\x00" + id + "\x00" + user) }

// Find, Commit and Delete are never called, as a manager prefers those with a context.
func (s *store) Find(string) ([]byte, bool, error)      { return nil, false, errWithoutContext }
func (s *store) Commit(string, []byte, time.Time) error { return errWithoutContext }
func (s *store) Delete(string) error                    { return errWithoutContext }
