// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// story is an example of a page: rules, and what comes of exchanges with them.
type story struct {
	name, rules, script string
}

// storiesOf reads the examples of a Markdown page: a fenced block of rules
// ("caddyfile"), and after it one of exchanges.
func storiesOf(t testing.TB, path string) []story {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var stories []story
	heading, kind, rules := "", "", ""
	var block []string
	for i, line := range strings.Split(string(page), "\n") {
		switch {
		case kind == "" && strings.HasPrefix(line, "#"):
			heading = strings.TrimLeft(line, "# ")
		case kind == "" && strings.HasPrefix(line, "```"):
			kind, block = strings.TrimPrefix(line, "```")+" ", nil
		case line == "```":
			text := strings.Join(block, "\n")
			if kind == "caddyfile " {
				rules = text
			}
			if kind == "exchanges " {
				if rules == "" {
					t.Fatalf("%s:%d: exchanges without rules", path, i)
				}
				stories = append(stories, story{fmt.Sprintf("%s, line %d", heading, i-len(block)+1), rules, text})
			}
			kind = ""
		default:
			block = append(block, line)
		}
	}
	return stories
}

// Each example of the configuration reference does what it says.
func TestConfigurationReference(t *testing.T) {
	runStories(t, "docs/configuration.md", 30)
}

// Each pitfall is mended as the page says.
func TestPitfalls(t *testing.T) {
	runStories(t, "docs/pitfalls.md", 0)
}

// The corpus: exchanges of every shape, and what comes of them.
func TestCorpus(t *testing.T) {
	pages, err := filepath.Glob("testdata/exchanges/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no corpus", err)
	}
	for _, page := range pages {
		runStories(t, page, 1)
	}
}

func runStories(t *testing.T, page string, least int) {
	t.Helper()
	stories := storiesOf(t, page)
	if len(stories) < least {
		t.Errorf("%s has %d examples, want at least %d", page, len(stories), least)
	}
	for _, s := range stories {
		t.Run(filepath.Base(page)+": "+s.name, func(t *testing.T) {
			runScript(t, s.name, s.rules, s.script)
		})
	}
}

// The README's overview has every word of a resource.
func TestReadmeHasAllWords(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, overview, found := strings.Cut(string(readme), "\tresource <name>")
	overview, _, _ = strings.Cut(overview, "```")
	if !found {
		t.Fatal("the README has no overview of a resource")
	}
	for word := range strings.FieldsFuncSeq(resourceWords, func(c rune) bool { return c == ',' || c == ' ' }) {
		if word != "and" && !regexp.MustCompile(`(?m)^\t\t([a-z_|]+\|)?`+word+`\b`).MatchString(overview) {
			t.Errorf("the overview lacks %s", word)
		}
	}
}
