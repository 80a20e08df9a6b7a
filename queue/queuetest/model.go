// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// model is the queue as package queue describes it, in its plainest form:
// lists, scanned from end to end.
type model struct {
	intents    map[queue.IntentID]queue.Intent
	resolved   []queue.IntentID
	unresolved []queue.Unresolved
	marks      map[event.Key]*modelMark
	snapshots  map[event.Key]event.Snapshot
	floors     map[string]uint64
	callbacks  map[event.Key]queue.Callback
	records    modelRecords
	events     []modelEvent
	lastEvent  int
	// orders are the orders of endpoints, nextOrders those that were set last.
	orders, nextOrders map[string]queue.Order
}

type modelMark struct {
	queue.MarkLease
	// hints are those of each generation; asked is true for those that were no
	// looks, confirmed for those of them that not only a client stands for.
	hints            []queue.Hints
	asked, confirmed []bool
	dueAt            time.Time
	lastError        string
	// passes is when the lease passes; zero if there is none.
	passes time.Time
}

func (m *modelMark) look() bool {
	return !slices.Contains(m.asked, true)
}

func newModel() *model {
	return &model{
		intents:   make(map[queue.IntentID]queue.Intent),
		marks:     make(map[event.Key]*modelMark),
		snapshots: make(map[event.Key]event.Snapshot),
		floors:    make(map[string]uint64),
		callbacks: make(map[event.Key]queue.Callback),
		records:   modelRecords{epochs: make(map[string]uint64)},
		orders:    make(map[string]queue.Order),

		nextOrders: make(map[string]queue.Order),
	}
}

func (m *model) resolve(id queue.IntentID, resolution queue.Resolution, now time.Time) {
	if intent, open := m.intents[id]; open {
		delete(m.intents, id)
		m.resolved = append(m.resolved, id)
		if resolution.Unresolved != "" {
			m.unresolved = append(m.unresolved, queue.Unresolved{Intent: intent, Reason: resolution.Unresolved, At: now})
		}
	}
	for _, mark := range resolution.Marks {
		m.mark(mark, now)
	}
}

func (m *model) mark(mark queue.Mark, now time.Time) {
	if len(mark.Callback) > 0 {
		snapshot, seen := m.snapshots[mark.Key]
		callback, named := m.callbacks[mark.Key]
		there := seen && !snapshot.Gone
		late := there && snapshot.ChangedAt.IsZero() && !mark.Cause.At.IsZero() && snapshot.Time.After(mark.Cause.At)
		if !named && (!there || late) || named && callback.Closed && !there {
			m.callbacks[mark.Key] = queue.Callback{Sealed: mark.Callback}
		}
		mark.Callback = nil
	}
	asked := mark.Hints != queue.HintLooked
	unconfirmed := mark.Hints.Has(queue.HintUnconfirmed)
	due := now
	if mark.Hints.AreUnconfirmed() && mark.After.After(now) {
		due = mark.After
	}
	mark.After = time.Time{}
	known := m.marks[mark.Key]
	if known == nil {
		m.marks[mark.Key] = &modelMark{
			MarkLease: queue.MarkLease{Mark: mark, Generation: 1, MarkedAt: now},
			dueAt:     due,
			hints:     []queue.Hints{mark.Hints},
			asked:     []bool{asked},
			confirmed: []bool{asked && !unconfirmed},
		}
		return
	}
	look, yielded := known.look(), known.yields()
	hurries := look || !unconfirmed || known.Tries == 0
	switch {
	case asked && !unconfirmed:
		known.forget(queue.HintUnconfirmed)
	case asked && slices.Contains(known.confirmed, true):
		mark.Hints &^= queue.HintUnconfirmed
	}
	known.Generation++
	known.hints = append(known.hints, mark.Hints)
	known.asked = append(known.asked, asked)
	known.confirmed = append(known.confirmed, asked && !unconfirmed)
	known.Hints |= mark.Hints
	known.Version = max(known.Version, mark.Version) // of one digit each
	if known.SettleAt.Before(mark.SettleAt) {
		known.SettleAt = mark.SettleAt
	}
	if asked || look {
		known.Cause = mark.Cause
	}
	switch {
	case !asked && !look || !hurries:
	case yielded && !known.yields():
		known.dueAt = now
	case !known.yields():
		if known.dueAt.After(now) {
			known.dueAt = now
		}
	case !unconfirmed || known.dueAt.After(due):
		known.dueAt = due
	}
	if asked && hurries {
		known.Tries, known.lastError = 0, ""
	}
	if asked && (look || yielded && !known.yields()) {
		known.MarkedAt = now
	}
}

func (m *model) stale(now time.Time) []queue.IntentID {
	var stale []queue.IntentID
	for id, intent := range m.intents {
		if intent.Abandoned || !intent.Deadline.IsZero() && !intent.Deadline.After(now) {
			stale = append(stale, id)
		}
	}
	slices.Sort(stale)
	return stale
}

// dueMarks returns the marks of a resource that may be leased.
func (m *model) dueMarks(resource string, now time.Time) []*modelMark {
	var due []*modelMark
	for key, mark := range m.marks {
		if key.Resource == resource && !mark.passes.After(now) && !mark.dueAt.After(now) {
			due = append(due, mark)
		}
	}
	if first := slices.DeleteFunc(slices.Clone(due), (*modelMark).yields); len(first) > 0 {
		return first
	}
	return due
}

func (m *modelMark) yields() bool { return m.look() || m.Hints.AreUnconfirmed() }

// forget drops hints that earlier marks gave.
func (m *modelMark) forget(hints queue.Hints) {
	m.Hints &^= hints
	for i := range m.hints {
		m.hints[i] &^= hints
	}
}

// served forgets who asked for the first generations.
func (m *modelMark) served(generations uint64) {
	if !m.look() {
		if clear(m.asked[:generations]); m.look() {
			m.Cause, m.SettleAt = event.Cause{}, time.Time{}
		}
	}
	if slices.Contains(m.confirmed, true) {
		if clear(m.confirmed[:generations]); !m.look() && !slices.Contains(m.confirmed, true) {
			m.hints[len(m.hints)-1] |= queue.HintUnconfirmed
		}
	}
}

// holds returns the mark of a lease that is held.
func (m *model) holds(lease queue.MarkLease, now time.Time) *modelMark {
	mark := m.marks[lease.Key]
	if mark == nil || mark.Fence != lease.Fence || !mark.passes.After(now) {
		return nil
	}
	return mark
}

func (m *model) commit(lease queue.MarkLease, reconciled queue.Reconciled, now time.Time) bool {
	mark := m.holds(lease, now)
	if mark == nil {
		return false
	}
	mark.passes = time.Time{}
	switch {
	case mark.Generation != lease.Generation:
		// The hints since the lease are left, and those that are not over
		// before SettleAt.
		var left queue.Hints
		if mark.SettleAt.After(reconciled.AskedAt) {
			left = queue.HintDeleted | queue.HintMayBeDeleted | queue.HintMayBeCreated | queue.HintMayBeUpdated | queue.HintUnconfirmed | queue.HintExisted
		} else {
			mark.served(lease.Generation)
		}
		mark.Hints = 0
		for i := range mark.hints {
			if uint64(i+1) <= lease.Generation {
				mark.hints[i] &= left
			}
			mark.Hints |= mark.hints[i]
		}
		mark.MarkedAt = now
		mark.dueAt = now
		mark.Tries, mark.lastError = 0, ""
	case mark.SettleAt.After(reconciled.AskedAt):
		mark.dueAt = mark.SettleAt
		if !reconciled.LookAt.IsZero() && reconciled.LookAt.Before(mark.SettleAt) {
			mark.dueAt = reconciled.LookAt
		}
		mark.Tries, mark.lastError = 0, ""
	default:
		delete(m.marks, lease.Key)
		if !reconciled.LookAt.IsZero() {
			m.mark(queue.Mark{Key: lease.Key, Hints: queue.HintLooked}, now)
			m.marks[lease.Key].dueAt = reconciled.LookAt
		}
	}
	if callback, known := m.callbacks[lease.Key]; known && reconciled.CloseCallback {
		callback.Closed = true
		m.callbacks[lease.Key] = callback
	}
	if reconciled.Snapshot != nil {
		m.snapshots[lease.Key] = *reconciled.Snapshot
	}
	for _, mark := range reconciled.Marks {
		m.mark(mark, now)
	}
	for _, routed := range reconciled.Events {
		m.log(routed, now)
	}
	return true
}

func (m *model) forget(before time.Time) (forgotten int) {
	named := make(map[event.Key]bool)
	for _, intent := range m.intents {
		named[intent.Key] = true
	}
	for key, snapshot := range m.snapshots {
		if !snapshot.Gone || !snapshot.Time.Before(before) || m.marks[key] != nil || named[key] {
			continue
		}
		delete(m.snapshots, key)
		delete(m.callbacks, key)
		m.floors[key.Resource] = max(m.floors[key.Resource], snapshot.Sequence)
		forgotten++
	}
	return forgotten
}

// again reports whether an event has the object and the sequence of an earlier
// one: receivers would take it for that.
func (m *model) again(events []queue.Routed) bool {
	return slices.ContainsFunc(events, func(e queue.Routed) bool {
		return slices.ContainsFunc(m.events, func(known modelEvent) bool {
			return known.Key == e.Key && known.Sequence == e.Sequence
		})
	})
}

// last returns the sequence after which an object's events go on.
func (m *model) last(key event.Key) uint64 {
	if snapshot, known := m.snapshots[key]; known {
		return snapshot.Sequence
	}
	return m.floors[key.Resource]
}

func (m *model) retry(lease queue.MarkLease, at time.Time, reason string, now time.Time) bool {
	mark := m.holds(lease, now)
	if mark == nil {
		return false
	}
	mark.passes = time.Time{}
	if reason != "" {
		mark.Tries++
		mark.lastError = reason
	}
	mark.dueAt = at
	if slices.Contains(mark.confirmed[lease.Generation:], true) {
		mark.dueAt = now
	}
	return true
}

// The contents of lists, one line a row.

func (m *model) eventLines() []string {
	var lines []string
	for _, e := range slices.Backward(m.events) {
		lines = append(lines, eventLine(e.Event))
	}
	return lines
}

// listed returns the deliveries that a filter by event and endpoint selects, in
// the order of lists.
func (m *model) listed(filter queue.Filter) []*modelDelivery {
	var listed []*modelDelivery
	for _, e := range slices.Backward(m.events) {
		for _, d := range e.byName() {
			if (filter.Endpoint == "" || filter.Endpoint == d.Endpoint) && (filter.EventID == "" || filter.EventID == e.ID) {
				listed = append(listed, d)
			}
		}
	}
	return listed
}

func (m *model) deliveryLines(filter queue.Filter) []string {
	var lines []string
	for _, d := range m.listed(filter) {
		lines = append(lines, deliveryLine(d.Delivery))
	}
	return lines
}

func (m *model) attemptLines(filter queue.Filter) []string {
	var lines []string
	for _, d := range m.listed(filter) {
		for _, a := range slices.Backward(d.attempts) {
			lines = append(lines, attemptLine(a))
		}
	}
	return lines
}

func (m *model) pendingLines(now time.Time) []string {
	var lines []string
	for key, mark := range m.marks {
		if mark.look() {
			continue
		}
		lines = append(lines, pendingLine(queue.PendingMark{
			Key: key, Generation: mark.Generation, Tries: mark.Tries, MarkedAt: mark.MarkedAt,
			DueAt: mark.dueAt, Leased: mark.passes.After(now), LastError: mark.lastError,
			Rule: mark.Cause.Rule, Outcome: mark.Cause.Outcome, SettleAt: mark.SettleAt,
		}))
	}
	slices.Sort(lines)
	return lines
}

// unseen returns the marked objects of a resource that are not known to be
// there.
func (m *model) unseen(resource string) []string {
	var unseen []string
	for key, mark := range m.marks {
		known, seen := m.snapshots[key]
		if key.Resource == resource && !mark.look() && (!seen || known.Gone) {
			unseen = append(unseen, key.String())
		}
	}
	slices.Sort(unseen)
	return unseen
}

func (m *model) stats() queue.Stats {
	stats := queue.Stats{
		OpenIntents:       len(m.intents),
		Unresolved:        len(m.unresolved),
		PendingDeliveries: make(map[string]int),
		Lanes:             make(map[string]int),
	}
	for _, mark := range m.marks {
		if mark.look() {
			stats.Looks++
			continue
		}
		stats.Marks++
		if mark.Tries > 0 {
			stats.FailingMarks++
		}
		if !mark.yields() && (stats.OldestMark.IsZero() || mark.MarkedAt.Before(stats.OldestMark)) {
			stats.OldestMark = mark.MarkedAt
		}
	}
	for _, e := range m.events {
		for _, d := range e.deliveries {
			if d.Status == queue.StatusPending {
				stats.PendingDeliveries[d.Endpoint]++
			}
		}
	}
	return stats
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func eventLine(e event.Event) string {
	return fmt.Sprintf("%s %s %s %d %s", e.ID, e.Type, e.Key, e.Sequence, e.Payload)
}

func deliveryLine(d queue.Delivery) string {
	return fmt.Sprintf("%s %s %s %d %s %s attempts=%d/%d/%d from=%s created=%s due=%s finished=%s", d.EventID, d.EventType, d.Key,
		d.Sequence, d.Endpoint, d.Status, d.Attempts, d.PriorAttempts, d.ExtraAttempts, moment(d.HastenedFrom), moment(d.CreatedAt), moment(d.DueAt), moment(d.FinishedAt))
}

func attemptLine(a queue.Attempt) string {
	return fmt.Sprintf("%s %s %d at=%s %v %d %s, sent %+v", a.EventID, a.Endpoint, a.Number, moment(a.At), a.Duration, a.Code, a.Error, a.Sent)
}

func pendingLine(p queue.PendingMark) string {
	return fmt.Sprintf("%s gen=%d tries=%d marked=%s due=%s leased=%v %s by %s %s until %s", p.Key, p.Generation, p.Tries,
		moment(p.MarkedAt), moment(p.DueAt), p.Leased, p.LastError, p.Rule, p.Outcome, moment(p.SettleAt))
}

func markLine(l queue.MarkLease) string {
	sequence := -1
	if l.Snapshot != nil {
		sequence = int(l.Snapshot.Sequence)
	}
	callback := queue.Callback{Sealed: []byte("none")}
	if l.Callback != nil {
		callback = *l.Callback
	}
	return fmt.Sprintf("%s hints=%d version=%s cause=%s settle=%s gen=%d tries=%d marked=%s snapshot=%d floor=%d look=%v callback=%s,%v",
		l.Key, l.Hints, l.Version, l.Cause.Rule, moment(l.SettleAt), l.Generation, l.Tries, moment(l.MarkedAt), sequence,
		l.Floor, l.Look, callback.Sealed, callback.Closed)
}

func unresolvedLine(u queue.Unresolved) string {
	return fmt.Sprintf("%d %s %s %s noted=%s at=%s %s", u.ID, u.Resource, u.Rule, u.Key, moment(u.Noted), moment(u.At), u.Reason)
}
