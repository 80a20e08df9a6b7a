// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// However many types a Show makes up, the metric has a limited number of them,
// those of the configuration are counted by name, and the log says so once.
func TestLabelsAreLimited(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	l := newLabel(func() *zap.Logger { return zap.New(core) })
	l.declare("items.updated")
	seen := map[string]int{}
	for i := range 10 * maxLabels {
		seen[l.value(fmt.Sprintf("items.state.%d", i))]++
		if i == maxLabels+10 {
			l.declare("items.late")
		}
		seen[l.value("items.updated")]++
	}
	if len(seen) != maxLabels+2 || seen["items.updated"] != 10*maxLabels || seen[otherLabel] != 9*maxLabels {
		t.Errorf("%d values, %d others", len(seen), seen[otherLabel])
	}
	for _, value := range []string{"items.state.0", "items.late"} {
		if got := l.value(value); got != value {
			t.Errorf("%s counts as %s", value, got)
		}
	}
	if n := logs.Len(); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
}

// A type that traffic has chosen first does not count once it is declared.
func TestDeclaredLabels(t *testing.T) {
	l := newLabel(zap.NewNop)
	for i := range maxLabels {
		l.value(fmt.Sprint(i))
	}
	l.declare("7")
	l.declare("7")
	if got := l.value("new"); got != "new" {
		t.Errorf("a place that is free is not given: %s", got)
	}
	if got := l.value("newer"); got != otherLabel {
		t.Errorf("a value too many is %s", got)
	}
}

// A scrape has no more types of events than that, whatever objects were sent
// through; those that the configuration names are among them.
func TestEventTypesAreLimited(t *testing.T) {
	template := func(text string) event.Template {
		parsed, err := event.ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	c := New(zap.NewNop)
	c.Declare(&rules.Resource{Triggers: []event.Trigger{{Type: template("items.updated")}, {Type: template("items.state.{state}")}}})
	for i := range 3 * maxLabels {
		c.Event(fmt.Sprintf("items.state.s%d", i))
	}
	c.Event("items.updated")
	registry := prometheus.NewRegistry()
	registry.MustRegister(c.events)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total, named := 0.0, false
	for _, metric := range families[0].GetMetric() {
		total += metric.GetCounter().GetValue()
		named = named || metric.GetLabel()[0].GetValue() == "items.updated"
	}
	if n := len(families[0].GetMetric()); n != maxLabels+2 || total != 3*maxLabels+1 || !named {
		t.Errorf("%d series of %v events, items.updated among them: %t", n, total, named)
	}
}
