// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// No metric has a label for the endpoint: subscribers may be many, and come and
// go. The lists of deliveries and attempts show what each of them does.

// Attempted implements emitter.Metrics.
func (c *Set) Attempted(_ string, status queue.Status, code int, took, age time.Duration) {
	c.attempts.WithLabelValues(string(status), codeClass(code)).Inc()
	c.durations.Observe(took.Seconds())
	if status == queue.StatusDelivered {
		c.ages.Observe(age.Seconds())
		c.counts.Delivered(age)
	} else {
		c.counts.Failed()
	}
}

// Unsent implements emitter.Metrics.
func (c *Set) Unsent(string) {
	c.unsent.Inc()
}

// Notice implements emitter.AnnouncerMetrics.
func (c *Set) Notice(eventType string) {
	c.operational.WithLabelValues(eventType).Inc()
}

// NoticeLost implements emitter.AnnouncerMetrics.
func (c *Set) NoticeLost() {
	c.troubles.WithLabelValues("notice_lost").Inc()
}

// codeClass returns the class of an HTTP status.
func codeClass(code int) string {
	switch {
	case code == 0:
		return "none"
	case code < 200 || code > 599:
		return "other"
	default:
		return string(rune('0'+code/100)) + "xx"
	}
}

// deliveryCollector reads the gauges of the emitter for each scrape.
type deliveryCollector struct {
	pipeline *pipeline.Pipeline
}

var (
	deliveryEndpoints = prometheus.NewDesc("caddy_webhooks_endpoints",
		"Endpoints, by how they stand: active, retrying, failing, paused or disabled.", []string{"status"}, nil)
	deliveryDown     = gauge("endpoints_down", "Endpoints whose receivers were found down and are tried now and then.")
	deliveryInFlight = gauge("attempts_in_flight", "Attempts under way.")
	deliveryMemory   = gauge("attempts_memory_bytes", "Memory that is taken for attempts under way.")
	deliveryKept     = gauge("attempts_unrecorded", "Attempts that the queue could not record yet.")
)

// Describe implements prometheus.Collector.
func (deliveryCollector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{deliveryEndpoints, deliveryDown, deliveryInFlight, deliveryMemory, deliveryKept} {
		descriptions <- d
	}
}

// Collect implements prometheus.Collector.
func (c deliveryCollector) Collect(values chan<- prometheus.Metric) {
	working := c.pipeline.Emitter()
	if working == nil {
		return
	}
	counts := make(map[queue.EndpointStatus]int)
	for _, status := range emitter.Statuses {
		counts[status] = 0
	}
	down, inFlight, kept := 0, 0, 0
	for _, standing := range working.Standings() {
		counts[standing.Status]++
		inFlight += standing.InFlight
		kept += standing.Unrecorded
		if standing.Down {
			down++
		}
	}
	put := func(d *prometheus.Desc, v float64, labels ...string) {
		values <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for status, n := range counts {
		put(deliveryEndpoints, float64(n), string(status))
	}
	put(deliveryDown, float64(down))
	put(deliveryInFlight, float64(inFlight))
	put(deliveryMemory, float64(working.InFlight()))
	put(deliveryKept, float64(kept))
}
