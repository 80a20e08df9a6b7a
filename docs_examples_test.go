// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/rules/parse"
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
	for word := range strings.FieldsFuncSeq(parse.ResourceWords, func(c rune) bool { return c == ',' || c == ' ' }) {
		if word != "and" && !regexp.MustCompile(`(?m)^\t\t([a-z_|]+\|)?`+word+`\b`).MatchString(overview) {
			t.Errorf("the overview lacks %s", word)
		}
	}
}

// What the pages show stays as it is under `caddy fmt`, but for the indentation that
// it likes: it takes the # of a bare path for a comment, and then sees no brace
// after it.
func TestExamplesSurviveFormatting(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "README.md", "Caddyfile.example") {
		for _, block := range blocksOf(t, page, "caddyfile", "") {
			depth := 0
			for line := range strings.Lines(string(caddyfile.Format([]byte(block)))) {
				text := strings.TrimSpace(line)
				if text == "}" {
					depth--
				}
				if text != "" && !strings.HasPrefix(line, strings.Repeat("\t", max(depth, 0))+text) {
					t.Errorf("%s: caddy fmt does not see where this line is, which is %d deep: %q\n%s", page, depth, line, block)
					break
				}
				if (text == "{" || strings.HasSuffix(text, " {")) && !strings.HasPrefix(text, "#") {
					depth++
				}
			}
		}
	}
}

// blocksOf returns the fenced blocks of a page that are of one of some kinds and look
// like a Caddyfile; of another file, all of it.
func blocksOf(t *testing.T, path string, kinds ...string) []string {
	t.Helper()
	text := pageText(t, path)
	if filepath.Ext(path) != ".md" {
		return []string{text}
	}
	var blocks []string
	for _, found := range fences.FindAllStringSubmatch(text, -1) {
		if slices.Contains(kinds, found[1]) && strings.Contains(found[2], " {\n") && strings.Contains(found[2], "}\n") {
			blocks = append(blocks, found[2])
		}
	}
	return blocks
}

// fences are the fenced blocks of a page: their kinds, and their texts.
var fences = regexp.MustCompile("(?ms)^```([a-z]*)$\n(.*?)^```$")

func pageText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
