// SPDX-License-Identifier: Apache-2.0

// Package console reads the commands that a page tells its reader to type, and compares
// the answers with those that the page shows.
package console

import (
	"fmt"
	"regexp"
	"strings"
)

// Step is one thing that a page does: a command in a fenced block of `console`,
// with the answer that the page shows, or a line that readers do not see and that says
// what happens meanwhile: `<!-- meanwhile: put /items/42 {} -->`.
type Step struct {
	// Line is where it stands.
	Line int
	// Command is what is typed, and Shown the lines that the page shows as its answer.
	Command string
	Shown   []string
	// Meanwhile is what happens instead.
	Meanwhile string
}

// meanwhileLine is what happens between the commands of a page.
var meanwhileLine = regexp.MustCompile(`^<!-- meanwhile: (.*) -->$`)

// Steps reads the steps of a page.
func Steps(page string) ([]Step, error) {
	var steps []Step
	kind := ""
	continues := false
	for i, line := range strings.Split(page, "\n") {
		command, begins := strings.CutPrefix(line, "$ ")
		happens := meanwhileLine.FindStringSubmatch(line)
		switch {
		case kind == "" && strings.HasPrefix(line, "```"):
			kind = strings.TrimPrefix(line, "```") + " "
		case kind == "" && happens != nil:
			steps = append(steps, Step{Line: i + 1, Meanwhile: happens[1]})
		case line == "```":
			kind = ""
		case kind != "console ":
			if strings.Contains(line, "curl ") && kind != "" {
				return nil, fmt.Errorf("line %d: a request outside of a console block is not run", i+1)
			}
		case continues:
			last := &steps[len(steps)-1]
			last.Command += "\n" + line
			continues = goesOn(last.Command)
		case begins:
			continues = goesOn(command)
			steps = append(steps, Step{Line: i + 1, Command: command})
		case len(steps) == 0 || steps[len(steps)-1].Command == "":
			return nil, fmt.Errorf("line %d: an answer without a command", i+1)
		default:
			last := &steps[len(steps)-1]
			last.Shown = append(last.Shown, line)
		}
	}
	return steps, nil
}

// goesOn reports whether a command goes on in the next line: a single quote is open.
func goesOn(command string) bool { return strings.Count(command, "'")%2 == 1 }
