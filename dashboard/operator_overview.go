// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
	"github.com/caddy-webhooks/caddy-webhooks/metrics/series"
)

// periodOf is a time that the overview shows.
type periodOf struct {
	Word, Text, Name, Part string
	minutes                int
}

// shownParts is how many parts a chart has.
const shownParts = 12

// todo is something that waits for an operator, the worst first.
type todo struct {
	State state
	// Name is what it is about, "" for nothing in particular; Text says what is the matter.
	Name, Text string
	// Path leads to where it is mended, and Link says so.
	Path, Link string
}

// overviewPage is how the service fares.
type overviewPage struct {
	Health  state
	Todo    []todo
	Periods []option
	// Period is what is shown, Since is since when it is counted, zero if nobody counts.
	Period periodOf
	Since  time.Time
	Until  time.Time
	// Changes, Events, Delivered and Failed count what was done in the period.
	Changes, Events, Delivered, Failed string
	Share                              string
	// Pending and Waiting are what waits now, Oldest since when.
	Pending, Waiting string
	Oldest           time.Time
	Charts           []chart
}

// showOverview shows how the service fares, and what waits for the operator.
func showOverview(v *visit) error {
	p := overviewPage{Health: allIsWell, Until: v.now}
	h, err := operate[admin.Health](v, get("health"))
	if err != nil {
		return err
	}
	if h.Status != "ok" {
		p.Health = isFailing
	}
	c, err := operate[admin.Coverage](v, get("coverage"))
	if err != nil {
		return err
	}
	p.Todo = todos(&h, &c)
	p.Waiting, p.Pending, p.Oldest = thousands(c.Marks), uncounted, c.OldestMark
	if q, err := operate[admin.QueueStatus](v, get("queue")); err == nil && q.Counts != nil && q.Counts.PendingDeliveries != nil {
		pending := 0
		for _, n := range q.Counts.PendingDeliveries {
			pending += n
		}
		p.Pending = thousands(pending)
	}
	p.Period = periods[len(periods)-1]
	for _, of := range periods {
		if of.Word == v.r.URL.Query().Get("period") {
			p.Period = of
		}
	}
	for _, of := range periods {
		p.Periods = append(p.Periods, option{Value: of.Word, Text: of.Text, Chosen: of == p.Period})
	}
	if v.options.Recent != nil {
		p.Since = v.options.Recent.Since()
		p.draw(v.options.Recent.Points(v.r.Context(), v.now, time.Duration(p.Period.minutes)*time.Minute, shownParts))
	}
	return v.operating(http.StatusOK, "op-overview", "Overview", p)
}

// todos returns what waits for an operator.
func todos(h *admin.Health, c *admin.Coverage) (list []todo) {
	for _, text := range h.Problems {
		list = append(list, todo{todoProblem, "", sentence(visible(text)), "queue", "See the queue"})
	}
	for i := range h.Endpoints {
		e := &h.Endpoints[i]
		if i == shownTroubled {
			list = append(list, todo{stateOf(endpointStates, "failing"), "", counted(len(h.Endpoints)-i, "further endpoint fails", "further endpoints fail") + " or gets nothing.", "endpoints?state=failing", "See them"})
			break
		}
		list = append(list, todo{stateOf(endpointStates, string(e.Status)), visible(e.Name), sentence(visible(e.Reason)), endpointPath(e.Name), "Look"})
	}
	if c.Failing > 0 {
		list = append(list, todo{todoMarks, "", counted(c.Failing, "object was", "objects were") + " read in vain, and " + isOrAre(c.Failing) + " tried again.", "marks", "See why"})
	}
	for _, gap := range c.Gaps {
		list = append(list, todo{todoGap, visible(gap.Resource), "Changes passed without the queue, and are not made up for yet.", "unresolved", "See the gaps"})
	}
	if n := len(c.Unmatched); n > 0 {
		list = append(list, todo{todoUncover, "", counted(n, "kind of unsafe requests matches", "kinds of unsafe requests match") + " no rule.", "coverage", "See drafted rules"})
	}
	if c.Unresolved > 0 {
		list = append(list, todo{todoUnknown, "", counted(c.Unresolved, "exchange has", "exchanges have") + " changed something, or may have, without telling which object.", "unresolved", "Resolve"})
	}
	for _, text := range h.Notices {
		list = append(list, todo{todoNotice, "", sentence(visible(text)), "coverage", "See the words"})
	}
	return list
}

// shownTroubled is how many endpoints that fail the overview names.
const shownTroubled = 10

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// draw sums up what was done, and draws it.
func (p *overviewPage) draw(points []series.Point) {
	var changes, events, delivered, failed uint64
	var done, attempts, lag, waits []figure
	for i := range points {
		of := &points[i]
		changes, events, delivered, failed = changes+of.Changes, events+of.Events, delivered+of.Delivered, failed+of.Failed
		add := func(to *[]figure, known bool, values ...float64) {
			*to = append(*to, figure{of.From.UTC(), of.Known && known, values})
		}
		add(&done, true, float64(of.Changes), float64(of.Events))
		add(&attempts, true, float64(of.Delivered), float64(of.Failed))
		add(&lag, of.Delivered > 0, of.Median, of.Slow)
		add(&waits, true, float64(of.Marks), float64(of.Deliveries))
	}
	p.Changes, p.Events, p.Delivered, p.Failed = number(float64(changes)), number(float64(events)), number(float64(delivered)), number(float64(failed))
	p.Share = uncounted
	if all := delivered + failed; all > 0 {
		p.Share = fmt.Sprintf("%.1f", float64(delivered)/float64(all)*100)
	}
	per := "per " + p.Period.Part
	for _, of := range []struct {
		id, heading, unit string
		names             []string
		figures           []figure
		write             func(float64) string
		bars              bool
	}{
		{"done", "Changes and events", per, []string{"changes", "events"}, done, number, false},
		{"attempts", "Deliveries", per, []string{"delivered", "failed, on top"}, attempts, number, true},
		{"lag", "From event to delivery", "seconds, " + per, []string{"half are faster", "95 of 100 are faster"}, lag, secondsOf, false},
		{"waits", "What waits", "the most, " + per, []string{"objects to be read", "deliveries"}, waits, number, false},
	} {
		c := chart{ID: of.id, Heading: of.heading, Unit: of.unit, Title: of.heading + ", " + of.unit + ":"}
		for i, name := range of.names {
			c.Title += fmt.Sprintf(" %s: %s;", name, finding(of.figures, i, of.write))
		}
		c.Title = strings.TrimSuffix(c.Title, ";")
		if of.bars {
			c.bars(of.figures, of.names, of.write)
		} else {
			c.lines(of.figures, of.names, of.write)
		}
		p.Charts = append(p.Charts, c)
	}
}

// number writes a whole number, or of a grid a part of one.
func number(value float64) string {
	if value != float64(int(value)) {
		return fmt.Sprintf("%.1f", value)
	}
	return thousands(int(value))
}

// sentenceStart writes a text as the beginning of a line.
func sentenceStart(text string) string { return strings.TrimSuffix(sentence(text), ".") }
