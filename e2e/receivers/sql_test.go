// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/receiver"
)

// Two processes share a database, and get the same events at once, repeated and out of
// order; the function fails before and after it has written. What it has written is each
// event once, and those of an object in order.
func TestTransactions(t *testing.T) {
	for seed := range uint64(6) {
		dir := t.TempDir()
		store, db := openStore(t, dir)
		if _, err := db.ExecContext(t.Context(), `CREATE TABLE done (n INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT, sequence INTEGER)`); err != nil {
			t.Fatal(err)
		}
		urls := []string{process(t, store, seed), process(t, second(t, dir), seed+1)}
		random := rand.New(rand.NewPCG(seed, 0))
		const objects, events = 3, 6
		var deliveries []func()
		for object := range objects {
			for n := range events {
				for range 1 + random.IntN(2) {
					url := urls[random.IntN(2)]
					deliveries = append(deliveries, func() {
						e := number(string(rune('a'+object)), uint64(n+1))
						for send(t, url, e, nil) != http.StatusNoContent && t.Context().Err() == nil {
							continue
						}
					})
				}
			}
		}
		// They come in any order, and at once.
		random.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
		var senders sync.WaitGroup
		for _, deliver := range deliveries {
			senders.Go(deliver)
		}
		senders.Wait()
		for object := range objects {
			got := fmt.Sprint(written(t, db, "items/"+string(rune('a'+object))))
			if got != "[1 2 3 4 5 6]" {
				t.Fatalf("seed %d, object %d: %s was written", seed, object, got)
			}
		}
	}
}

// second returns the store of another process.
func second(t *testing.T, dir string) *receiver.SQL {
	t.Helper()
	store, _ := openStore(t, dir)
	return store
}

// process starts a receiver whose function fails now and then.
func process(t *testing.T, store *receiver.SQL, seed uint64) string {
	t.Helper()
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 1))
	roll := func() int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(6)
	}
	handler, err := receiver.New(receiver.Options{
		Secrets: []string{secret}, Store: store, Hold: 5 * time.Second, Notice: func(context.Context, receiver.Notice) {},
		Handle: receiver.InTx(func(ctx context.Context, tx *sql.Tx, e *receiver.Event) error {
			fails := roll()
			if fails == 0 {
				return errors.New("before it has written")
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO done (object, sequence) VALUES (?, ?)`, e.Object, int64(e.Sequence))
			if fails == 1 {
				panic("after it has written")
			}
			return err
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func written(t *testing.T, db *sql.DB, object string) (numbers []int) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT sequence FROM done WHERE object = ? ORDER BY n`, object)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return numbers
}

// The store in a database keeps and forgets as the one in memory does.
func TestStore(t *testing.T) {
	clock := time.Unix(1_800_000_000, 0)
	_, db := openStore(t, t.TempDir())
	database, err := receiver.NewSQL(t.Context(), db, receiver.SQLOptions{Prefix: "hooks_", Keep: 24 * time.Hour, Now: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}
	for name, store := range map[string]receiver.Store{"memory": receiver.NewMemory(0), "database": database} {
		t.Run(name, func(t *testing.T) {
			take := func(want error, step receiver.Step) {
				t.Helper()
				calls := 0
				err := store.Take(t.Context(), step, func(context.Context) error { calls++; return nil })
				if !errors.Is(err, want) || (calls == 1) != (want == nil) {
					t.Errorf("%+v: error %v, want %v; %d calls", step, err, want, calls)
				}
			}
			look := func(id, object string, sequence uint64, want receiver.Seen) {
				t.Helper()
				if got, err := store.Look(t.Context(), id, object, sequence); err != nil || got != want {
					t.Errorf("%s: %+v, %v, want %+v", id, got, err, want)
				}
			}
			look("1", "items/a", 1, receiver.Seen{})
			take(nil, receiver.Step{ID: "1", Object: "items/a", Sequence: 1, To: 1})
			take(receiver.ErrMoved, receiver.Step{ID: "1", Object: "items/a", Sequence: 1, To: 1})
			take(receiver.ErrMoved, receiver.Step{ID: "2", Object: "items/a", Sequence: 2, To: 2})
			take(receiver.ErrMoved, receiver.Step{ID: "2", Object: "items/a", Sequence: 3, From: 2, To: 3})
			take(nil, receiver.Step{ID: "2", Object: "items/a", Sequence: 2, From: 1, To: 2})
			take(nil, receiver.Step{ID: "late", Object: "items/a", Sequence: 7, From: 2, To: 2})
			take(nil, receiver.Step{ID: "unordered"})
			take(receiver.ErrMoved, receiver.Step{ID: "unordered"})
			look("3", "items/a", 3, receiver.Seen{Position: 2})
			look("3", "items/A", 3, receiver.Seen{})
			look("other", "items/a", 2, receiver.Seen{Position: 2, Taken: true})
			look("2", "items/b", 2, receiver.Seen{Handled: true})
			failed := errors.New("failed")
			if err := store.Take(t.Context(), receiver.Step{ID: "3", Object: "items/a", Sequence: 3, From: 2, To: 3}, func(context.Context) error { return failed }); !errors.Is(err, failed) {
				t.Errorf("error %v", err)
			}
			look("3", "items/a", 3, receiver.Seen{Position: 2})
			for _, cursor := range []string{"", "AbC", "AbC", "d"} {
				if cursor != "" {
					if err := store.KeepCursor(t.Context(), cursor); err != nil {
						t.Fatal(err)
					}
				}
				if got, err := store.Cursor(t.Context()); err != nil || got != cursor {
					t.Errorf("the cursor is %q, %v, want %q", got, err, cursor)
				}
			}
			if err := store.Forget(t.Context()); err != nil {
				t.Fatal(err)
			}
			look("3", "items/a", 3, receiver.Seen{})
			if got, err := store.Cursor(t.Context()); err != nil || got != "" {
				t.Errorf("the cursor is %q, %v", got, err)
			}
		})
	}
	// Old events are forgotten, and positions are not.
	if err := database.Take(t.Context(), receiver.Step{ID: "old", Object: "items/c", Sequence: 1, To: 1}, nil); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(25 * time.Hour)
	if err := database.Take(t.Context(), receiver.Step{ID: "new", Object: "items/c", Sequence: 2, From: 1, To: 2}, nil); err != nil {
		t.Fatal(err)
	}
	if seen, err := database.Look(t.Context(), "old", "items/c", 1); err != nil || seen.Handled || seen.Position != 2 {
		t.Errorf("the old event: %+v, %v", seen, err)
	}
	if seen, err := database.Look(t.Context(), "new", "items/c", 2); err != nil || !seen.Handled {
		t.Errorf("the new event: %+v, %v", seen, err)
	}
	if _, err := receiver.NewSQL(t.Context(), db, receiver.SQLOptions{Prefix: "x; DROP TABLE hooks_events; --"}); err == nil {
		t.Error("any prefix is accepted")
	}
}
