// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
)

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
	if stats.PendingDeliveries != nil { // else they are not known yet
		put(queueDeliveries, float64(sum(stats.PendingDeliveries)))
		put(queueActiveLanes, float64(sum(stats.Lanes)))
	}
}

func sum(counts map[string]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}
