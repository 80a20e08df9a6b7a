// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"slices"
	"testing"
)

func TestStock(t *testing.T) {
	s := New()
	name, sold, none := "Bicycle", "sold", ""
	amount := int64(5)
	if _, err := s.Create(Fields{Name: &none}); !errors.Is(err, ErrNoName) {
		t.Error(err)
	}
	made, err := s.Create(Fields{Name: &name, Amount: &amount})
	if err != nil || made != (Item{"1", "Bicycle", "new", 5, 1}) {
		t.Errorf("%+v, %v", made, err)
	}
	changed, err := s.Update("1", Fields{State: &sold})
	if err != nil || changed != (Item{"1", "Bicycle", "sold", 5, 2}) {
		t.Errorf("%+v, %v", changed, err)
	}
	if again, err := s.Update("1", Fields{State: &sold}); err != nil || again != changed {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := s.Update("1", Fields{Name: &none}); !errors.Is(err, ErrNoName) {
		t.Error(err)
	}
	if list := s.List(); !slices.Equal(list, []Item{changed}) {
		t.Errorf("%+v", list)
	}
	if _, err := s.Delete("1"); err != nil {
		t.Error(err)
	}
	_, getErr := s.Get("1")
	_, updateErr := s.Update("1", Fields{})
	_, deleteErr := s.Delete("1")
	for _, err := range []error{getErr, updateErr, deleteErr} {
		if !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	}
	want := []Change{{Created, made}, {Updated, changed}, {Deleted, changed}}
	if got := s.Changes(); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}
