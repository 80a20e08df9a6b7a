// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Limits of a page of a list.
const (
	defaultLimit = 100
	maxLimit     = 200
)

// timestamp is a time in the API's format. All have the same length and are in
// UTC, so that their texts sort like the times.
type timestamp struct{ time.Time }

// MarshalJSON returns the time in RFC 3339 with all nine decimals.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000000000Z07:00"`), nil
}

// record has the fields of all objects.
type record struct {
	ID        string    `json:"id"`
	CreatedAt timestamp `json:"created_at"`
	UpdatedAt timestamp `json:"updated_at"`
}

func newRecord(id string, now time.Time) record {
	return record{ID: id, CreatedAt: timestamp{now}, UpdatedAt: timestamp{now}}
}

// touch moves updated_at to now, or just past its old value if the clock has
// not moved on: no two states of an object have the same.
func (r *record) touch(now time.Time) {
	if !now.After(r.UpdatedAt.Time) {
		now = r.UpdatedAt.Add(time.Nanosecond)
	}
	r.UpdatedAt = timestamp{now}
}

// reference names another object.
type reference struct {
	ID string `json:"id"`
}

// table holds the objects of one resource, in the order of their creation.
// Objects are values: an object that was read does not change.
type table[T any] struct {
	rows  map[string]T
	order []string
}

func newTable[T any]() *table[T] {
	return &table[T]{rows: make(map[string]T)}
}

// get returns an object, or errNotFound.
func (t *table[T]) get(id string) (T, error) {
	object, ok := t.rows[id]
	if !ok {
		return object, errNotFound
	}
	return object, nil
}

// put adds or replaces an object.
func (t *table[T]) put(id string, object T) {
	if _, ok := t.rows[id]; !ok {
		t.order = append(t.order, id)
	}
	t.rows[id] = object
}

// remove deletes an object that exists.
func (t *table[T]) remove(id string) {
	delete(t.rows, id)
	if i := slices.Index(t.order, id); i >= 0 {
		t.order = slices.Delete(t.order, i, i+1)
	}
}

// list answers with the page of the wanted objects that limit and offset in the
// query select.
func (t *table[T]) list(resource string, r *http.Request, wanted func(T) bool) (reply, error) {
	limit, err := queryNumber(r, "limit", defaultLimit, 1, maxLimit)
	if err != nil {
		return reply{}, err
	}
	offset, err := queryNumber(r, "offset", 0, 0, 1<<31-1)
	if err != nil {
		return reply{}, err
	}
	page, total := []T{}, 0
	for _, id := range t.order {
		object := t.rows[id]
		if wanted != nil && !wanted(object) {
			continue
		}
		if total >= offset && len(page) < limit {
			page = append(page, object)
		}
		total++
	}
	return reply{status: http.StatusOK, body: map[string]any{
		resource: page,
		"meta":   map[string]int{"limit": limit, "offset": offset, "total": total},
	}}, nil
}

func queryNumber(r *http.Request, name string, byDefault, least, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return byDefault, nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < least || number > most {
		return 0, invalid(name, "must be a whole number from %d to %d", least, most)
	}
	return number, nil
}

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// claimID returns the id for a new object: the one that the client requests,
// which must be free, or else a new one.
func claimID[T any](t *table[T], wish string, newID func() string) (string, error) {
	if wish == "" {
		return newID(), nil
	}
	if !idPattern.MatchString(wish) {
		return "", invalid("id", "must be 1 to 64 letters, digits, _ or -")
	}
	if _, taken := t.rows[wish]; taken {
		return "", invalid("id", "is taken")
	}
	return wish, nil
}
