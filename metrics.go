// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// metrics lives as long as the process. Caddy has a new registry for every
// configuration: collectors made anew for each would begin at zero with every
// reload, and collectors of the first would vanish with it.
var metrics = newCollectors()

// collectors are the metrics that are counted. It implements the Metrics interfaces
// of the packages that count.
type collectors struct {
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
	expired           *prometheus.CounterVec
	operational       *prometheus.CounterVec

	// eventTypes limits the types of events, the one label that traffic can
	// choose: all others come from the configuration, or are one of a few
	// words.
	eventTypes *label
}

func newCollectors() *collectors {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "caddy", Subsystem: "webhooks", Name: name, Help: help,
		}, labels)
	}
	// From a local answer to the longest timeout of a slow receiver.
	seconds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	return &collectors{
		eventTypes: newLabel(func() *zap.Logger { return pipelineLogger("metrics") }),
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

// register registers the counters, and gauges of a pipeline's queue, with the
// registry of a configuration.
func (c *collectors) register(registry *prometheus.Registry, p *pipeline.Pipeline) error {
	for _, collector := range []prometheus.Collector{
		c.exchanges, c.gaps, c.repaired, c.unresolved, c.reconciled, c.shows, c.events, c.attempts, c.durations, c.ages, c.troubles,
		c.callbacksRefused, c.ownerless, c.conditionsFailed, c.unmatchedRequests,
		c.unsent, c.dropped, c.expired, c.operational,
		queueCollector{p},
		deliveryCollector{p},
		showsCollector{p},
	} {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(collector); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}

// Reconciled implements reconcile.Metrics.
func (c *collectors) Reconciled(resource string, result reconcile.Result, took time.Duration) {
	c.reconciled.WithLabelValues(resource, string(result)).Inc()
	c.shows.WithLabelValues(resource).Observe(took.Seconds())
}

// Exchange implements exchange.Metrics.
func (c *collectors) Exchange(resource string, kind event.Kind, outcome event.Outcome) {
	c.exchanges.WithLabelValues(resource, string(kind), string(outcome)).Inc()
}

// Gap implements exchange.Metrics.
func (c *collectors) Gap(resource string) {
	c.gaps.WithLabelValues(resource, "intent").Inc()
}

// GapMarks implements intake.Metrics.
func (c *collectors) GapMarks(resource string, n int) {
	c.gaps.WithLabelValues(resource, "mark").Add(float64(n))
}

// Repaired implements intake.Metrics.
func (c *collectors) Repaired(resource string) {
	c.repaired.WithLabelValues(resource).Inc()
}

// Expired implements retention.Metrics.
func (c *collectors) Expired(why string, n int) {
	c.expired.WithLabelValues(why).Add(float64(n))
}

// CallbackRefused implements exchange.Metrics.
func (c *collectors) CallbackRefused(resource string) {
	c.callbacksRefused.WithLabelValues(resource).Inc()
}

// Unmatched implements exchange.Metrics.
func (c *collectors) Unmatched() {
	c.unmatchedRequests.WithLabelValues().Inc()
}

// Event implements reconcile.Metrics.
func (c *collectors) Event(eventType string) {
	c.events.WithLabelValues(c.eventTypes.value(eventType)).Inc()
}

// declare has the event types of a resource that the configuration names be
// counted by name, and exports at zero what operators are told to alarm on: an alarm on
// a series that is not there yet never rings, and its first increase is not seen.
func (c *collectors) declare(r *rules.Resource) {
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
func (c *collectors) Unresolved(resource string) {
	c.unresolved.WithLabelValues(resource).Inc()
}

// Ownerless implements reconcile.Metrics.
func (c *collectors) Ownerless(resource string) {
	c.ownerless.WithLabelValues(resource).Inc()
}

// ConditionFailed implements reconcile.Metrics.
func (c *collectors) ConditionFailed(resource string) {
	c.conditionsFailed.WithLabelValues(resource).Inc()
}

// LeaseLost implements emitter.Metrics.
func (c *collectors) LeaseLost(string) {
	c.troubles.WithLabelValues("lease_lost").Inc()
}

// QueueFailed implements emitter.Metrics.
func (c *collectors) QueueFailed(string) {
	c.troubles.WithLabelValues("queue_failed").Inc()
}

// queueCollector reads the gauges of a queue for each scrape.
type queueCollector struct {
	pipeline *pipeline.Pipeline
}

var (
	queueUp          = gauge("queue_up", "1 when the queue is open, else 0.")
	queueIntents     = gauge("open_intents", "Exchanges under way, or not resolved yet.")
	queueUnresolved  = gauge("unresolved", "Kept records of exchanges whose object is not known.")
	queueMarks       = gauge("marks", "Objects that wait for reconciling.")
	queueFailing     = gauge("marks_failing", "Objects that wait for reconciling and were tried in vain.")
	queueMarkAge     = gauge("oldest_mark_seconds", "Age of the oldest mark.")
	queueDeliveries  = gauge("deliveries_pending", "Deliveries that are not decided yet.")
	queueActiveLanes = gauge("lanes", "Lanes with pending deliveries.")
)

func gauge(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("caddy_webhooks_"+name, help, nil, nil)
}

// Describe implements prometheus.Collector.
func (queueCollector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		queueUp, queueIntents, queueUnresolved, queueMarks, queueFailing, queueMarkAge, queueDeliveries, queueActiveLanes,
	} {
		descriptions <- d
	}
}

// Collect implements prometheus.Collector.
func (c queueCollector) Collect(values chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, v float64) {
		values <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	store := c.pipeline.Queue()
	if store == nil {
		put(queueUp, 0)
		return
	}
	stats, err := store.Stats(context.Background())
	if err != nil {
		put(queueUp, 0)
		return
	}
	put(queueUp, 1)
	put(queueIntents, float64(stats.OpenIntents))
	put(queueUnresolved, float64(stats.Unresolved))
	put(queueMarks, float64(stats.Marks))
	put(queueFailing, float64(stats.FailingMarks))
	age := 0.0
	if !stats.OldestMark.IsZero() {
		age = time.Since(stats.OldestMark).Seconds()
	}
	put(queueMarkAge, age)
	put(queueDeliveries, float64(sum(stats.PendingDeliveries)))
	put(queueActiveLanes, float64(sum(stats.Lanes)))
}

func sum(counts map[string]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}
