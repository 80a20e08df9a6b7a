// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"fmt"
	"log/slog"
)

// Kind is what a notice is about.
type Kind string

// Kinds of notices.
const (
	// Gap: some events of an object are missing, and the receiver went on without them.
	Gap Kind = "gap"
	// Late: an event came after the receiver had gone on without it.
	Late Kind = "late"
	// Rewound: an object's numbers began again, as after the sender was restored from a
	// backup; the receiver follows.
	Rewound Kind = "rewound"
	// Failed: the user's function, the store or the feed failed. What failed comes again.
	Failed Kind = "failed"
	// Expired: the feed no longer has what came after the cursor, and was read on from the
	// oldest event that it has. What was only there is lost.
	Expired Kind = "expired"
	// Refused: a request was no delivery of the sender. Anybody can cause it.
	Refused Kind = "refused"
)

// Notice tells of something that an operator may want to know.
type Notice struct {
	Kind Kind
	// Event is the event that it was noticed with, if there is one. Of a refused request,
	// there is none.
	Event *Event
	// After and Before enclose the numbers that are missing; After is 0 if nothing was
	// known of the object, which may mean that it is older than the store.
	After, Before uint64
	// Err is why it failed, or was refused.
	Err error
}

// String describes the notice in one line.
func (n Notice) String() string {
	text := string(n.Kind)
	if n.Event != nil {
		text += fmt.Sprintf(": event %q, %q of object %q, number %d", n.Event.ID, n.Event.Type, n.Event.Object, n.Event.Sequence)
	}
	if n.Kind == Gap {
		text += fmt.Sprintf("; nothing between %d and %d", n.After, n.Before)
	}
	if n.Err != nil {
		text += ": " + n.Err.Error()
	}
	return text
}

// level is how loud a notice is in the log: what strangers can cause is not, nor is that an
// object is older than the store.
func (n Notice) level() slog.Level {
	switch {
	case n.Kind == Refused:
		return slog.LevelDebug
	case n.Kind == Gap && n.After == 0:
		return slog.LevelInfo
	case n.Kind == Gap || n.Kind == Rewound:
		return slog.LevelWarn
	default:
		return slog.LevelError
	}
}

func logNotice(ctx context.Context, n Notice) {
	slog.Default().Log(ctx, n.level(), "webhooks: "+n.String())
}
