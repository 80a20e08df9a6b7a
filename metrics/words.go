// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
)

// wordCollector counts the words without effect of one configuration, for each scrape.
type wordCollector struct{ words func() []effect.Line }

var wordsWithoutEffect = prometheus.NewDesc("caddy_webhooks_words_without_effect",
	"Words of the configuration that have looked in vain so often that it was told, by what they do: hide, or other.", []string{"word"}, nil)

// Describe implements prometheus.Collector.
func (wordCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- wordsWithoutEffect
}

// Collect implements prometheus.Collector.
func (c wordCollector) Collect(values chan<- prometheus.Metric) {
	counts := map[string]int{"hide": 0, "other": 0}
	for _, line := range c.words() {
		if line.Leaks {
			counts["hide"]++
		} else {
			counts["other"]++
		}
	}
	for word, n := range counts {
		values <- prometheus.MustNewConstMetric(wordsWithoutEffect, prometheus.GaugeValue, float64(n), word)
	}
}
