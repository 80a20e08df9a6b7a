// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"fmt"
	"strconv"
	"time"
)

// moment is a time as pages show it: in words, with the exact one to hover over. A script
// writes the exact one in the reader's zone.
type moment struct {
	Machine, Exact, Words string
}

// momentOf returns a time as it is shown at another.
func momentOf(at, now time.Time) moment {
	at = at.UTC()
	return moment{at.Format(time.RFC3339), at.Format("2 January 2006, 15:04:05 UTC"), wordsOf(at, now)}
}

// wordsOf says in words when something is, or was.
func wordsOf(at, now time.Time) string {
	since := now.Sub(at)
	before, after := "", " ago"
	if since < 0 {
		since, before, after = -since, "in ", ""
	}
	switch {
	case since < 2*time.Second:
		return "now"
	case since < time.Minute:
		return fmt.Sprintf("%s%d s%s", before, int(since.Seconds()), after)
	case since < time.Hour:
		return fmt.Sprintf("%s%d min%s", before, int(since.Minutes()), after)
	case since < 48*time.Hour:
		return fmt.Sprintf("%s%d h%s", before, int(since.Hours()), after)
	case since < 60*24*time.Hour:
		return fmt.Sprintf("%s%d days%s", before, int(since.Hours()/24), after)
	}
	return at.Format("2 Jan 2006")
}

// thousands writes a number with separators.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
