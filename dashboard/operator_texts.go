// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"fmt"
	"net/http"
)

// errRefused is why an action of an operator is not done, where its page has no place to say it.
var errRefused = &failure{http.StatusConflict, "That cannot be done", "Nothing was changed.", "Go back, and see how it stands now."}

// operatorNotices are what a page of operators says that follows something done.
var operatorNotices = map[string]string{
	"paused": "The endpoint is paused: its events wait.", "resumed": "The endpoint gets deliveries again.", "retried": "What waits for a retry is tried now.",
	"dismissed": "The record is forgotten.", "looking": "The object is being looked at. What comes of it is here in a moment.",
	"listing": "All objects of the resource are being listed. What differs is read and sent after that.",
	"events":  "The object was read: it has changed, and events say so.", "unchanged": "The object was read: it is as it was known.",
	"known": "The object was read, and is known from now on.", "gone": "The object was looked for: it is gone, as was known.",
	"unknown": "The object was looked for: the API does not have it, and nothing was known of it.", "unresolved": "The object was looked at, and what could not be told is noted below Unresolved.",
	"failing": "The object was looked at again, in vain. The reason is below.", "listed": "All objects of the resource were listed. What differs is read and sent after that.",
}

// endpointStates are how endpoints stand, as operators see them.
var endpointStates = map[string]state{
	"active": {"ok", "Delivering", "ok"}, "retrying": {"retry", "Retrying", "wait"}, "failing": {"warn", "Failing", "warn"},
	"disabled": {"stop", "Disabled", "bad"}, "paused": {"pause", "Paused", ""}, "feed": feedOnly, "gone": {"minus", "Not there any more", ""},
}

// endpointFilters are the states that endpoints are shown by.
var endpointFilters = []struct{ state, text string }{
	{"", "All"}, {"failing", "Failing"}, {"disabled", "Disabled"}, {"retrying", "Retrying"}, {"paused", "Paused"}, {"active", "Delivering"}, {"gone", "Not there any more"},
}

// markStates are how objects stand that wait.
var (
	markFailing = state{"warn", "Tried in vain", "warn"}
	markWaiting = state{"clock", "Waiting", "wait"}
	markRead    = state{"retry", "Being read", "wait"}
)

// showsStates are how the Shows of a resource fare.
var showsStates = map[string]state{
	"active": {"ok", "Read", "ok"}, "retrying": {"retry", "Retrying", "wait"}, "failing": {"stop", "Not read", "bad"},
}

// spaceStates are how much room the queue's disk has.
var spaceStates = map[string]state{
	"enough": {"ok", "Enough space", "ok"}, "low": {"warn", "Little space", "warn"}, "critical": {"stop", "No space", "bad"},
}

var (
	queueOpen   = state{"ok", "Open", "ok"}
	queueShut   = state{"stop", "Not open", "bad"}
	allIsWell   = state{"ok", "All is well", "ok"}
	isFailing   = state{"stop", "Something is wrong", "bad"}
	todoProblem = state{"stop", "Problem", "bad"}
	todoNotice  = state{"ask", "Perhaps", ""}
	todoGap     = state{"warn", "Gap", "warn"}
	todoMarks   = state{"warn", "Not read", "warn"}
	todoUncover = state{"target", "Not covered", "wait"}
	todoUnknown = state{"ask", "Unresolved", "wait"}
)

// periods are the times that the overview shows.
var periods = []periodOf{{"1h", "1 h", "the last hour", "5 minutes", 60}, {"6h", "6 h", "the last 6 hours", "30 minutes", 360}, {"24h", "24 h", "the last 24 hours", "2 hours", 1440}}

// bytesOf writes a size.
func bytesOf(n uint64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	size, at := float64(n)/unit, 0
	for size >= unit && at < 4 {
		size, at = size/unit, at+1
	}
	return fmt.Sprintf("%.1f %s", size, []string{"KiB", "MiB", "GiB", "TiB", "PiB"}[at])
}

// secondsOf writes a time in seconds, as precisely as it means something.
func secondsOf(s float64) string {
	switch {
	case s < 1:
		return fmt.Sprintf("%.3f", s)
	case s < 100:
		return fmt.Sprintf("%.1f", s)
	}
	return thousands(int(s))
}
