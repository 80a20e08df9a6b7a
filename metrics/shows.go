// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-webhooks/caddy-webhooks/pipeline"
	"github.com/caddy-webhooks/caddy-webhooks/reconcile"
)

// showsCollector reads how Shows fare for each scrape.
type showsCollector struct {
	pipeline *pipeline.Pipeline
}

var showsResources = prometheus.NewDesc("caddy_webhooks_resources",
	"Resources, by how their Shows fare: active, retrying or failing.", []string{"status"}, nil)

// Describe implements prometheus.Collector.
func (showsCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- showsResources
}

// Collect implements prometheus.Collector.
func (c showsCollector) Collect(values chan<- prometheus.Metric) {
	if c.pipeline.Queue() == nil {
		return
	}
	counts := make(map[reconcile.ShowsStatus]int)
	for _, shows := range c.pipeline.Shows() {
		counts[shows.Status]++
	}
	for _, status := range reconcile.ShowsStatuses {
		values <- prometheus.MustNewConstMetric(showsResources, prometheus.GaugeValue, float64(counts[status]), string(status))
	}
}
