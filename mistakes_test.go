// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
)

// mistake is a row of the table in docs/mistakes.md.
type mistake struct {
	written, wrong, told, words string
}

// mistakes reads the table.
func mistakes(t *testing.T) (all []mistake) {
	t.Helper()
	text, err := os.ReadFile("docs/mistakes.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 4 || !strings.HasPrefix(line, "| `") {
			continue
		}
		cells[0], cells[3] = strings.TrimPrefix(cells[0], "| "), strings.TrimSuffix(cells[3], " |")
		all = append(all, mistake{strings.Trim(cells[0], "`"), cells[1], cells[2], strings.Trim(cells[3], "`")})
	}
	return all
}

// config returns the Caddyfile of a row: its lines stand in the handler of a site, or, with
// "global:", in the global options, one after each semicolon and brace.
func (m mistake) config() string {
	lines := func(text string) string {
		return strings.NewReplacer("; ", "\n", " { ", " {\n", " }", "\n}").Replace(text)
	}
	site, global := lines(m.written), ""
	if text, is := strings.CutPrefix(m.written, "global: "); is {
		site, global = "resource items", lines(text)
	}
	return "{\nadmin off\nwebhooks {\nqueue badger /nowhere\n" + global + "\n}\n}\n:80 {\nwebhooks {\nupstream localhost:9000\n" + site + "\n}\n}\n"
}

// refusal returns the error with which `caddy validate` refuses a Caddyfile.
func refusal(t *testing.T, text string) error {
	t.Helper()
	adapted, err := adapt(t, text)
	if err != nil {
		return err
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		return err
	}
	return caddy.Validate(&config)
}

// What the table of mistakes says of each is so: where it is told, and in which words. Few
// are told nowhere, each with its reason.
func TestMistakes(t *testing.T) {
	told := make(map[string]int)
	for _, m := range mistakes(t) {
		told[m.told]++
		t.Run(m.written, func(t *testing.T) {
			switch m.told {
			case "when it is read":
				if err := refusal(t, m.config()); err == nil || !strings.Contains(err.Error(), m.words) {
					t.Errorf("the error lacks %q: %v", m.words, err)
				}
			case "by traffic":
				m.passes(t)
			case "nowhere":
				if err := refusal(t, m.config()); err != nil || len(m.words) < 20 {
					t.Errorf("%v; the reason is %q", err, m.words)
				}
			default:
				t.Errorf("it is told %q", m.told)
			}
		})
	}
	if all := told["when it is read"] + told["by traffic"] + told["nowhere"]; all < 40 || told["nowhere"] > 4 {
		t.Errorf("the table has %d mistakes: %v", all, told)
	}
}

// passes has traffic pass, and compares what is said of the words of the configuration.
func (m mistake) passes(t *testing.T) {
	t.Helper()
	uncovered.Forget(func(string, string) bool { return true })
	rules := strings.NewReplacer("; ", "\n", " { ", " {\n", " }", "\n}").Replace(m.written)
	runScriptThen(t, m.wrong, rules, repeated(ordinary, effect.Enough), func(s *script) {
		var said []string
		for _, line := range s.handler.rules.Words.Lines() {
			said = append(said, line.String())
		}
		if text := strings.Join(said, "\n"); !strings.Contains(text, m.words) {
			t.Errorf("%q is not said: %s", m.words, text)
		}
	})
}

// ordinary is what passes: an item is made, changed and asked for, by REST and by RPC.
const ordinary = `api GET /items/%[1]d 200 {"id":%[1]d,"buyer":{"card":"c"},"state":"new","updatedAt":%[1]d,"n":1}
api GET /items 200 {"data":[{"id":1}]}
> POST /items {"callback":"https://a.example/","item":{"ref":7}}
< 201 {"itemId":%[1]d}
wait 1s
api GET /items/%[1]d 200 {"id":%[1]d,"buyer":{"card":"c"},"state":"new","updatedAt":%[1]d,"n":2}
> PUT /items/%[1]d {"user":7}
< 200 {"OK":true}
wait 1s
> POST /rpc {"method":"item.update","id":%[1]d}
< 200 {}
wait 1s
`
