// SPDX-License-Identifier: Apache-2.0

package subscribers

import (
	"fmt"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// DefaultLimit is how many endpoints a tenant may have by default.
const DefaultLimit = 100

// Policy says which endpoints a tenant may have beside each other.
type Policy struct {
	// Limit is how many; 0 is [DefaultLimit].
	Limit int
	// OnePerType lets one enabled endpoint get each type of event.
	OnePerType bool
	// Offer says what an endpoint may have.
	Offer Offer
}

// Admits reports, as a [FieldError], why a tenant may not have an endpoint beside
// its others. A limit that was lowered refuses new ones only, and what is paused
// takes no type.
func (p Policy) Admits(others []Endpoint, candidate *Endpoint, isNew bool) error {
	limit := p.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	if isNew && len(others) >= limit {
		return wrong("", "delete one that is not used any more", "there are %d endpoints, as many as are possible", len(others))
	}
	if !p.OnePerType || candidate.Status != Active {
		return nil
	}
	for i := range others {
		other := &others[i]
		if other.Status != Active || other.ID == candidate.ID {
			continue
		}
		shared, overlaps, err := overlap(candidate.Events, other.Events)
		if err != nil {
			return err
		}
		if overlaps {
			return wrong("/events", "pause, change or delete that one first", "%s gets %s already, and one enabled endpoint for each type is possible", named(other), shared)
		}
	}
	return nil
}

func named(e *Endpoint) string {
	if e.Label == "" {
		return e.ID
	}
	return fmt.Sprintf("%s (%s)", e.ID, e.Label)
}

// overlap returns a type, or a beginning of types, that two lists of patterns both
// match.
func overlap(a, b []string) (shared string, overlaps bool, err error) {
	fa, err := event.ParseFilter(a...)
	if err != nil {
		return "", false, err
	}
	fb, err := event.ParseFilter(b...)
	if err != nil {
		return "", false, err
	}
	if fa.All() || fb.All() {
		if fb.All() {
			fb = fa
		}
		return fb.String(), true, nil
	}
	for _, pair := range [][2]event.Filter{{fa, fb}, {fb, fa}} {
		for _, exact := range pair[0].Exact() {
			if pair[1].Match(exact) {
				return exact, true, nil
			}
		}
		for _, prefix := range pair[0].Prefixes() {
			for _, wider := range pair[1].Prefixes() {
				if strings.HasPrefix(prefix, wider) {
					return prefix + "*", true, nil
				}
			}
		}
	}
	return "", false, nil
}
