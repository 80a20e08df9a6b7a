// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package habits puts a real Caddy in front of a fake API that has the habits of
// frameworks: Flask, Django, Rails, Laravel, Spring, WordPress, and an old one of nobody's.
// Each has the configuration that its owner would write from docs/, and what a receiver
// gets is compared with what the API did.
package habits

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
	"github.com/caddy-webhooks/caddy-webhooks/internal/testflags"
)

var binary string

func TestMain(m *testing.M) {
	// The tests wait more than they work.
	testflags.AtOnce(6)
	lab.Main(m, &binary)
}

// With the lines that its habits need, nothing of what an API does is lost, nothing is
// invented, and nothing is left for the operator.
func TestHabits(t *testing.T) {
	for name, p := range profiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, p)
			s.known(t)
			s.each(t)
			s.mix(t, 3, 40)
			s.settled(t)
			s.clean(t)
			for _, habit := range p.shows {
				if s.api.used[habit] == 0 {
					t.Errorf("the API never %s: nothing is tested", habit)
				}
			}
			s.Stop(t)
		})
	}
}

// A list that is repeated finds what did not pass Caddy, on whichever page, after what
// does.
func TestChangesPastCaddy(t *testing.T) {
	for name, p := range profiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.every = "every 1s"
			s := newStage(t, p)
			s.known(t)
			s.mix(t, 2, 10)
			s.settled(t)
			for _, o := range s.api.living() {
				switch o.id % 3 {
				case 0:
					s.api.update(o.id, fmt.Sprint("past ", o.id))
				case 1:
					s.api.remove(o.id)
				}
				s.api.create(fmt.Sprint("past ", o.id))
			}
			s.settled(t)
			s.clean(t)
			s.Stop(t)
		})
	}
}

// clean checks that nothing is left for the operator.
func (s *stage) clean(t *testing.T) {
	t.Helper()
	if records := s.records(t); len(records) > 0 {
		t.Errorf("there are records:\n%s", strings.Join(records, "\n"))
	}
	if status, problems, err := s.Health(); err != nil || status != http.StatusOK {
		t.Errorf("health is %d, %s, %v", status, problems, err)
	}
}
