// SPDX-License-Identifier: Apache-2.0

package badger

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/mark"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

var (
	at    = time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	key   = event.Key{Resource: "items", ID: "42"}
	cause = event.Cause{
		Rule: "PATCH /items/:id", Outcome: event.OutcomeChanged, At: at,
		Method: "PATCH", Path: "/items/42", Resource: "carts", TraceParent: "00-a-b-01", Hops: "c:1",
	}
	fields = map[string]json.RawMessage{"state": json.RawMessage(`"new"`), "gone": nil}
)

func noted(id queue.IntentID) queue.Intent {
	return queue.Intent{
		ID: id, Resource: "items", Kind: event.KindUpdate, Rule: "PATCH /items/:id", Key: key, Noted: at, Deadline: at.Add(time.Minute),
		Callback: []byte("sealed"), Touches: []event.Key{{Resource: "users", ID: "u1"}}, Hops: "c:1",
	}
}

// kinds has a record of each kind, its encoding, and its decoder. Queues on
// disk contain these bytes: other bytes need another version, and the old ones
// stay readable.
var kinds = []struct {
	name   string
	golden string
	record any
	encode func() []byte
	decode func(b []byte) (any, error)
}{
	{
		name:   "intent",
		golden: "040201056974656d7306757064617465105041544348202f6974656d732f3a6964056974656d73023432bfe9e689ee0108fbe9e689ee0108067365616c65640105757365727302753103633a3100056974656d730663726561746500000000000000000000",
		record: []queue.Intent{noted(8), {ID: 7, Resource: "items", Kind: event.KindCreate}},
		encode: func() []byte {
			one := noted(8)
			return record.AppendIntents(nil, 7, []*openIntent{
				{id: 8, fields: record.AppendIntent(nil, &one)},
				{id: 7, fields: record.AppendIntent(nil, &queue.Intent{Resource: "items", Kind: event.KindCreate})},
			})
		},
		decode: func(b []byte) (any, error) { return record.ParseIntents(7, b) },
	},
	{
		name:   "unresolved",
		golden: "03056974656d730663726561746500000000000000000000056e6f206964bfe9e689ee0108",
		record: queue.Unresolved{Intent: queue.Intent{ID: 7, Resource: "items", Kind: event.KindCreate}, Reason: "no id", At: at},
		encode: func() []byte {
			return appendUnresolved(nil, &queue.Unresolved{Intent: queue.Intent{Resource: "items", Kind: event.KindCreate}, Reason: "no id", At: at})
		},
		decode: func(b []byte) (any, error) { return parseUnresolved(7, b) },
	},
	{
		name:   "mark",
		golden: "0405027631105041544348202f6974656d732f3a6964076368616e676564bfe9e689ee0108055041544348092f6974656d732f34320563617274730930302d612d622d303103633a31cf85e789ee0108ac0207ac0202bfe9e689ee0108fbe9e689ee010803353032ab02aa0283e9e689ee0108",
		record: markExample,
		encode: func() []byte { return appendMark(nil, &markExample) },
		decode: func(b []byte) (any, error) { return parseMark(key, b) },
	},
	{
		name:   "snapshot",
		golden: "020901030102030276310304676f6e650005737461746505226e657722bfe9e689ee010883e9e689ee01080461636d65106170706c69636174696f6e2f6a736f6e02343300097b226964223a34327d",
		record: snapshotExample,
		encode: func() []byte { return appendSnapshot(nil, &snapshotExample) },
		decode: func(b []byte) (any, error) { return parseSnapshot(key, b) },
	},
	{
		name:   "snapshot of what is being deleted",
		golden: "020908000000bfe9e689ee0108000000000000027b7d83e9e689ee0108",
		record: deletingExample,
		encode: func() []byte { return appendSnapshot(nil, &deletingExample) },
		decode: func(b []byte) (any, error) { return parseSnapshot(key, b) },
	},
	{
		name:   "snapshot of which something is hidden",
		golden: "030918000000bfe9e689ee0108000000000000027b7d83e9e689ee010803016964",
		record: hiddenExample,
		encode: func() []byte { return appendSnapshot(nil, &hiddenExample) },
		decode: func(b []byte) (any, error) { return parseSnapshot(key, b) },
	},
	{
		name:   "floor",
		golden: "01ac02",
		record: uint64(300),
		encode: func() []byte { return appendFloor(nil, 300) },
		decode: func(b []byte) (any, error) { return parseFloor(b) },
	},
	{
		name:   "snapshot in parts",
		golden: "020000000000000000000000000301",
		record: snapshotRecord{Snapshot: event.Snapshot{Key: key}, Parts: 3, Slot: 1},
		encode: func() []byte {
			return appendSnapshot(nil, &snapshotRecord{Snapshot: event.Snapshot{Key: key}, Parts: 3, Slot: 1})
		},
		decode: func(b []byte) (any, error) { return parseSnapshot(key, b) },
	},
	{
		name:   "snapshot with all flags but one",
		golden: "020006000000000000000000000301",
		record: snapshotRecord{Snapshot: event.Snapshot{Key: key, Uncertain: true, Structured: true}, Parts: 3, Slot: 1},
		encode: func() []byte {
			return appendSnapshot(nil, &snapshotRecord{Snapshot: event.Snapshot{Key: key, Uncertain: true, Structured: true}, Parts: 3, Slot: 1})
		},
		decode: func(b []byte) (any, error) { return parseSnapshot(key, b) },
	},
	{
		name:   "event",
		golden: "030265310d6974656d732e75706461746564056974656d7302343209066368616e6765bfe9e689ee01080276310776657273696f6e105041544348202f6974656d732f3a6964076368616e676564bfe9e689ee0108055041544348092f6974656d732f34320563617274730930302d612d622d303103633a310304676f6e650005737461746505226e657722106170706c69636174696f6e2f6a736f6e0461636d6508756d6272656c6c61096f70657261746f727300087b226964223a347dbfe9e689ee010802036572700473686f770363726d00007b226964223a34327d",
		record: eventExample,
		encode: func() []byte { return appendEvent(nil, &eventExample) },
		decode: func(b []byte) (any, error) { return parseEvent(b) },
	},
	{
		name:   "event that tells what changed",
		golden: "040265310d6974656d732e75706461746564056974656d73023432090000000000000000000000000000000000000000087b226964223a347dbfe9e689ee0108ac020a0300032f696401036572700473686f77007b226964223a34327d",
		record: changedExample,
		encode: func() []byte { return appendEvent(nil, &changedExample) },
		decode: func(b []byte) (any, error) { return parseEvent(b) },
	},
	{
		name:   "event of which nothing may be told",
		golden: "0401650000000000000000000000000000000000000000000000000000000003010000",
		record: eventRecord{Event: event.Event{ID: "e", Changed: event.Pointers{}, State: 3}},
		encode: func() []byte {
			return appendEvent(nil, &eventRecord{Event: event.Event{ID: "e", Changed: event.Pointers{}, State: 3}})
		},
		decode: func(b []byte) (any, error) { return parseEvent(b) },
	},
	{
		name:   "event in parts",
		golden: "030165000000000000000000000000000000000000000000000004050000000302",
		record: partsExample,
		encode: func() []byte { return appendEvent(nil, &partsExample) },
		decode: func(b []byte) (any, error) { return parseEvent(b) },
	},
	{
		name:   "delivery",
		golden: "030265310d6974656d732e75706461746564056974656d73023432090964656c69766572656402bfe9e689ee0108fbe9e689ee01080100",
		record: deliveryExample,
		encode: func() []byte { return appendDelivery(nil, &deliveryExample, nil) },
		decode: func(b []byte) (any, error) { return parseDelivery("erp", b) },
	},
	{
		name:   "delivery with its attempt",
		golden: "040265310d6974656d732e75706461746564056974656d73023432090964656c69766572656401bfe9e689ee0108fbe9e689ee01080035c0e9e689ee01088094ebdc03ab02036f6464067468616e6b730b6572702e6578616d706c65ac020102ab120930302d612d622d3031",
		record: decidedExample,
		encode: func() []byte {
			return appendDelivery(nil, &decidedExample.Delivery, appendAttemptFields(nil, &decidedExample.first))
		},
		decode: parseDecided,
	},
	{
		name:   "lane",
		golden: "0202653103bfe9e689ee010802",
		record: laneRecord{EventID: "e1", Attempts: 3, DueAt: at, Prior: 2},
		encode: func() []byte { return appendLane(nil, &laneRecord{EventID: "e1", Attempts: 3, DueAt: at, Prior: 2}) },
		decode: func(b []byte) (any, error) { return parseLane(b) },
	},
	{
		name:   "hastened lane",
		golden: "0302653103bfe9e689ee01080201fbe9e689ee0108",
		record: laneRecord{EventID: "e1", Attempts: 3, DueAt: at, Prior: 2, Extra: 1, From: at.Add(time.Minute)},
		encode: func() []byte {
			return appendLane(nil, &laneRecord{EventID: "e1", Attempts: 3, DueAt: at, Prior: 2, Extra: 1, From: at.Add(time.Minute)})
		},
		decode: func(b []byte) (any, error) { return parseLane(b) },
	},
	{
		name:   "attempt",
		golden: "02026531bfe9e689ee01088094ebdc03f7030b756e617661696c61626c65056c617465720b6572702e6578616d706c65ac020102ab120930302d612d622d3031",
		record: attemptExample,
		encode: func() []byte { return appendAttempt(nil, "e1", appendAttemptFields(nil, &attemptExample)) },
		decode: func(b []byte) (any, error) { return parseAttemptRecord("erp", 2, b) },
	},
	{
		name:   "endpoint state",
		golden: "010864697361626c656403343130bfe9e689ee0108afcde689ee010807",
		record: stateExample,
		encode: func() []byte { return appendEndpointState(nil, &stateExample) },
		decode: func(b []byte) (any, error) { return parseEndpointState("erp", b) },
	},
	{
		name:   "record",
		golden: "010461636d65bfe9e689ee0108067365616c6564ac02",
		record: recordExample,
		encode: func() []byte { return appendRecord(nil, &recordExample) },
		decode: func(b []byte) (any, error) { return parseRecord("endpoint", "ep_1", b) },
	},
	{
		name:   "record that is empty",
		golden: "010000000001",
		record: queue.Record{Kind: "endpoint", ID: "ep_1", Value: []byte{}, Version: 1},
		encode: func() []byte { return appendRecord(nil, &queue.Record{Value: []byte{}, Version: 1}) },
		decode: func(b []byte) (any, error) { return parseRecord("endpoint", "ep_1", b) },
	},
	{
		name:   "epoch",
		golden: "01ac02",
		record: uint64(300),
		encode: func() []byte { return appendEpoch(nil, 300) },
		decode: func(b []byte) (any, error) { return parseEpoch(b) },
	},
	{
		name:   "callback",
		golden: "0101067365616c6564",
		record: queue.Callback{Sealed: []byte("sealed"), Closed: true},
		encode: func() []byte { return appendCallback(nil, &queue.Callback{Sealed: []byte("sealed"), Closed: true}) },
		decode: func(b []byte) (any, error) { return parseCallback(b) },
	},
	{
		name:   "meta",
		golden: "01011001020000000000000000000000000000200304000000000000000000000000000000000000000000000000000000000000",
		record: metaExample,
		encode: func() []byte { return appendMeta(nil, &metaExample) },
		decode: func(b []byte) (any, error) { return parseMeta(b) },
	},
}

var (
	recordExample = queue.Record{Kind: "endpoint", ID: "ep_1", Owner: "acme", Version: 300, Expires: at, Value: []byte("sealed")}

	markExample = mark.Record{
		Mark:       queue.Mark{Key: key, Hints: queue.HintCreated | queue.HintMayBeDeleted, Version: "v1", Cause: cause, SettleAt: at.Add(time.Hour)},
		Generation: 300,
		Hinted:     [mark.HintBits]uint64{0: 7, 2: 300},
		Asked:      299,
		Confirmed:  298,
		Tries:      2,
		MarkedAt:   at,
		DueAt:      at.Add(time.Minute),
		LastError:  "502",
		Began:      at.Add(-time.Minute),
	}
	snapshotExample = snapshotRecord{Snapshot: event.Snapshot{
		Key: key, Sequence: 9, Gone: true, Hash: []byte{1, 2, 3}, Version: "v1", Watched: fields, Time: at,
		ChangedAt: at.Add(-time.Minute), Tenant: "acme", Show: []byte(`{"id":42}`), ContentType: "application/json", Alias: "43",
	}}
	deletingExample = snapshotRecord{Snapshot: event.Snapshot{
		Key: key, Sequence: 9, Time: at, Show: []byte(`{}`), Deleting: at.Add(-time.Minute),
	}}
	eventExample = eventRecord{
		Event: event.Event{
			ID: "e1", Type: "items.updated", Key: key, Sequence: 9, Op: event.OpChange, Time: at, Version: "v1",
			Freshness: event.FreshnessVersion, Cause: cause, Previous: fields, ContentType: "application/json", Payload: []byte(`{"id":42}`),
			Tenant: "acme", PreviousTenant: "umbrella", Audience: event.AudienceOperators, PreviousShow: []byte(`{"id":4}`),
		},
		CreatedAt: at,
		Endpoints: []string{"erp", "crm"},
		Formats:   []string{"show", ""},
	}
	changedExample = eventRecord{
		Event: event.Event{
			ID: "e1", Type: "items.updated", Key: key, Sequence: 9, Payload: []byte(`{"id":42}`), PreviousShow: []byte(`{"id":4}`),
			Changed: event.Pointers{"", "/id"}, Base: 300, State: 10,
		},
		CreatedAt: at, Endpoints: []string{"erp"}, Formats: []string{"show"},
	}
	hiddenExample = snapshotRecord{Snapshot: event.Snapshot{
		Key: key, Sequence: 9, Time: at, Show: []byte(`{}`), Deleting: at.Add(-time.Minute), Hidden: "\x01id", Told: true,
	}}
	partsExample    = eventRecord{Event: event.Event{ID: "e"}, Parts: 3, Back: 2, PreviousParts: 4, PreviousAt: 5}
	deliveryExample = queue.Delivery{
		EventID: "e1", EventType: "items.updated", Key: key, Sequence: 9, Endpoint: "erp", Status: queue.StatusDelivered,
		Attempts: 2, PriorAttempts: 1, CreatedAt: at, FinishedAt: at.Add(time.Minute),
	}
	sentExample    = queue.Sent{Host: "erp.example", Settings: 300, Keys: []string{"ab12"}, Trace: "00-a-b-01"}
	attemptExample = queue.Attempt{
		EventID: "e1", Endpoint: "erp", Number: 2, At: at, Duration: time.Second, Code: 503, Error: "unavailable", Response: []byte("later"),
		Sent: sentExample,
	}
	decidedExample = decided{
		Delivery: queue.Delivery{
			EventID: "e1", EventType: "items.updated", Key: key, Sequence: 9, Endpoint: "erp", Status: queue.StatusDelivered,
			Attempts: 1, CreatedAt: at, FinishedAt: at.Add(time.Minute),
		},
		first: queue.Attempt{
			EventID: "e1", Endpoint: "erp", Number: 1, At: at.Add(time.Second), Duration: time.Second, Code: 299, Error: "odd", Response: []byte("thanks"),
			Sent: sentExample,
		},
		held: true,
	}
	stateExample = queue.EndpointState{
		Name: "erp", Status: queue.EndpointDisabled, Reason: "410", Since: at, FailingSince: at.Add(-time.Hour), Failures: 7,
	}
	metaExample = metaRecord{Format: 1, Instance: queue.Instance{ID: [16]byte{1, 2}, HashKey: [32]byte{3, 4}}}
)

// decided is all that a delivery's record holds.
type decided struct {
	queue.Delivery
	first queue.Attempt
	held  bool
}

func parseDecided(b []byte) (any, error) {
	d, err := parseDelivery("erp", b)
	if err != nil {
		return nil, err
	}
	first, held, err := parseFirst("erp", b)
	return decided{d, first, held}, err
}

// appendEndpointState encodes a state as earlier versions have.
func appendEndpointState(b []byte, s *queue.EndpointState) []byte {
	b = append(b, endpointStateVersion)
	b = record.AppendText(b, s.Status)
	b = record.AppendText(b, s.Reason)
	b = record.AppendTime(b, s.Since)
	b = record.AppendTime(b, s.FailingSince)
	return binary.AppendUvarint(b, uint64(s.Failures))
}

func TestGoldenRecords(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			if got := hex.EncodeToString(kind.encode()); got != kind.golden {
				t.Errorf("encoded as\n%s, want\n%s", got, kind.golden)
			}
			golden, err := hex.DecodeString(kind.golden)
			if err != nil {
				t.Fatal(err)
			}
			got, err := kind.decode(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, kind.record) {
				t.Errorf("decoded as %+v, want %+v", got, kind.record)
			}
		})
	}
}

// firstKinds are records of earlier versions, and what they hold.
var firstKinds = []struct {
	name   string
	golden string
	record any
	decode func(b []byte) (any, error)
}{
	{
		name:   "intent",
		golden: "01056974656d7306757064617465105041544348202f6974656d732f3a6964056974656d73023432bfe9e689ee0108fbe9e689ee0108",
		record: []queue.Intent{{ID: 7, Resource: "items", Kind: event.KindUpdate, Rule: "PATCH /items/:id", Key: key, Noted: at, Deadline: at.Add(time.Minute)}},
		decode: func(b []byte) (any, error) { return record.ParseIntents(7, b) },
	},
	{
		name:   "intent, second version",
		golden: "02056974656d7306757064617465105041544348202f6974656d732f3a6964056974656d73023432bfe9e689ee0108fbe9e689ee0108067365616c656401057573657273027531",
		record: []queue.Intent{{
			ID: 7, Resource: "items", Kind: event.KindUpdate, Rule: "PATCH /items/:id", Key: key, Noted: at, Deadline: at.Add(time.Minute),
			Callback: []byte("sealed"), Touches: []event.Key{{Resource: "users", ID: "u1"}},
		}},
		decode: func(b []byte) (any, error) { return record.ParseIntents(7, b) },
	},
	{
		name:   "intent, third version",
		golden: "03056974656d7306757064617465105041544348202f6974656d732f3a6964056974656d73023432bfe9e689ee0108fbe9e689ee0108067365616c65640105757365727302753103633a31",
		record: []queue.Intent{noted(7)},
		decode: func(b []byte) (any, error) { return record.ParseIntents(7, b) },
	},
	{
		name:   "unresolved, second version",
		golden: "02056974656d7306637265617465000000000000000000056e6f206964bfe9e689ee0108",
		record: queue.Unresolved{Intent: queue.Intent{ID: 7, Resource: "items", Kind: event.KindCreate}, Reason: "no id", At: at},
		decode: func(b []byte) (any, error) { return parseUnresolved(7, b) },
	},
	{
		name:   "unresolved",
		golden: "01056974656d730663726561746500000000000000056e6f206964bfe9e689ee0108",
		record: queue.Unresolved{Intent: queue.Intent{ID: 7, Resource: "items", Kind: event.KindCreate}, Reason: "no id", At: at},
		decode: func(b []byte) (any, error) { return parseUnresolved(7, b) },
	},
	{
		name:   "mark",
		golden: "0105027631105041544348202f6974656d732f3a6964076368616e676564bfe9e689ee0108cf85e789ee0108ac0207ac0202bfe9e689ee0108fbe9e689ee010803353032",
		record: mark.Record{
			Mark:       queue.Mark{Key: key, Hints: queue.HintCreated | queue.HintMayBeDeleted, Version: "v1", Cause: firstCause, SettleAt: at.Add(time.Hour)},
			Generation: 300,
			Hinted:     [mark.HintBits]uint64{0: 7, 2: 300},
			Tries:      2,
			MarkedAt:   at,
			DueAt:      at.Add(time.Minute),
			LastError:  "502",
			// There were no looks, and nothing unconfirmed.
			Asked:     300,
			Confirmed: 300,
			Began:     firstCause.At,
		},
		decode: func(b []byte) (any, error) { return parseMark(key, b) },
	},
	{
		name:   "mark, third version",
		golden: "0305027631105041544348202f6974656d732f3a6964076368616e676564bfe9e689ee0108055041544348092f6974656d732f34320563617274730930302d612d622d303103633a31cf85e789ee0108ac0207ac0202bfe9e689ee0108fbe9e689ee010803353032ab02aa02",
		record: begunLast(markExample),
		decode: func(b []byte) (any, error) { return parseMark(key, b) },
	},
	{
		name:   "mark, second version",
		golden: "0205027631105041544348202f6974656d732f3a6964076368616e676564bfe9e689ee0108055041544348092f6974656d732f34320563617274730930302d612d622d303103633a31cf85e789ee0108ac0207ac0202bfe9e689ee0108fbe9e689ee010803353032ab02",
		record: confirmedLast(markExample),
		decode: func(b []byte) (any, error) { return parseMark(key, b) },
	},
	{
		name:   "snapshot",
		golden: "010901030102030276310304676f6e650005737461746505226e657722bfe9e689ee0108",
		record: snapshotRecord{Snapshot: event.Snapshot{
			Key: key, Sequence: 9, Gone: true, Hash: []byte{1, 2, 3}, Version: "v1", Watched: fields, Time: at,
		}},
		decode: func(b []byte) (any, error) { return parseSnapshot(key, b) },
	},
	{
		name:   "event",
		golden: "010265310d6974656d732e75706461746564056974656d7302343209066368616e6765bfe9e689ee01080276310776657273696f6e105041544348202f6974656d732f3a6964076368616e676564bfe9e689ee01080304676f6e650005737461746505226e657722106170706c69636174696f6e2f6a736f6ebfe9e689ee010802036572700363726d007b226964223a34327d",
		record: eventRecord{
			Event: event.Event{
				ID: "e1", Type: "items.updated", Key: key, Sequence: 9, Op: event.OpChange, Time: at, Version: "v1",
				Freshness: event.FreshnessVersion, Cause: firstCause, Previous: fields, ContentType: "application/json", Payload: []byte(`{"id":42}`),
				Uncommitted: true,
			},
			CreatedAt: at,
			Endpoints: []string{"erp", "crm"},
			Formats:   []string{"", ""},
		},
		decode: func(b []byte) (any, error) { return parseEvent(b) },
	},
	{
		name:   "event, second version",
		golden: "020265310d6974656d732e75706461746564056974656d7302343209066368616e6765bfe9e689ee01080276310776657273696f6e105041544348202f6974656d732f3a6964076368616e676564bfe9e689ee0108055041544348092f6974656d732f34320563617274730930302d612d622d303103633a310304676f6e650005737461746505226e657722106170706c69636174696f6e2f6a736f6e0461636d6500087b226964223a347dbfe9e689ee010802036572700473686f770363726d00007b226964223a34327d",
		record: secondEvent(eventExample),
		decode: func(b []byte) (any, error) { return parseEvent(b) },
	},
	{
		name:   "event in parts, second version",
		golden: "02016500000000000000000000000000000000000000000004050000000302",
		record: secondEvent(partsExample),
		decode: func(b []byte) (any, error) { return parseEvent(b) },
	},
	{
		name:   "event in parts",
		golden: "0101650000000000000000000000000000000000000302",
		record: eventRecord{Event: event.Event{ID: "e", Uncommitted: true}, Parts: 3, Back: 2},
		decode: func(b []byte) (any, error) { return parseEvent(b) },
	},
	{
		name:   "delivery",
		golden: "010265310d6974656d732e75706461746564056974656d73023432090964656c69766572656402bfe9e689ee0108fbe9e689ee0108",
		record: queue.Delivery{
			EventID: "e1", EventType: "items.updated", Key: key, Sequence: 9, Endpoint: "erp", Status: queue.StatusDelivered,
			Attempts: 2, CreatedAt: at, FinishedAt: at.Add(time.Minute),
		},
		decode: func(b []byte) (any, error) { return parseDelivery("erp", b) },
	},
	{
		name:   "delivery, second version",
		golden: "020265310d6974656d732e75706461746564056974656d73023432090964656c69766572656402bfe9e689ee0108fbe9e689ee010801",
		record: deliveryExample,
		decode: func(b []byte) (any, error) { return parseDelivery("erp", b) },
	},
	{
		name:   "delivery with its attempt",
		golden: "020265310d6974656d732e75706461746564056974656d73023432090964656c69766572656402bfe9e689ee0108fbe9e689ee010801",
		record: decided{Delivery: deliveryExample},
		decode: parseDecided,
	},
	{
		name:   "delivery with its attempt, third version",
		golden: "030265310d6974656d732e75706461746564056974656d73023432090964656c69766572656401bfe9e689ee0108fbe9e689ee01080019c0e9e689ee01088094ebdc03ab02036f6464067468616e6b73",
		record: unsent(decidedExample),
		decode: parseDecided,
	},
	{
		name:   "attempt",
		golden: "01026531bfe9e689ee01088094ebdc03f7030b756e617661696c61626c65056c61746572",
		record: unsentAttempt(attemptExample),
		decode: func(b []byte) (any, error) { return parseAttemptRecord("erp", 2, b) },
	},
	{
		name:   "lane",
		golden: "0102653103bfe9e689ee0108",
		record: laneRecord{EventID: "e1", Attempts: 3, DueAt: at},
		decode: func(b []byte) (any, error) { return parseLane(b) },
	},
}

// unsentAttempt returns an attempt as earlier versions have recorded it, without what it sent.
func unsentAttempt(a queue.Attempt) queue.Attempt {
	a.Sent = queue.Sent{}
	return a
}

func unsent(d decided) decided {
	d.first = unsentAttempt(d.first)
	return d
}

// secondEvent returns an event as the second version of its record tells it:
// nobody noted whose the previous state was, and its id commits to nothing.
func secondEvent(e eventRecord) eventRecord {
	e.PreviousTenant, e.Audience, e.Uncommitted = event.UnknownTenant, event.AudienceAll, true
	return e
}

var firstCause = event.Cause{Rule: "PATCH /items/:id", Outcome: event.OutcomeChanged, At: at}

// Records of the first version stay readable.
func TestFirstRecords(t *testing.T) {
	for _, kind := range firstKinds {
		t.Run(kind.name, func(t *testing.T) {
			golden, err := hex.DecodeString(kind.golden)
			if err != nil {
				t.Fatal(err)
			}
			got, err := kind.decode(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, kind.record) {
				t.Errorf("decoded as %+v, want %+v", got, kind.record)
			}
		})
	}
}

func TestRecordsOfOtherVersions(t *testing.T) {
	for _, kind := range kinds {
		newer := kind.encode()
		newer[0] += 100
		if _, err := kind.decode(newer); !errors.Is(err, queue.ErrNewerFormat) {
			t.Errorf("a newer %s: %v, want ErrNewerFormat", kind.name, err)
		}
		zero := kind.encode()
		zero[0] = 0
		if _, err := kind.decode(zero); !errors.Is(err, errDamaged) {
			t.Errorf("a %s of version 0: %v, want errDamaged", kind.name, err)
		}
		if _, err := kind.decode(nil); !errors.Is(err, errDamaged) {
			t.Errorf("an empty %s: %v, want errDamaged", kind.name, err)
		}
	}
	format := appendMeta(nil, &metaRecord{Format: storeFormat + 1})
	if _, err := parseMeta(format); !errors.Is(err, queue.ErrNewerFormat) {
		t.Errorf("a newer store: %v, want ErrNewerFormat", err)
	}
}

// A record that is cut anywhere is damaged, except that the payload of an
// event ends where the record does.
func TestCutRecords(t *testing.T) {
	for _, kind := range kinds {
		whole := kind.encode()
		for n := range whole {
			if e, ok := kind.record.(eventRecord); ok && n >= len(whole)-len(e.Payload) {
				break
			}
			if _, err := kind.decode(whole[:n]); !errors.Is(err, errDamaged) {
				t.Errorf("%s cut to %d of %d bytes: %v, want errDamaged", kind.name, n, len(whole), err)
			}
		}
	}
}

// Whatever the bytes are, decoding them ends with a record or an error.
func FuzzRecords(f *testing.F) {
	for i, kind := range kinds {
		f.Add(byte(i), kind.encode())
		for _, first := range firstKinds {
			if golden, err := hex.DecodeString(first.golden); err == nil && first.name == kind.name {
				f.Add(byte(i), golden)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, record []byte) {
		kind := kinds[int(which)%len(kinds)]
		_, err := kind.decode(record)
		if err != nil && !errors.Is(err, errDamaged) && !errors.Is(err, queue.ErrNewerFormat) {
			t.Errorf("decoding a %s: %v", kind.name, err)
		}
	})
}

// confirmedLast returns a mark as it is read from records that do not have the last
// confirmed generation.
func confirmedLast(m mark.Record) mark.Record {
	m.Confirmed = m.Asked
	return begunLast(m)
}

// begunLast is a mark as the third version has it: nobody knows when the first of the
// exchanges began.
func begunLast(m mark.Record) mark.Record {
	m.Began = m.Cause.At
	return m
}
