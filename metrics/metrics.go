// SPDX-License-Identifier: Apache-2.0

// Package metrics counts what the other packages do, and shows it to Prometheus. Its
// counters live as long as the process: Caddy has a new registry for every configuration,
// and collectors made anew for each would begin at zero with every reload.
package metrics

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/metrics/series"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
)

// Set holds the metrics of a process. It implements the Metrics interfaces of the packages
// that count.
type Set struct {
	exchanges  *prometheus.CounterVec
	gaps       *prometheus.CounterVec
	repaired   *prometheus.CounterVec
	unresolved *prometheus.CounterVec
	reconciled *prometheus.CounterVec
	shows      *prometheus.HistogramVec
	events     *prometheus.CounterVec
	attempts   *prometheus.CounterVec
	durations  prometheus.Histogram
	ages       prometheus.Histogram
	troubles   *prometheus.CounterVec

	callbacksRefused  *prometheus.CounterVec
	ownerless         *prometheus.CounterVec
	conditionsFailed  *prometheus.CounterVec
	unmatchedRequests *prometheus.CounterVec
	unsent            prometheus.Counter
	dropped           prometheus.Counter
	filtered          prometheus.Counter
	filtersUndecided  prometheus.Counter
	expired           *prometheus.CounterVec
	operational       *prometheus.CounterVec

	// eventTypes limits the types of events, the one label that traffic can
	// choose: all others come from the configuration, or are one of a few
	// words.
	eventTypes *label

	// counts and ring are for those who look without Prometheus.
	counts series.Counts
	ring   series.Ring
}

// New returns metrics at zero. Log returns where to say that a metric has too many values of
// a label.
func New(log func() *zap.Logger) *Set {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "caddy", Subsystem: "webhooks", Name: name, Help: help,
		}, labels)
	}
	// From a local answer to the longest timeout of a slow receiver.
	seconds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	return &Set{
		eventTypes: newLabel(log),
		exchanges: counter("exchanges_total",
			"Exchanges that a rule matched, by what their end told.", "resource", "kind", "outcome"),
		gaps: counter("gaps_total",
			"Exchanges whose intent or mark the queue could not take.", "resource", "what"),
		repaired: counter("gaps_repaired_total",
			"Gaps that were repaired when the queue took writes again.", "resource"),
		unresolved: counter("unresolved_total",
			"Exchanges that may have changed something without telling which object.", "resource"),
		reconciled: counter("reconciled_total",
			"Reconciliations of objects, by result.", "resource", "result"),
		shows: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "caddy", Subsystem: "webhooks", Name: "show_duration_seconds",
			Help: "How long reading a Show from the API took.", Buckets: seconds,
		}, []string{"resource"}),
		events: counter("events_total", "Events committed. Types with a field of Show in them are counted as other beyond the first hundred.", "type"),
		attempts: counter("attempts_total",
			"Attempts of deliveries, by what they made of the delivery: delivered, pending (there will be another) or dead; and by the first digit of what the receiver answered, none if it did not.", "status", "code"),
		unsent: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "caddy", Subsystem: "webhooks", Name: "deliveries_unsent_total",
			Help: "Deliveries that were given up without an attempt: too late, in a loop, or with nowhere to go.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "caddy", Subsystem: "webhooks", Name: "deliveries_dropped_total",
			Help: "Events that a disabled endpoint did not get because it wants nothing kept.",
		}),
		filtered: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "caddy", Subsystem: "webhooks", Name: "deliveries_filtered_total",
			Help: "Events that an endpoint did not get because its filter leaves them out.",
		}),
		filtersUndecided: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "caddy", Subsystem: "webhooks", Name: "filters_undecided_total",
			Help: "Filters that could not be decided for an event, and let it through.",
		}),
		expired: counter("deliveries_expired_total",
			"Deliveries that were given up because their endpoint gets none (it is disabled, paused or gone) and they have waited for too long: by age, or by the size of the queue.", "by"),
		operational: counter("operational_events_total",
			"Operational events: endpoints that fail, are disabled or recover, and deliveries that are dead.", "type"),
		durations: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "caddy", Subsystem: "webhooks", Name: "attempt_duration_seconds",
			Help: "How long attempts took.", Buckets: seconds,
		}),
		ages: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "caddy", Subsystem: "webhooks", Name: "delivery_age_seconds",
			Help: "How long after its event was committed a delivery was delivered.", Buckets: append(seconds, 60, 600, 3600, 86400),
		}),
		callbacksRefused: counter("callbacks_refused_total",
			"Receivers that requests named and that may not be sent to.", "resource"),
		ownerless: counter("ownerless_total",
			"Changes of objects without an owner, which no tenant's endpoint gets.", "resource"),
		conditionsFailed: counter("conditions_failed_total",
			"Conditions of events that could not be evaluated, and so did not hold.", "resource"),
		unmatchedRequests: counter("unmatched_requests_total",
			"Unsafe requests that no rule matched; see caddy webhooks coverage."),
		troubles: counter("emitter_troubles_total",
			"Attempts that could not be recorded, and calls that the queue failed.", "what"),
	}
}

// Register registers the counters, and gauges of what a configuration uses, with the
// configuration's registry: its pipeline, and its words without effect.
func (c *Set) Register(registry *prometheus.Registry, p *pipeline.Pipeline, words func() []effect.Line) error {
	for _, collector := range []prometheus.Collector{
		c.exchanges, c.gaps, c.repaired, c.unresolved, c.reconciled, c.shows, c.events, c.attempts, c.durations, c.ages, c.troubles,
		c.callbacksRefused, c.ownerless, c.conditionsFailed, c.unmatchedRequests,
		c.unsent, c.dropped, c.filtered, c.filtersUndecided, c.expired, c.operational,
		queueCollector{p},
		deliveryCollector{p},
		showsCollector{p},
		wordCollector{words},
	} {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(collector); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}

// Reconciled implements reconcile.Metrics.
func (c *Set) Reconciled(resource string, result reconcile.Result, took time.Duration) {
	c.reconciled.WithLabelValues(resource, string(result)).Inc()
	c.shows.WithLabelValues(resource).Observe(took.Seconds())
}

// Exchange implements exchange.Metrics.
func (c *Set) Exchange(resource string, kind event.Kind, outcome event.Outcome) {
	c.exchanges.WithLabelValues(resource, string(kind), string(outcome)).Inc()
	if outcome != event.OutcomeUnchanged {
		c.counts.Changed()
	}
}

// Gap implements exchange.Metrics.
func (c *Set) Gap(resource string) {
	c.gaps.WithLabelValues(resource, "intent").Inc()
}

// GapMarks implements intake.Metrics.
func (c *Set) GapMarks(resource string, n int) {
	c.gaps.WithLabelValues(resource, "mark").Add(float64(n))
}

// Repaired implements intake.Metrics.
func (c *Set) Repaired(resource string) {
	c.repaired.WithLabelValues(resource).Inc()
}

// Expired implements retention.Metrics.
func (c *Set) Expired(why string, n int) {
	c.expired.WithLabelValues(why).Add(float64(n))
}

// CallbackRefused implements exchange.Metrics.
func (c *Set) CallbackRefused(resource string) {
	c.callbacksRefused.WithLabelValues(resource).Inc()
}

// Unmatched implements exchange.Metrics.
func (c *Set) Unmatched() {
	c.unmatchedRequests.WithLabelValues().Inc()
}

// Dropped counts an event that a disabled endpoint did not get because it wants nothing
// kept.
func (c *Set) Dropped() { c.dropped.Inc() }

// Filtered counts events that filters of endpoints left out.
func (c *Set) Filtered(n int) { c.filtered.Add(float64(n)) }

// FilterFailed counts a filter that could not be decided.
func (c *Set) FilterFailed() { c.filtersUndecided.Inc() }

// Event implements reconcile.Metrics.
func (c *Set) Event(eventType string) {
	c.events.WithLabelValues(c.eventTypes.value(eventType)).Inc()
	c.counts.Event()
}

// Declare has the event types of a resource that the configuration names be
// counted by name, and exports at zero what operators are told to alarm on: an alarm on
// a series that is not there yet never rings, and its first increase is not seen.
func (c *Set) Declare(r *rules.Resource) {
	for _, what := range []string{"intent", "mark"} {
		c.gaps.WithLabelValues(r.Name, what)
	}
	for _, counter := range []*prometheus.CounterVec{c.repaired, c.unresolved, c.conditionsFailed} {
		counter.WithLabelValues(r.Name)
	}
	if r.Tenant != "" {
		c.ownerless.WithLabelValues(r.Name)
	}
	if r.Callback != nil {
		c.callbacksRefused.WithLabelValues(r.Name)
	}
	c.unmatchedRequests.WithLabelValues()
	for _, what := range []string{"lease_lost", "queue_failed"} {
		c.troubles.WithLabelValues(what)
	}
	for _, trigger := range r.Triggers {
		if len(trigger.Type.Paths()) == 0 {
			c.eventTypes.declare(trigger.Type.String())
		}
	}
}

// Unresolved implements the Metrics of reconcile, exchange and intake.
func (c *Set) Unresolved(resource string) {
	c.unresolved.WithLabelValues(resource).Inc()
}

// Ownerless implements reconcile.Metrics.
func (c *Set) Ownerless(resource string) {
	c.ownerless.WithLabelValues(resource).Inc()
}

// ConditionFailed implements reconcile.Metrics.
func (c *Set) ConditionFailed(resource string) {
	c.conditionsFailed.WithLabelValues(resource).Inc()
}

// LeaseLost implements emitter.Metrics.
func (c *Set) LeaseLost(string) {
	c.troubles.WithLabelValues("lease_lost").Inc()
}

// QueueFailed implements emitter.Metrics.
func (c *Set) QueueFailed(string) {
	c.troubles.WithLabelValues("queue_failed").Inc()
}
