// SPDX-License-Identifier: Apache-2.0

package exchange

import (
	"slices"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/rules"
)

// lookAhead finds what else the request names before it is forwarded, so that a
// crash does not lose it. It reports whether the response may name more.
func (x *exchange) lookAhead() (more bool) {
	rule := x.match.Rule
	more = rule.Later != nil
	own := event.Key{}
	if len(x.keys) > 0 {
		own = x.keys[0]
	}
	if rule.Find != nil {
		if key, err := x.queryKey(rule.Find, &x.match, own); err == nil {
			x.find = key
		}
	}
	x.watcher.opts.Rules.Touching(&x.request, func(other *rules.Match) {
		if slices.Contains(x.elsewhere, other.Rule.Resource) || !x.trusts(other) {
			return
		}
		other.Rule.NoteMatched()
		other.Rule.ReadAhead(&x.request)
		x.touching = append(x.touching, other)
		for i := range other.Rule.Touches {
			keys, err := x.touched(other, &other.Rule.Touches[i], own)
			if err != nil {
				more = true
			}
			x.ahead = append(x.ahead, keys...)
		}
	})
	return more
}

// trusts notes that it is not sure that a rule which touches other objects applies. It
// reports false if nobody can tell.
func (x *exchange) trusts(other *rules.Match) bool {
	if other.Unread != nil {
		x.unreadTouch = other.Unread
		return false
	}
	x.doubt(other.Unsure)
	return true
}

// touched returns the keys of the objects that a rule's touch names, or the key
// of the query that names them. It fails with errNotYet if the response must show
// them and there is none yet.
func (x *exchange) touched(m *rules.Match, t *rules.Touch, own event.Key) ([]event.Key, error) {
	if t.Children {
		if own.IsZero() {
			return nil, errNotYet
		}
		return []event.Key{queue.ChildrenKey(t.Resource.Name, own)}, nil
	}
	if t.Via != nil {
		key, err := x.queryKey(t.Via, m, own)
		if err != nil {
			return nil, err
		}
		return []event.Key{key}, nil
	}
	parts := make([]part, len(t.Places))
	for i, v := range t.Places {
		switch {
		case !v.InRequest() && x.tee.status == 0:
			return nil, errNotYet
		case v.Source == rules.FromPath:
			var err error
			if parts[i].texts, err = v.Take([]string{m.Placeholder(v.Name)}, rules.MaxKeys); err != nil {
				x.unreadTouch = err
				return nil, nil //nolint:nilerr // it is recorded with the exchange
			}
			continue
		}
		texts, unsure, err := x.texts(v)
		if err != nil {
			x.unreadTouch = err
			return nil, nil //nolint:nilerr // it is recorded with the exchange
		}
		x.doubt(unsure)
		if len(texts) == 0 {
			return nil, nil // it names none
		}
		parts[i] = part{v, texts}
	}
	rows, err := x.joined(parts)
	if err != nil {
		x.unreadTouch = err
		return nil, nil //nolint:nilerr // it is recorded with the exchange
	}
	return newKeys(t.Resource, rows)
}

// alsoTouched returns the keys of what else the exchange changed, once it has as
// much of its response as it will ever have.
func (x *exchange) alsoTouched(own []event.Key) []event.Key {
	keys := slices.Clone(x.ahead)
	first := event.Key{}
	if len(own) > 0 && own[0].Resource == x.match.Rule.Resource.Name {
		first = own[0]
	}
	for _, other := range x.touching {
		for i := range other.Rule.Touches {
			found, err := x.touched(other, &other.Rule.Touches[i], first)
			if err != nil {
				x.watcher.missedTouch(other.Rule, err)
			}
			x.noteTouched(&other.Rule.Touches[i], len(found) > 0, err)
			for _, key := range found {
				if !slices.Contains(keys, key) && !slices.Contains(own, key) && len(keys) <= rules.MaxKeys {
					keys = append(keys, key)
				}
			}
		}
	}
	return keys
}

// missedTouch reports that an exchange changed other objects that nothing names.
func (w *Watcher) missedTouch(r *rules.Rule, err error) {
	w.opts.Metrics.Unresolved(r.Resource.Name)
	w.opts.Logger.Warn("an exchange touched objects that nothing names", zap.String("rule", r.Name), zap.Error(err))
}
