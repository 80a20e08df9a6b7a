// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
)

// A database that crashes and comes back is found again: what was acknowledged is there, and
// so is the lease, whose holder has not heard of anything.
func TestDatabaseCrashes(t *testing.T) {
	empty(t)
	ctx := t.Context()
	s := open(t, Options{DSN: server.DSN("postgres")})
	defer s.Close()
	key := event.Key{Resource: "items", ID: "1"}
	intent, err := s.NoteIntent(ctx, queue.Intent{Resource: "items", Key: key, Noted: time.Now()})
	if err == nil {
		err = s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	unawaited, err := s.NoteIntent(ctx, queue.Intent{Resource: "items"})
	if err != nil {
		t.Fatal(err)
	}
	held, err := s.LeaseMark(ctx, "items", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	// What is durable from here on takes the lease with it.
	if err := s.ResolveIntent(ctx, intent, queue.Resolution{}, true); err != nil {
		t.Fatal(err)
	}
	server.Crash()
	if s.Away() {
		t.Error("it is away before anybody has asked")
	}
	if _, err := s.NoteIntent(ctx, queue.Intent{Resource: "items"}); err == nil || errors.Is(err, queue.ErrClosed) {
		t.Errorf("without a database: %v", err)
	}
	if !s.Away() {
		t.Error("nobody is told that it is away")
	}
	// Nobody waits to hear that this one is resolved, and it is all the same.
	if err := s.ResolveIntent(ctx, unawaited, queue.Resolution{}, false); err != nil {
		t.Error(err)
	}
	if err := s.ResolveIntent(ctx, 0, queue.Resolution{Marks: []queue.Mark{{Key: key}}}, true); err == nil {
		t.Error("a database that is away keeps a mark")
	}
	if err := server.Again(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; {
		stats, err := s.Stats(ctx)
		if err == nil && !s.Away() && stats.OpenIntents == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("away: %v, with %+v, %v", s.Away(), stats, err)
		}
	}
	err = s.CommitReconciled(ctx, held, queue.Reconciled{
		AskedAt: time.Now(), Snapshot: &event.Snapshot{Key: key, Sequence: 1, Time: time.Now()},
		Events: []queue.Routed{{Event: event.Event{ID: "e", Type: "items.updated", Key: key, Sequence: 1}, Endpoints: []string{"erp"}}},
	})
	if err != nil {
		t.Error(err)
	}
	if stats, err := s.Stats(ctx); err != nil || stats.OpenIntents != 0 || stats.Marks != 0 || stats.PendingDeliveries["erp"] != 1 {
		t.Errorf("got %+v, %v", stats, err)
	}
}

// A database that takes intents and does not answer counts as away, so that nobody waits for it
// any more.
func TestDatabaseHangs(t *testing.T) {
	empty(t)
	ctx := t.Context()
	s := open(t, Options{DSN: server.DSN("postgres")})
	defer s.Close()
	conn, err := pgx.Connect(ctx, server.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "begin; lock table webhooks.intent"); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := s.NoteIntent(ctx, queue.Intent{Resource: "items"}); err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(2 * time.Minute); !s.Away() && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond)
	}
	if !s.Away() || s.Stalled() < slow {
		t.Error("nobody is told that it hangs")
	}
	if _, err := conn.Exec(ctx, "rollback"); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	if s.Away() {
		t.Error("it is still away")
	}
}

// No verb on the way of an event reads more rows the more there are: neither a whole table, nor
// all that is due.
func TestNothingIsReadInBulk(t *testing.T) {
	empty(t)
	const many, rounds = 20_000, 20
	ctx := t.Context()
	open(t, Options{DSN: server.DSN("postgres")}).Close() // which makes the days
	conn, err := pgx.Connect(ctx, server.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	day, now := dayOf(time.Now()), nanos(time.Now())
	// The planner's last look was at a queue that was empty again, and had kept its pages.
	for _, fill := range []string{
		"insert into webhooks.mark (object, resource, id, generation) select int8send(n), 'users', '', 1 from generate_series(1001, 6000) n",
		"insert into webhooks.lane (endpoint, lane, wake) select 'crm', int8send(n), 1 from generate_series(1001, 6000) n",
		`insert into webhooks.pending (endpoint, position, day, event, type, object, resource, id, sequence, hastened, created, due, routed, format)
			select 'crm', -n, 1, '', '', int8send(n), '', '', 0, 0, 0, 0, true, '' from generate_series(1001, 6000) n`,
	} {
		if _, err := conn.Exec(ctx, fill); err != nil {
			t.Fatal(err)
		}
	}
	empty(t)
	for _, hot := range []string{"intent", "mark", "lane", "pending"} {
		if _, err := conn.Exec(ctx, "vacuum (truncate off, analyze) webhooks."+hot); err != nil {
			t.Fatal(err)
		}
	}
	for _, fill := range []string{
		`insert into webhooks.mark (object, resource, id, wake, generation, record) select m.object, 'items', m.id, $2::bigint - n, 1, $3::bytea
			from (select n, substring(sha256('\x05'::bytea || 'items' || convert_to(n::text, 'UTF8')) for 16) as object, convert_to(n::text, 'UTF8') as id from generate_series(1, $1) n) m`,
		`insert into webhooks.object (object, resource, id, sequence, gone, touched, record) select substring(sha256(int8send(n)) for 16), 'items', int8send(n), 1, false, 0, $3
			from generate_series(1, $1) n where $2::bigint > 0`,
		`insert into webhooks.pending (endpoint, position, day, event, type, object, resource, id, sequence, hastened, created, due, routed, format)
			select 'erp', n - 1000000, ` + fmt.Sprint(day) + `, int8send(n), 'items.updated', substring(sha256(int8send(n / 4)) for 16), 'items', int8send(n), 1, ` + fmt.Sprint(int64(never)) + `, $2, $2, true, ''
			from generate_series(1, $1) n where $3::bytea is not null`,
		`insert into webhooks.lane (endpoint, lane, wake) select distinct 'erp'::bytea, object, $2::bigint - 1 from webhooks.pending where $1::integer > 0 and $3::bytea is not null`,
		`insert into webhooks.event (day, position, event, type, object, created, operated, snapshot, size, record)
			select ` + fmt.Sprint(day) + `, n - 1000000, int8send(n), 'items.updated', substring(sha256(int8send(n / 4)) for 16), $2, true, false, 1, $3 from generate_series(1, $1) n`,
	} {
		of := fill
		record := appendEvent(nil, &event.Event{ID: "e"})
		switch {
		case strings.HasPrefix(of, "insert into webhooks.mark"):
			m := mark.New(queue.Mark{Hints: queue.HintUpdated}, time.Now())
			record = appendMark(nil, &m)
		case strings.HasPrefix(of, "insert into webhooks.object"):
			record = appendSnapshot(nil, &event.Snapshot{})
		}
		if _, err := conn.Exec(ctx, of, many, now, record); err != nil {
			t.Fatalf("%s: %v", of, err)
		}
	}
	if err := conn.Close(ctx); err != nil {
		t.Fatal(err)
	}
	before := rowsRead(ctx, t)
	s := open(t, Options{DSN: server.DSN("postgres"), Poll: time.Hour, Beat: time.Hour})
	defer s.Close()
	for n := range rounds {
		id, err := s.NoteIntent(ctx, queue.Intent{Resource: "items"})
		if err == nil {
			err = s.ResolveIntent(ctx, id, queue.Resolution{Marks: []queue.Mark{{Key: event.Key{Resource: "users", ID: fmt.Sprint(n)}}}}, true)
		}
		if err != nil {
			t.Fatal(err)
		}
		held, err := s.LeaseMark(ctx, "items", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		e := event.Event{ID: fmt.Sprint("new ", n), Type: "items.updated", Key: held.Key, Sequence: 2}
		if err := s.CommitReconciled(ctx, held, queue.Reconciled{
			AskedAt: time.Now(), Snapshot: &event.Snapshot{Key: held.Key, Sequence: 2}, Events: []queue.Routed{{Event: e, Endpoints: []string{"erp"}}},
		}); err != nil {
			t.Fatal(err)
		}
		delivery, err := s.LeaseDelivery(ctx, "erp", queue.LeaseOptions{For: time.Minute})
		if err == nil {
			err = s.FinishAttempt(ctx, delivery, queue.Attempt{At: time.Now()}, queue.Verdict{Status: queue.StatusDelivered})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for table, n := range rowsRead(ctx, t) {
		// Some for each round, and some more as long as there are dead rows to pass.
		if read := n - before[table]; read > 100*rounds {
			t.Errorf("%d rounds have read %d rows of %s, which has %d", rounds, read, table, many)
		}
	}
}

// rowsRead returns how many rows of each table were read, in whatever way, by sessions that
// have ended: what others have read is not known yet.
func rowsRead(ctx context.Context, t *testing.T) map[string]int {
	t.Helper()
	conn, err := pgx.Connect(ctx, server.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for others, deadline := 1, time.Now().Add(2*time.Minute); others > 0 && time.Now().Before(deadline); {
		if err := conn.QueryRow(ctx, "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()").Scan(&others); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := conn.Query(ctx, `select t.relname, (t.seq_tup_read + coalesce((select sum(i.idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid), 0))::bigint
		from pg_stat_user_tables t where t.schemaname = 'webhooks'`)
	if err != nil {
		t.Fatal(err)
	}
	read := make(map[string]int)
	var table string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&table, &n}, func() error {
		read[table] = n
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return read
}
