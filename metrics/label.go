// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"sync"

	"go.uber.org/zap"
)

const (
	// maxLabels is how many values of a label traffic may choose. Each is a time
	// series that lives as long as the process, here and in whatever scrapes it.
	maxLabels = 100
	// otherLabel stands for all further values, and for one of that name.
	otherLabel = "other"
)

// label limits the values of a metric's label that traffic can choose, as the
// types of events do that have a field of Show in them.
type label struct {
	// log returns where to say that there are too many values.
	log func() *zap.Logger

	mu sync.RWMutex
	// known has the values that are in use, and whether the configuration has
	// chosen them: these are not limited.
	known map[string]bool
	// chosen counts those that traffic has chosen.
	chosen int
	full   bool
}

func newLabel(log func() *zap.Logger) *label {
	return &label{log: log, known: map[string]bool{}}
}

// declare says that the configuration has chosen a value. Whatever traffic has
// done before or does later, the value is itself.
func (l *label) declare(value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if declared, ok := l.known[value]; ok && !declared {
		l.chosen--
	}
	l.known[value] = true
}

// value returns the value to count under.
func (l *label) value(value string) string {
	l.mu.RLock()
	_, ok := l.known[value]
	full := l.full
	l.mu.RUnlock()
	switch {
	case ok:
		return value
	case full:
		return otherLabel
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.known[value]; ok {
		return value
	}
	if l.chosen >= maxLabels {
		if !l.full {
			l.full = true
			l.log().Warn("a field of Shows makes very many types of events; further ones are counted together as "+otherLabel,
				zap.Int("types", maxLabels))
		}
		return otherLabel
	}
	l.known[value] = false
	l.chosen++
	return value
}
