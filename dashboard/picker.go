// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks"
)

// picker is the list of events from which some are chosen.
type picker struct {
	Groups []pickerGroup
	// All is the pattern of all events.
	All pick
	// Kept are patterns that are chosen and not shown, as the list shows what was found.
	Kept []string
	// Chosen is how many patterns are chosen, of so many that there are.
	Chosen, Of int
	Find       string
}

// pickerGroup are the events whose names begin alike.
type pickerGroup struct {
	Name string
	// Whole is the pattern of the whole group.
	Whole  pick
	Picks  []pick
	Chosen int
	Open   bool
}

// pick is a pattern that can be chosen.
type pick struct {
	// Type is the name of the type, "" for a pattern of many.
	Pattern, Type, Text string
	Chosen              bool
}

// allEvents is the pattern of all events.
const allEvents = "*"

// groupOf returns the beginning of a type's name, by which the list is grouped.
func groupOf(name string) string {
	group, _, _ := strings.Cut(name, ".")
	return group
}

// listedPatterns are the patterns that the list has.
func listedPatterns(types []callbacks.TypeView) map[string]bool {
	listed := map[string]bool{allEvents: true}
	for i := range types {
		listed[types[i].Events] = true
		listed[groupOf(types[i].Name)+".*"] = true
	}
	return listed
}

// newPicker returns the list of events, those that have a text in their name or description.
func newPicker(types []callbacks.TypeView, chosen []string, find string) picker {
	p := picker{All: pick{Pattern: allEvents, Text: "All events, and what is added later", Chosen: slices.Contains(chosen, allEvents)}, Chosen: len(chosen), Of: len(types), Find: find}
	shown := map[string]bool{allEvents: true}
	needle := strings.ToLower(find)
	groups := map[string]int{}
	for i := range types {
		of := &types[i]
		if needle != "" && !strings.Contains(strings.ToLower(of.Name+" "+of.Description), needle) {
			continue
		}
		name := groupOf(of.Name)
		at, known := groups[name]
		if !known {
			at = len(p.Groups)
			groups[name] = at
			whole := name + ".*"
			p.Groups = append(p.Groups, pickerGroup{Name: name, Whole: pick{Pattern: whole, Text: "All of these, and what is added later", Chosen: slices.Contains(chosen, whole)}, Open: needle != ""})
			shown[whole] = true
		}
		g := &p.Groups[at]
		if of.Events == g.Whole.Pattern || shown[of.Events] {
			continue // the group itself stands for it
		}
		shown[of.Events] = true
		one := pick{Pattern: of.Events, Type: of.Name, Text: of.Description, Chosen: slices.Contains(chosen, of.Events)}
		g.Picks = append(g.Picks, one)
	}
	for i := range p.Groups {
		g := &p.Groups[i]
		for _, one := range append([]pick{g.Whole}, g.Picks...) {
			if one.Chosen {
				g.Chosen++
				g.Open = true
			}
		}
	}
	for _, pattern := range chosen {
		if !shown[pattern] {
			p.Kept = append(p.Kept, pattern)
		}
	}
	return p
}
