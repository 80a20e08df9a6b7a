// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"maps"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/event/change"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// before is the state of an object before a transition, as far as it is known and
// may be told.
type before struct {
	// watched are the watched fields, and shown those of them that are not hidden.
	watched, shown event.Fields
	// show is the whole Show without what is hidden by now, nil if it is not known;
	// contentType is its type.
	show        []byte
	contentType string
	// tenant owned the object.
	tenant string
	// told is true if show is that of the event with this sequence.
	told     bool
	sequence uint64
}

// before returns the state before a transition. Of an object whose state before is
// not known, nothing is another tenant's.
func (r *Resource) before(last *event.Snapshot, d decision, tenant string) before {
	if last == nil || last.Gone || d.unseen {
		return before{tenant: tenant}
	}
	b := before{
		watched: last.Watched, shown: r.unhidden(last.Watched, d.next.Watched), show: last.Show, contentType: last.ContentType,
		tenant: last.Tenant, sequence: last.Sequence,
	}
	if len(b.show) > 0 && last.Hidden != r.Projection.ID() {
		// What is hidden was configured otherwise.
		var err error
		if b.show, err = r.Projection.Apply(b.show); err != nil {
			b.show = nil
		}
	}
	b.told = last.Told && b.show != nil
	return b
}

// base returns the sequence of the event that had the Show, 0 if none had.
func (b *before) base() uint64 {
	if !b.told {
		return 0
	}
	return b.sequence
}

// unhidden returns watched fields without those that are hidden by now, or were when
// they were seen. Next are the fields as they are now.
func (r *Resource) unhidden(fields, next event.Fields) event.Fields {
	fields = fields.Unmasked()
	if r.Projection.IsZero() {
		return fields
	}
	shown, copied := fields, false
	for path := range fields {
		now := next[path]
		// A value says by itself whether it is hidden, which else takes long to tell.
		if len(now) > 0 && !event.IsMask(now) || len(now) == 0 && !r.hidden(path) {
			continue
		}
		if !copied {
			shown, copied = maps.Clone(fields), true
		}
		delete(shown, path)
	}
	return shown
}

// changed returns what a transition has changed of the Show that is told, nil if
// that is not known.
func (r *Resource) changed(op event.Op, b before, now []byte, contentType string) event.Pointers {
	switch {
	case !r.KeepShow:
		return nil
	case op != event.OpChange:
		return event.Pointers{""}
	case b.show == nil:
		return nil
	}
	return change.Pointers(documentOf(b.show, b.contentType), documentOf(now, contentType))
}

// documentOf returns a Show as fields are read from it.
func documentOf(body []byte, contentType string) event.Document {
	return show.Show{Body: body, Header: http.Header{"Content-Type": {contentType}}}.Document()
}
