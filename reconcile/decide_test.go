// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

var (
	testKey  = event.Key{Resource: "items", ID: "42"}
	testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func testResource(t *testing.T) *Resource {
	t.Helper()
	name := func(s string) event.Template {
		template, err := event.ParseTemplate(s)
		if err != nil {
			t.Fatal(err)
		}
		return template
	}
	r := &Resource{
		Name:    "items",
		Version: "v",
		Triggers: []event.Trigger{
			{Type: name("items.created"), On: event.OpCreate},
			{Type: name("items.updated"), On: event.OpChange},
			{Type: name("items.paid"), On: event.OpChange, Paths: []string{"state"}, To: []string{"paid"}},
			{Type: name("items.deleted"), On: event.OpDelete},
		},
		Route: func(*event.Event) (to, filtered []string) { return []string{"erp"}, nil },
		Limit: NewLimit(4, nil),
		Own: func(key event.Key, document event.Document) (event.Key, bool) {
			id := event.Text(document.Field("id"))
			if id != "" {
				key.ID = id
			}
			return key, id != ""
		},
	}
	r.paths = event.Paths(r.Triggers)
	return r
}

func answer(status int, body string) show.Show {
	return show.Show{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
}

func TestDecide(t *testing.T) {
	r := testResource(t)
	hasher := event.NewHasher([32]byte{1})
	const knownFinding = known
	known := func(body string) *event.Snapshot {
		d := r.decide(hasher, queue.MarkLease{Mark: queue.Mark{Key: testKey}}, answer(200, body), testTime)
		d.next.Sequence, d.next.Time = 7, testTime.Add(-time.Hour)
		return &d.next
	}
	uncertain := func(body string) *event.Snapshot {
		snapshot := known(body)
		snapshot.Uncertain = true
		return snapshot
	}
	gone := &event.Snapshot{Key: testKey, Gone: true, Sequence: 8, Version: "4"}
	pending := `{"v":5,"state":"pending"}`
	mine := `{"id":"42","v":5,"state":"pending"}`

	for name, tc := range map[string]struct {
		snapshot  *event.Snapshot
		hints     queue.Hints
		version   string
		answer    show.Show
		finding   finding
		op        event.Op
		freshness event.Freshness
	}{
		"first seen by a create":                      {nil, queue.HintCreated, "", answer(200, pending), moved, event.OpCreate, event.FreshnessUnproven},
		"first seen by a create of unknown end":       {nil, queue.HintMayBeCreated, "", answer(200, pending), moved, event.OpCreate, event.FreshnessUnproven},
		"first seen by an update":                     {nil, queue.HintUpdated, "", answer(200, pending), moved, event.OpChange, event.FreshnessUnproven},
		"updated, and a create of unknown end":        {nil, queue.HintMayBeCreated | queue.HintUpdated, "", answer(200, pending), moved, event.OpChange, event.FreshnessUnproven},
		"changed":                                     {known(pending), queue.HintUpdated, "", answer(200, `{"v":6,"state":"paid"}`), moved, event.OpChange, event.FreshnessVersion},
		"changed, without a version":                  {known(`{"state":"a"}`), queue.HintUpdated, "", answer(200, `{"state":"b"}`), moved, event.OpChange, event.FreshnessUnproven},
		"not changed":                                 {known(pending), queue.HintUpdated, "", answer(200, ` {"state":"pending", "v":5}`), early, "", ""},
		"older than the snapshot":                     {known(pending), queue.HintUpdated, "", answer(200, `{"v":4,"state":"paid"}`), stale, "", ""},
		"older than the write's response":             {nil, queue.HintUpdated, "6", answer(200, pending), stale, "", ""},
		"as new as the write's response":              {nil, queue.HintCreated, "5", answer(200, pending), moved, event.OpCreate, event.FreshnessVersion},
		"no difference, but older than the write":     {known(pending), queue.HintUpdated, "6", answer(200, pending), stale, "", ""},
		"created again":                               {gone, queue.HintCreated, "", answer(200, pending), moved, event.OpCreate, event.FreshnessVersion},
		"there again after an update":                 {gone, queue.HintUpdated, "", answer(200, pending), moved, event.OpCreate, event.FreshnessVersion},
		"deleted":                                     {known(pending), queue.HintDeleted, "", answer(404, ""), moved, event.OpDelete, event.FreshnessUnproven},
		"deleted, answered 410":                       {known(pending), queue.HintDeleted, "", answer(410, ""), moved, event.OpDelete, event.FreshnessUnproven},
		"deleted, never seen":                         {nil, queue.HintDeleted, "", answer(404, ""), early, "", ""},
		"created and deleted, never seen":             {nil, queue.HintCreated | queue.HintDeleted, "", answer(404, ""), early, "", ""},
		"created, delete of unknown end":              {nil, queue.HintCreated | queue.HintMayBeDeleted, "", answer(404, ""), early, "", ""},
		"delete of unknown end":                       {known(pending), queue.HintMayBeDeleted, "", answer(404, ""), moved, event.OpDelete, event.FreshnessUnproven},
		"delete of unknown end, never seen":           {nil, queue.HintMayBeDeleted, "", answer(404, ""), nothing, "", ""},
		"deleted, announced already":                  {gone, queue.HintDeleted, "", answer(404, ""), nothing, "", ""},
		"delete confirmed, but still there":           {known(pending), queue.HintDeleted, "", answer(200, pending), stale, "", ""},
		"delete confirmed, never seen, still there":   {nil, queue.HintDeleted, "", answer(200, pending), stale, "", ""},
		"delete confirmed, but changed":               {known(pending), queue.HintDeleted, "", answer(200, `{"v":6}`), moved, event.OpChange, event.FreshnessVersion},
		"deleted, and created again as it was":        {known(pending), queue.HintDeleted | queue.HintCreated, "", answer(200, pending), early, "", ""},
		"not changed, and proven fresh":               {known(pending), queue.HintUpdated, "5", answer(200, pending), nothing, "", ""},
		"not changed by an update of unknown end":     {known(pending), queue.HintMayBeUpdated, "", answer(200, pending), nothing, "", ""},
		"looked at, not changed":                      {known(pending), queue.HintLooked, "", answer(200, pending), nothing, "", ""},
		"looked at, changed":                          {known(pending), queue.HintLooked, "", answer(200, `{"v":6}`), moved, event.OpChange, event.FreshnessVersion},
		"looked at, never seen":                       {nil, queue.HintLooked, "", answer(200, pending), knownFinding, "", ""},
		"listed, never seen":                          {nil, queue.HintLooked | queue.HintKnown, "", answer(200, pending), knownFinding, "", ""},
		"listed before it was read, and listed again": {nil, queue.HintLooked | queue.HintKnown | queue.HintMayBeCreated, "", answer(200, pending), knownFinding, "", ""},
		"listed anew":                                 {nil, queue.HintLooked | queue.HintMayBeCreated, "", answer(200, pending), moved, event.OpCreate, event.FreshnessUnproven},
		"listed, and updated":                         {nil, queue.HintLooked | queue.HintKnown | queue.HintUpdated, "", answer(200, pending), moved, event.OpChange, event.FreshnessUnproven},
		"looked at, and updated":                      {nil, queue.HintLooked | queue.HintUpdated, "", answer(200, pending), moved, event.OpChange, event.FreshnessUnproven},
		"looked at, and maybe updated":                {nil, queue.HintLooked | queue.HintMayBeUpdated, "", answer(200, pending), moved, event.OpChange, event.FreshnessUnproven},
		"unconfirmed, never seen":                     {nil, queue.HintMayBeUpdated | queue.HintUnconfirmed, "", answer(200, mine), knownFinding, "", ""},
		"an unconfirmed create, never seen":           {nil, queue.HintMayBeCreated | queue.HintUnconfirmed, "", answer(200, mine), knownFinding, "", ""},
		"unconfirmed, and older than the exchange":    {nil, queue.HintMayBeUpdated | queue.HintUnconfirmed, "", answer(200, `{"id":"42","v":"2026-01-02T03:04:04Z"}`), knownFinding, "", ""},
		"unconfirmed, and not of this time":           {nil, queue.HintMayBeUpdated | queue.HintUnconfirmed, "", answer(200, `{"id":42,"v":"2027-01-02T03:04:04Z"}`), knownFinding, "", ""},
		"unconfirmed, and made since":                 {nil, queue.HintMayBeUpdated | queue.HintUnconfirmed, "", answer(200, `{"v":"2026-01-02T03:04:05Z"}`), moved, event.OpChange, event.FreshnessUnproven},
		"unconfirmed, made since, in milliseconds":    {nil, queue.HintMayBeCreated | queue.HintUnconfirmed, "", answer(200, `{"v":1767323045100}`), moved, event.OpCreate, event.FreshnessUnproven},
		"unconfirmed, then confirmed":                 {nil, queue.HintMayBeUpdated | queue.HintUnconfirmed | queue.HintUpdated, "", answer(200, pending), moved, event.OpChange, event.FreshnessUnproven},
		"unconfirmed, and changed":                    {known(pending), queue.HintMayBeUpdated | queue.HintUnconfirmed, "", answer(200, `{"v":6}`), moved, event.OpChange, event.FreshnessVersion},
		"unconfirmed, of another object":              {nil, queue.HintMayBeUpdated | queue.HintUnconfirmed, "", answer(200, `{"id":"43"}`), foreign, "", ""},
		"unconfirmed, of an object without an id":     {nil, queue.HintMayBeUpdated | queue.HintUnconfirmed, "", answer(200, pending), foreign, "", ""},
		"confirmed, of another object":                {nil, queue.HintUpdated, "", answer(200, `{"id":"43"}`), moved, event.OpChange, event.FreshnessUnproven},
		"after an unconfirmed first sight, confirmed": {uncertain(pending), queue.HintUpdated, "5", answer(200, pending), moved, event.OpChange, event.FreshnessVersion},
		"after an unconfirmed first sight, a query's": {uncertain(pending), queue.HintMayBeUpdated, "", answer(200, pending), moved, event.OpChange, event.FreshnessVersion},
		"after an unconfirmed first sight, another":   {uncertain(pending), queue.HintMayBeUpdated | queue.HintUnconfirmed, "", answer(200, pending), nothing, "", ""},
		"after an unconfirmed first sight, looked at": {uncertain(pending), queue.HintLooked, "", answer(200, pending), nothing, "", ""},
		"looked at, and gone":                         {known(pending), queue.HintLooked, "", answer(404, ""), nothing, "", ""},
		"there again, looked at":                      {gone, queue.HintLooked, "", answer(200, pending), moved, event.OpCreate, event.FreshnessVersion},
		"not in a complete list, and gone":            {known(pending), queue.HintMayBeDeleted, "", answer(404, ""), moved, event.OpDelete, event.FreshnessUnproven},
		"not in a complete list, and there":           {known(pending), queue.HintMayBeDeleted, "", answer(200, pending), nothing, "", ""},
		"404 without a delete":                        {known(pending), queue.HintUpdated, "", answer(404, ""), missing, "", ""},
		"404 just after a create":                     {nil, queue.HintCreated, "", answer(404, ""), missing, "", ""},
		"404 just after a create of a deleted one":    {gone, queue.HintCreated, "", answer(404, ""), missing, "", ""},
		"create of unknown end, and nothing there":    {nil, queue.HintMayBeCreated, "", answer(404, ""), nothing, "", ""},
		"update of unknown end, and nothing there":    {nil, 0, "", answer(404, ""), nothing, "", ""},
		"500":                         {known(pending), queue.HintDeleted, "", answer(500, "{}"), unusable, "", ""},
		"403":                         {known(pending), queue.HintDeleted, "", answer(403, "{}"), unusable, "", ""},
		"redirect":                    {known(pending), queue.HintUpdated, "", answer(302, ""), missing, "", ""},
		"200 without a body":          {known(pending), queue.HintUpdated, "", answer(200, ""), unusable, "", ""},
		"a Show that is not JSON":     {nil, queue.HintCreated, "", answer(200, "<a/>"), moved, event.OpCreate, event.FreshnessUnproven},
		"versions not comparable":     {known(pending), queue.HintUpdated, "x", answer(200, `{"v":6}`), moved, event.OpChange, event.FreshnessVersion},
		"versions never comparable":   {known(`{"v":"x"}`), queue.HintUpdated, "", answer(200, `{"v":"y"}`), moved, event.OpChange, event.FreshnessUnproven},
		"a version of a deleted life": {gone, queue.HintCreated, "", answer(200, `{"v":1}`), stale, "", ""},
	} {
		lease := queue.MarkLease{
			Mark:     queue.Mark{Key: testKey, Hints: tc.hints, Version: tc.version, Cause: event.Cause{At: testTime}},
			Snapshot: tc.snapshot, MarkedAt: testTime,
		}
		d := r.decide(hasher, lease, tc.answer, testTime)
		if kept := d.finding == knownFinding && tc.hints.AreUnconfirmed(); kept != d.next.Uncertain || kept && !d.uncertain {
			t.Errorf("%s: uncertain is %v, and %v in the snapshot", name, d.uncertain, d.next.Uncertain)
		}
		if d.finding != tc.finding {
			t.Errorf("%s: finding %d, want %d (%s)", name, d.finding, tc.finding, d.reason)
			continue
		}
		if d.finding == moved && (d.op != tc.op || d.freshness != tc.freshness) {
			t.Errorf("%s: op %s, freshness %s; want %s, %s", name, d.op, d.freshness, tc.op, tc.freshness)
		}
		if d.finding >= stale && d.reason == "" {
			t.Errorf("%s: no reason is given", name)
		}
	}
}

// An answer that may come from a lagging replica is retried; once no replica
// can lag any more, it is accepted.
func TestLaggingAnswers(t *testing.T) {
	r := testResource(t)
	r.Lag = 10 * time.Second
	hasher := event.NewHasher([32]byte{1})
	seen := &event.Snapshot{Key: testKey, Version: "5", Time: testTime, ChangedAt: testTime}
	gone := &event.Snapshot{Key: testKey, Version: "5", Gone: true, Time: testTime}
	for name, tc := range map[string]struct {
		snapshot *event.Snapshot
		hints    queue.Hints
		answer   show.Show
		first    finding
		after    time.Duration
		then     finding
		op       event.Op
	}{
		"deleted, never seen":                 {nil, queue.HintDeleted, answer(404, ""), early, 10 * time.Second, unproved, ""},
		"updated and deleted, never seen":     {nil, queue.HintUpdated | queue.HintDeleted, answer(404, ""), early, 10 * time.Second, unproved, ""},
		"deleted with proof, never seen":      {nil, queue.HintDeleted | queue.HintExisted, answer(404, ""), early, 10 * time.Second, moved, event.OpDelete},
		"created and deleted, never seen":     {nil, queue.HintCreated | queue.HintDeleted, answer(404, ""), early, 10 * time.Second, moved, event.OpDelete},
		"created, delete of unknown end":      {nil, queue.HintCreated | queue.HintMayBeDeleted, answer(404, ""), early, 10 * time.Second, moved, event.OpDelete},
		"updated, delete of unknown end":      {nil, queue.HintUpdated | queue.HintMayBeDeleted, answer(404, ""), early, 10 * time.Second, unproved, ""},
		"deleted just after it was seen":      {seen, queue.HintDeleted, answer(404, ""), early, 10 * time.Second, moved, event.OpDelete},
		"unknown delete just after":           {seen, queue.HintMayBeDeleted, answer(404, ""), early, 10 * time.Second, moved, event.OpDelete},
		"gone, and shown as it was":           {gone, queue.HintUpdated, answer(200, `{"v":5}`), stale, lagFor, moved, event.OpCreate},
		"gone, and created with that version": {gone, queue.HintCreated, answer(200, `{"v":1}`), stale, 10 * time.Second, moved, event.OpCreate},
		"gone, and updated, and not there":    {gone, queue.HintUpdated, answer(404, ""), missing, lagFor, nothing, ""},
		"gone, and created, and not there":    {gone, queue.HintCreated, answer(404, ""), missing, lagFor, nothing, ""},
		"there, and updated, and not there":   {seen, queue.HintUpdated, answer(404, ""), missing, lagFor, missing, ""},
		"never seen, updated, and not there":  {nil, queue.HintUpdated, answer(404, ""), missing, lagFor, missing, ""},
		"gone, and created anew":              {gone, queue.HintCreated, answer(200, `{"v":6}`), moved, 0, moved, event.OpCreate},
	} {
		lease := queue.MarkLease{Mark: queue.Mark{Key: testKey, Hints: tc.hints}, Snapshot: tc.snapshot, MarkedAt: testTime}
		if d := r.decide(hasher, lease, tc.answer, testTime.Add(time.Millisecond)); d.finding != tc.first {
			t.Errorf("%s: finding %d at first, want %d", name, d.finding, tc.first)
		}
		if d := r.decide(hasher, lease, tc.answer, testTime.Add(tc.after)); d.finding != tc.then || d.op != tc.op {
			t.Errorf("%s: finding %d, %s then, want %d, %s", name, d.finding, d.op, tc.then, tc.op)
		}
	}
}

func TestTransition(t *testing.T) {
	r := testResource(t)
	hasher := event.NewHasher([32]byte{1})
	snapshot := &event.Snapshot{
		Key: testKey, Sequence: 3, Hash: []byte("x"), Version: "1",
		Watched: event.Fields{"state": json.RawMessage(`"pending"`)},
	}
	lease := queue.MarkLease{Mark: queue.Mark{Key: testKey, Hints: queue.HintUpdated}, Snapshot: snapshot}
	body := `{ "v": 2, "state": "paid" }`
	d := r.decide(hasher, lease, answer(200, body), testTime)
	got, conditions, err := r.transition([16]byte{1}, lease, d, answer(200, body), testTime)
	if conditions != nil || err != nil {
		t.Fatal(conditions, err)
	}
	if len(got.Events) != 2 || got.Snapshot.Sequence != 5 || got.Snapshot.Version != "2" {
		t.Fatalf("events %+v, snapshot %+v", got.Events, got.Snapshot)
	}
	for i, want := range []string{"items.updated", "items.paid"} {
		e := got.Events[i]
		if e.Type != want || e.Sequence != uint64(4+i) || string(e.Payload) != body || e.ContentType != "application/json" ||
			string(e.Previous["state"]) != `"pending"` || len(e.Endpoints) != 1 {
			t.Errorf("event %d: %+v", i, e)
		}
	}
	if got.Events[0].ID == got.Events[1].ID {
		t.Error("two events have one id")
	}

	lease.Hints = queue.HintDeleted
	d = r.decide(hasher, lease, answer(404, "not found"), testTime)
	got, _, err = r.transition([16]byte{1}, lease, d, answer(404, "not found"), testTime)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"resource":"items","id":"42","deleted":true,"previous":{"state":"pending"}}`
	if len(got.Events) != 1 || string(got.Events[0].Payload) != want || !got.Snapshot.Gone || got.Snapshot.Sequence != 4 {
		t.Errorf("delete: %s, %+v", got.Events[0].Payload, got.Snapshot)
	}
}

func TestBackoff(t *testing.T) {
	last := time.Duration(0)
	for tries := range 40 {
		low, high := backoff(tries, 0), backoff(tries, 1)
		if low < 0 || high > lastRetry*12/10 || low > high {
			t.Errorf("backoff(%d) is between %s and %s", tries, low, high)
		}
		if low < last {
			t.Errorf("backoff(%d) = %s is shorter than before (%s)", tries, low, last)
		}
		last = low
	}
	if backoff(0, .5) != firstRetry || backoff(1000000, .5) != lastRetry || backoff(-1, .5) != firstRetry {
		t.Error("the limits are not kept")
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "x": 0, "999999999": maxRetryAfter,
		testTime.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		testTime.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, testTime); got != want {
			t.Errorf("retryAfter(%q) = %s, want %s", value, got, want)
		}
	}
}

// What a list or a client had an object looked at shows nothing of what was told of it: a
// change that began before may be in the snapshot already, however many others were
// merged with it.
func TestSeenMeanwhile(t *testing.T) {
	r := testResource(t)
	hasher := event.NewHasher([32]byte{1})
	at := func(second int) time.Time { return testTime.Add(time.Duration(second) * time.Second) }
	const before, after = `{"id":"42","state":"a"}`, `{"id":"42","state":"b"}`
	for name, tc := range map[string]struct {
		hints       queue.Hints
		began, last int // seconds; the object was seen at second 10
		told        bool
		show        string
		finding     finding
		op          event.Op
	}{
		"created":                                {queue.HintCreated, 9, 9, false, before, moved, event.OpCreate},
		"created, and updated":                   {queue.HintCreated | queue.HintUpdated, 9, 11, false, after, moved, event.OpCreate},
		"created, and updated to the same":       {queue.HintCreated | queue.HintUpdated, 9, 11, false, before, moved, event.OpCreate},
		"created, and refused to be updated":     {queue.HintCreated | queue.HintMayBeUpdated, 9, 11, false, after, moved, event.OpCreate},
		"seen before it was created, so deleted": {queue.HintCreated, 11, 11, false, after, moved, event.OpChange},
		"created, deleted, and created":          {queue.HintCreated | queue.HintDeleted, 9, 11, false, after, moved, event.OpChange},
		"created, and told of":                   {queue.HintCreated | queue.HintUpdated, 9, 11, true, after, moved, event.OpChange},
		"updated":                                {queue.HintUpdated, 9, 9, false, before, moved, event.OpChange},
		"updated, and another began":             {queue.HintUpdated | queue.HintMayBeUpdated, 9, 11, false, before, moved, event.OpChange},
		"updated afterwards":                     {queue.HintUpdated, 11, 11, false, before, nothing, ""},
	} {
		last := r.decide(hasher, queue.MarkLease{Mark: queue.Mark{Key: testKey}}, answer(200, before), at(10)).next
		last.Time = at(10)
		if tc.told {
			last.ChangedAt = at(10)
		}
		lease := queue.MarkLease{
			Mark:     queue.Mark{Key: testKey, Hints: tc.hints, Cause: event.Cause{At: at(tc.last)}},
			Snapshot: &last, MarkedAt: at(tc.last), Began: at(tc.began),
		}
		d := r.decide(hasher, lease, answer(200, tc.show), at(30))
		if d.finding != tc.finding || d.finding == moved && d.op != tc.op {
			t.Errorf("%s: finding %d, op %s; want %d, %s", name, d.finding, d.op, tc.finding, tc.op)
		}
		// A replica that lags may have shown both times what was before.
		slow := *r
		slow.Lag = time.Minute
		lease.SettleAt = lease.MarkedAt.Add(slow.Lag)
		d = slow.decide(hasher, lease, answer(200, tc.show), at(30))
		if wait := lease.SettleAt.Sub(at(30)); (d.finding == early && d.again == wait) != (tc.show == before && tc.op == event.OpChange) {
			t.Errorf("%s, within the lag: finding %d, again in %v", name, d.finding, d.again)
		}
		if d = slow.decide(hasher, lease, answer(200, tc.show), lease.SettleAt); d.finding != tc.finding {
			t.Errorf("%s, after the lag: finding %d, want %d", name, d.finding, tc.finding)
		}
	}
}

// An object that nobody has seen, and of which only clients say that it may have changed,
// is told if its Show was made since the first of their requests began: the last one may
// have been refused, and is not what made it.
func TestMadeSinceTheFirst(t *testing.T) {
	r := testResource(t)
	at := func(second int) time.Time { return testTime.Add(time.Duration(second) * time.Second) }
	for name, tc := range map[string]struct {
		began, last, made int // seconds; 0 for unknown
		want              finding
	}{
		"the only one":              {10, 10, 11, moved},
		"the first":                 {10, 20, 11, moved},
		"the last":                  {10, 20, 21, moved},
		"before the first":          {10, 20, 5, known},
		"of a mark from before":     {0, 20, 11, known},
		"made later than now, much": {10, 20, 200, known},
	} {
		lease := queue.MarkLease{Mark: queue.Mark{Key: testKey, Hints: queue.HintMayBeUpdated | queue.HintUnconfirmed, Cause: event.Cause{At: at(tc.last)}}, MarkedAt: at(30)}
		if tc.began > 0 {
			lease.Began = at(tc.began)
		}
		show := answer(200, fmt.Sprintf(`{"id":"42","v":%q}`, at(tc.made).Format(time.RFC3339)))
		if d := r.decide(event.NewHasher([32]byte{1}), lease, show, at(40)); d.finding != tc.want {
			t.Errorf("%s: finding %d, want %d", name, d.finding, tc.want)
		}
	}
}
