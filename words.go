// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/rules/coverage"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
)

// tellWords has it logged when a word of the handler's configuration turns out to have no
// effect, and when it has one after all.
func (h *Handler) tellWords() {
	log := pipelineLogger("rules")
	h.rules.Words.Tell(func(line effect.Line, over bool) {
		fields := []zap.Field{
			zap.String("resource", line.Resource), zap.String("word", line.Word), zap.String("at", line.At), zap.String("reason", line.Reason()),
		}
		switch {
		case over:
			log.Info("a word of the configuration has an effect now", fields[:3]...)
		case line.Leaks:
			log.Error("a word of the configuration has no effect, and what it should hide may be sent", fields...)
		default:
			log.Warn("a word of the configuration has no effect", fields...)
		}
	})
}

// unmatched counts an unsafe request that no rule matches. Once there are enough of a
// kind, rules that never matched any are compared with it.
func (h *Handler) unmatched(method, path string) {
	if uncovered.Note(method, path) == effect.Enough {
		kind, template := coverage.KindOf(method, path)
		h.rules.Compare(kind, template, effect.Enough)
	}
}

// compareUnmatched compares rules that never matched with all requests that none did,
// those from before this configuration, too: it does not match them either.
func (a *App) compareUnmatched() {
	report := uncovered.Report()
	for _, h := range a.watching() {
		for _, line := range report.Lines {
			if line.Count < effect.Enough {
				break // they are sorted
			}
			h.rules.Compare(line.Method, line.Template, line.Count)
		}
	}
}

// withoutEffect returns the words of the configuration that have no effect so far.
func (a *App) withoutEffect() []effect.Line {
	var all []effect.Line
	for _, h := range a.watching() {
		all = append(all, h.rules.Words.Lines()...)
	}
	return effect.Sorted(all)
}

// watching returns the handlers of the configuration.
func (a *App) watching() []*Handler {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.handlers[:len(a.handlers):len(a.handlers)]
}
