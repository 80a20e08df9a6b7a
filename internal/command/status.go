// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// showStatus prints how the webhooks do: what their health is, and what is in the
// queue.
func showStatus(c call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.read("/webhooks/status", nil)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.printAnswer(answer)
	}
	var status admin.Status
	if err := decode(bytes.NewReader(answer), &status); err != nil {
		return err
	}
	health, err := client.health()
	if err != nil {
		return err
	}
	return printStatus(c, &status, &health)
}

// health returns the answer to the health check, whatever it is.
func (c client) health() (admin.Health, error) {
	var health admin.Health
	err := c.do(http.MethodGet, "/webhooks/health", nil, nil, &health)
	var refused *refusal
	if errors.As(err, &refused) && refused.status == http.StatusServiceUnavailable {
		err = decode(strings.NewReader(refused.answer), &health)
	}
	return health, err
}

func printStatus(c call, status *admin.Status, health *admin.Health) error {
	fields := []field{{"health", health.Status}}
	for _, problem := range health.Problems {
		fields = append(fields, field{"problem", problem})
	}
	for _, notice := range health.Notices {
		fields = append(fields, field{"notice", notice})
	}
	for _, e := range health.Endpoints {
		fields = append(fields, field{"endpoint " + e.Name, state(string(e.Status), e.Since, e.Reason)})
	}
	for _, of := range status.Shows {
		fields = append(fields, field{"Shows of " + of.Resource, state(string(of.Status), of.Since, of.Reason)})
	}
	q := status.Queue
	fields = append(
		fields,
		field{"queue", fmt.Sprintf("%s, durability %s", status.Dir, status.Durability)},
		field{"resources", orNone(strings.Join(status.Resources, ", "))},
		field{"exchanges under way, or of unknown outcome", q.OpenIntents},
		field{"objects that wait for reconciling", q.Marks},
		field{"of these, tried in vain", q.FailingMarks},
		field{"the oldest waits since", when(q.OldestMark)},
		field{"objects to be looked at, now or later", q.Looks},
		field{"changes whose object is not known", q.Unresolved},
	)
	if q.PendingDeliveries == nil {
		fields = append(fields, field{"deliveries pending", notCounted})
	}
	fields = append(fields, mostPending(q.PendingDeliveries)...)
	return printFields(c.out, c.width, fields)
}

// maxPending is for how many endpoints it is shown how much is pending: with subscribers
// there may be thousands.
const maxPending = 20

// mostPending returns how much is pending, for the endpoints that have most, by name.
func mostPending(pending map[string]int) (fields []field) {
	names := slices.SortedFunc(maps.Keys(pending), func(a, b string) int {
		return cmp.Or(cmp.Compare(pending[b], pending[a]), strings.Compare(a, b))
	})
	shown := names[:min(len(names), maxPending)]
	others := 0
	for _, name := range names[len(shown):] {
		others += pending[name]
	}
	slices.Sort(shown)
	for _, name := range shown {
		fields = append(fields, field{"deliveries pending for " + name, pending[name]})
	}
	if more := len(names) - len(shown); more > 0 {
		fields = append(fields, field{fmt.Sprintf("deliveries pending for %d others", more), fmt.Sprintf("%d; see caddy webhooks endpoints", others)})
	}
	return fields
}

// notCounted stands for the pending deliveries of a queue that was just opened.
const notCounted = "not known yet, as the queue has just been opened"

// pendingIn returns how many deliveries are pending.
func pendingIn(counts *queue.Stats) any {
	if counts.PendingDeliveries == nil {
		return notCounted
	}
	pending := 0
	for _, n := range counts.PendingDeliveries {
		pending += n
	}
	return pending
}

// state says how something fares, since when, and why.
func state(status string, since time.Time, reason string) string {
	if !since.IsZero() {
		status += " since " + when(since)
	}
	if reason != "" {
		status += ": " + reason
	}
	return status
}

// showQueue prints how the queue as a whole is.
func showQueue(c call) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.read("/webhooks/queue", nil)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return c.printAnswer(answer)
	}
	var status admin.QueueStatus
	if err := decode(bytes.NewReader(answer), &status); err != nil {
		return err
	}
	return printQueue(c, &status)
}

func printQueue(c call, q *admin.QueueStatus) error {
	fields := []field{{"queue", "open"}, {"directory", q.Dir}}
	if !q.Open {
		fields = []field{{"queue", "not open: the API goes on without it"}, {"problem", q.Problem}, {"since", when(q.Since)}, {"directory", q.Dir}}
		if q.Closing {
			fields = append(fields, field{"closing", "it still writes to its disk"})
		}
	}
	if q.Space != "" {
		fields = append(fields, field{"free space", fmt.Sprintf("%s: %s (low below %s, critical below %s)",
			q.Space, size(q.FreeBytes), size(q.LowBytes), size(q.CriticalBytes))})
	}
	fields = append(fields, field{"size", fmt.Sprintf("%s of tables, %s of logs, %s of other files",
		size(uint64(q.TableBytes)), size(uint64(q.LogBytes)), size(uint64(q.OtherBytes)))})
	if q.Counts != nil {
		fields = append(fields, field{"objects that wait for reconciling", q.Counts.Marks}, field{"deliveries pending", pendingIn(q.Counts)})
	}
	fields = append(
		fields,
		field{"interim: exchanges that are not in it yet", q.Interim},
		field{"damaged_records: not usable since it was opened", q.DamagedRecords},
		field{"lost_batches: taken by a power cut", q.LostBatches},
	)
	for _, gap := range q.Gaps {
		fields = append(fields, field{"gap", fmt.Sprintf("%s, since %s", gap.Resource, when(gap.Since))})
	}
	for _, dir := range q.SetAside {
		fields = append(fields, field{"set aside", dir})
	}
	return printFields(c.out, c.width, fields)
}

// orNone returns a text, or a word for none.
func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// when returns a time as operators read it, "" for none.
func when(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Local().Format(clockLayout)
}

// size returns a number of bytes as operators read it.
func size(bytes uint64) string {
	const unit = 1024
	switch {
	case bytes >= unit*unit*unit:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(unit*unit*unit))
	case bytes >= unit*unit:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(unit*unit))
	case bytes >= unit:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/unit)
	}
	return fmt.Sprintf("%d B", bytes)
}
