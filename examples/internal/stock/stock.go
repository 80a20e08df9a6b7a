// SPDX-License-Identifier: Apache-2.0

// Package stock is the common part of the example APIs that are not REST: their
// items, in memory, and a record of every change to them.
package stock

import (
	"errors"
	"slices"
	"strconv"
	"sync"
)

// ErrNotFound is returned for an id that no item has.
var ErrNotFound = errors.New("there is no such item")

// ErrNoName is returned for an item without a name.
var ErrNoName = errors.New("an item needs a name")

// Item is an item that the APIs show.
type Item struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	State  string `json:"state"`
	Amount int64  `json:"amount"`
	// Version grows with each change of the item.
	Version int64 `json:"version"`
}

// Fields are what a request can set; nil leaves a field unchanged.
type Fields struct {
	Name   *string `json:"name"`
	State  *string `json:"state"`
	Amount *int64  `json:"amount"`
}

// Operation is what a change did.
type Operation string

// The operations of changes.
const (
	Created Operation = "create"
	Updated Operation = "update"
	Deleted Operation = "delete"
)

// Change is one committed change, with the item as it was then; for a delete,
// as it was before.
type Change struct {
	Operation Operation
	Item      Item
}

// Stock holds items. Each of its methods is one step.
type Stock struct {
	mu      sync.Mutex
	items   map[string]Item
	lastID  int
	version int64
	changes []Change
}

// New returns an empty Stock.
func New() *Stock {
	return &Stock{items: make(map[string]Item)}
}

// Create adds an item.
func (s *Stock) Create(fields Fields) (Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fields.Name == nil || *fields.Name == "" {
		return Item{}, ErrNoName
	}
	s.lastID++
	item := Item{ID: strconv.Itoa(s.lastID), State: "new"}
	return s.commit(Created, item, fields), nil
}

// Get returns an item, or [ErrNotFound].
func (s *Stock) Get(id string) (Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	item, ok := s.items[id]
	if !ok {
		return Item{}, ErrNotFound
	}
	return item, nil
}

// List returns all items, sorted by id.
func (s *Stock) List() []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Item, 0, len(s.items))
	for id := 1; id <= s.lastID; id++ {
		if item, ok := s.items[strconv.Itoa(id)]; ok {
			list = append(list, item)
		}
	}
	return list
}

// Update sets fields of an item. An update with the same values is not a
// change.
func (s *Stock) Update(id string, fields Fields) (Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	item, ok := s.items[id]
	if !ok {
		return Item{}, ErrNotFound
	}
	if fields.Name != nil && *fields.Name == "" {
		return Item{}, ErrNoName
	}
	if fields.apply(item) == item {
		return item, nil
	}
	return s.commit(Updated, item, fields), nil
}

// Delete removes an item, and returns its last state.
func (s *Stock) Delete(id string) (Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	item, ok := s.items[id]
	if !ok {
		return Item{}, ErrNotFound
	}
	delete(s.items, id)
	s.changes = append(s.changes, Change{Deleted, item})
	return item, nil
}

// Changes returns every change so far, in order.
func (s *Stock) Changes() []Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.changes)
}

func (s *Stock) commit(operation Operation, item Item, fields Fields) Item {
	s.version++
	item = fields.apply(item)
	item.Version = s.version
	s.items[item.ID] = item
	s.changes = append(s.changes, Change{operation, item})
	return item
}

func (f Fields) apply(item Item) Item {
	if f.Name != nil {
		item.Name = *f.Name
	}
	if f.State != nil {
		item.State = *f.State
	}
	if f.Amount != nil {
		item.Amount = *f.Amount
	}
	return item
}
