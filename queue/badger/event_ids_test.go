// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"bytes"
	"errors"
	"testing"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// Of an event that is another tenant's, no more is read than of none: it could be large, and
// who asks would feel that.
func TestAnothersEventIsNotRead(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	publishOwned(t, s, "1", "acme")
	position := s.lastPosition
	must(t, s.Close())
	rewrite(t, dir, func(txn *badgerdb.Txn) error { return txn.Set(numberKey(nil, kindEvent, position), []byte{1, 0xff}) })
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	for _, test := range []struct{ tenant, id string }{{"umbrella", "1"}, {"umbrella", "2"}, {"acme", "2"}} {
		if _, err := s.EventOf(t.Context(), test.tenant, test.id); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	for _, tenant := range []string{"acme", ""} {
		if _, err := s.EventOf(t.Context(), tenant, "1"); !errors.Is(err, errDamaged) {
			t.Errorf("%q: %v, and the event was not read", tenant, err)
		}
	}
}

// The rows of an earlier version do not tell whose the event is.
func TestEventOfEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	publishOwned(t, s, "1", "acme")
	row := appendEventID(nil, tagOf("acme"), s.lastPosition)
	if position, err := lastNumber(row); err != nil || position != s.lastPosition {
		t.Errorf("an earlier version reads %d, %v", position, err)
	}
	must(t, s.Close())
	rewrite(t, dir, func(txn *badgerdb.Txn) error { return txn.Set(eventIDKey(nil, "1"), row[8:]) })
	s = mustOpen(t, Options{Dir: dir, FreeSpace: noReserve})
	if got, err := s.EventOf(t.Context(), "acme", "1"); err != nil || got.ID != "1" {
		t.Errorf("got %s, %v", got.ID, err)
	}
	if _, err := s.EventOf(t.Context(), "umbrella", "1"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestEventIDRows(t *testing.T) {
	row := appendEventID(nil, tagOf("acme"), 1_700_000_000_000_000_005)
	if want := []byte("\x82\x2b\x33\xad\x87\xc1\x48\xa0\x17\x97\x9c\xfe\x36\x2a\x00\x05"); !bytes.Equal(row, want) {
		t.Errorf("got %q", row)
	}
	if got, err := parseEventID(row); err != nil || got.position != 1_700_000_000_000_000_005 || !got.mayBeOf("acme") || got.mayBeOf("umbrella") || !got.mayBeOf("") {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := parseEventID([]byte("short")); !errors.Is(err, errDamaged) {
		t.Errorf("got %v", err)
	}
}
