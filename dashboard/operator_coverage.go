// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// uncoveredRow is a kind of requests that match no rule, with a draft of one.
type uncoveredRow struct {
	Request string
	Count   int
	Last    time.Time
	// Draft is the rule, and Where it belongs: into the resource that there is, or into
	// the handler. Draft is "" if the path shows no object.
	Draft, Where string
}

// wordRow is a word of the configuration that has no effect.
type wordRow struct {
	Word, Reason string
	State        state
}

// coveragePage is what could be missed.
type coveragePage struct {
	Since     time.Time
	Uncovered []uncoveredRow
	Other     int
	Words     []wordRow
	// Unproven and Unlisted are the resources that a version or a list would make surer.
	Unproven, Unlisted []string
	Gaps, Unresolved   int
}

// draft returns a rule as it stands in a Caddyfile, and where.
func draft(line *admin.Uncovered, declared []string) (rule, where string) {
	of := line.Suggestion
	switch {
	case of.Resource == "":
		return "", ""
	case slices.Contains(declared, of.Resource):
		return of.Rule, "in the resource " + of.Resource
	}
	lines := []string{"resource " + of.Resource + " {"}
	if of.Show != "" {
		lines = append(lines, "\t"+of.Show)
	}
	return strings.Join(append(lines, "\t"+of.Rule, "}"), "\n"), "in the handler"
}

// showCoverage shows what could be missed.
func showCoverage(v *visit) error {
	c, err := operate[admin.Coverage](v, get("coverage"))
	if err != nil {
		return err
	}
	p := coveragePage{Since: c.Since, Other: int(min(c.Other, 1<<53)), Unproven: c.Unproven, Unlisted: c.Unlisted, Gaps: len(c.Gaps), Unresolved: c.Unresolved}
	for i := range c.Unmatched {
		line := &c.Unmatched[i]
		row := uncoveredRow{Request: visible(line.Method + " " + line.Template), Count: int(min(line.Count, 1<<53)), Last: line.Last}
		row.Draft, row.Where = draft(line, c.Resources)
		row.Draft, row.Where = visibleLines(row.Draft), visible(row.Where)
		p.Uncovered = append(p.Uncovered, row)
	}
	for _, line := range c.Words {
		row := wordRow{Word: visible(line.Name()), Reason: sentence(visible(line.Reason())), State: todoNotice}
		if line.Leaks {
			row.State = todoProblem
		}
		p.Words = append(p.Words, row)
	}
	return v.operating(http.StatusOK, "op-coverage", "Coverage", p)
}

// visibleLines writes each line of a text as [visible] does.
func visibleLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	return strings.Join(lines, "\n")
}
