// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// queuePage is the queue as a whole, and whether all is well.
type queuePage struct {
	State, Health   state
	Problem         string
	Since           time.Time
	Dir, Durability string
	Space           *state
	Free, Low, Crit string
	Used            []sizeRow
	Counts          []countRow
	Oldest          time.Time
	Problems        []string
	Notices         []string
	Gaps            []gapRow
	SetAside        []string
	Damaged, Lost   int
	Interim         int
}

// sizeRow is a part of the queue on disk. Share is how much of it that is, in per cent.
type sizeRow struct {
	Name, Size string
	Share      int
}

// countRow is what the queue holds of something.
type countRow struct {
	Name  string
	Count int
}

// showQueue shows the queue, also while it is not open.
func showQueue(v *visit) error {
	q, err := operate[admin.QueueStatus](v, get("queue"))
	if err != nil {
		return err
	}
	h, err := operate[admin.Health](v, get("health"))
	if err != nil {
		return err
	}
	p := queuePage{
		State: queueOpen, Health: allIsWell, Problem: sentence(visible(q.Problem)), Since: q.Since, Dir: visible(q.Dir), SetAside: q.SetAside, Interim: q.Interim,
		Damaged: int(min(q.DamagedRecords, 1<<53)), Lost: int(min(q.LostBatches, 1<<53)), Used: sizes(q.TableBytes, q.LogBytes, q.OtherBytes),
	}
	if !q.Open {
		p.State = queueShut
	}
	if h.Status != "ok" {
		p.Health = isFailing
	}
	for _, text := range h.Problems {
		p.Problems = append(p.Problems, sentence(visible(text)))
	}
	for _, text := range h.Notices {
		p.Notices = append(p.Notices, sentence(visible(text)))
	}
	if q.CriticalBytes > 0 {
		space := stateOf(spaceStates, q.Space)
		p.Space, p.Free, p.Low, p.Crit = &space, bytesOf(q.FreeBytes), bytesOf(q.LowBytes), bytesOf(q.CriticalBytes)
	}
	p.count(&q)
	for _, gap := range q.Gaps {
		p.Gaps = append(p.Gaps, gapRow{Resource: visible(gap.Resource), Since: gap.Since, Deletes: gap.Deletes})
	}
	return v.operating(http.StatusOK, "op-queue", "Queue and health", p)
}

// count sets what is in the queue, if that is known.
func (p *queuePage) count(q *admin.QueueStatus) {
	if q.Counts == nil {
		return
	}
	pending := 0
	for _, n := range q.Counts.PendingDeliveries {
		pending += n
	}
	p.Oldest = q.Counts.OldestMark
	p.Counts = []countRow{
		{"Exchanges under way, or of unknown outcome", q.Counts.OpenIntents},
		{"Objects that wait for being read", q.Counts.Marks},
		{"Of these, tried in vain", q.Counts.FailingMarks},
		{"Objects that are only to be looked at", q.Counts.Looks},
		{"Changes whose object is not known", q.Counts.Unresolved},
		{"Deliveries that wait", pending},
	}
}

// sizes returns the parts of the queue on disk.
func sizes(tables, logs, others int64) []sizeRow {
	total := max(tables+logs+others, 1)
	var rows []sizeRow
	for _, part := range []struct {
		name string
		size int64
	}{{"Tables", tables}, {"Logs", logs}, {"Others", others}} {
		rows = append(rows, sizeRow{part.name, bytesOf(uint64(max(part.size, 0))), int(part.size * 100 / total)})
	}
	return rows
}
