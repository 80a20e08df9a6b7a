// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
)

// Words without effect are told once, with their lines, in the log, to operators and to
// health checks; one that should hide something turns health red. When it has an effect,
// that is told, and over.
func TestWordsAreTold(t *testing.T) {
	uncovered.Forget(func(string, string) bool { return true })
	s := newStage(t)
	log := filepath.Join(t.TempDir(), "log")
	config := s.logged(s.config("", ""), log)
	config = strings.Replace(config, "resource items", "resource items {\nversion n\nhide id buyer.crad\nupdate PUT /item/:id/pay\n}", 1)
	s.mustLoad(config)
	line := func(word string) string {
		return fmt.Sprintf("Caddyfile:%d", strings.Count(config[:strings.Index(config, word)], "\n")+1)
	}
	for i := range effect.Enough + 5 {
		s.put(fmt.Sprintf("/items/%d", i), fmt.Sprintf(`{"id":%d,"n":"","buyer":{"card":1}}`, i))
		s.tryAnything("PUT", fmt.Sprintf("/items/%d/pay", i))
		s.tryAnything("PUT", fmt.Sprintf("/itme/%d/pay", i))
	}
	const over, silent, leaks = "has an effect now", "a word of the configuration has no effect\"", "what it should hide may be sent"
	eventually(t, "it is told", func() bool {
		return strings.Count(readText(t, log), leaks) == 1 && strings.Count(readText(t, log), silent) == 2
	})
	text := readText(t, log)
	for _, want := range []string{
		`"word":"hide buyer.crad","at":"` + line("hide id") + `"`, "there is buyer.card",
		`"word":"version n","at":"` + line("version n") + `"`,
		`"word":"update PUT /item/:id/pay","at":"` + line("update PUT") + `"`, "requests PUT /itme/:id/pay passed that no rule matches",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "hide id") || strings.Contains(text, over) {
		t.Errorf("what has an effect is told:\n%s", text)
	}
	status, health := s.get("/webhooks/health")
	if status != http.StatusServiceUnavailable || len(health["problems"].([]any)) != 1 || !strings.HasPrefix(health["problems"].([]any)[0].(string), "hide buyer.crad, in resource items (Caddyfile:") ||
		len(health["notices"].([]any)) != 2 {
		t.Errorf("health: %d %v", status, health)
	}
	printed, err := s.command("coverage")
	if err != nil || !strings.Contains(printed, "Words without effect:\n- hide buyer.crad") || strings.Count(printed, "\n- ") != 3 {
		t.Errorf("coverage: %v\n%s", err, printed)
	}
	if got := s.gauge("caddy_webhooks_words_without_effect"); got != `{word="hide"} 1 {word="other"} 2` {
		t.Errorf("metrics: %s", got)
	}

	s.put("/items/0", `{"id":0,"n":1,"buyer":{"crad":1}}`)
	s.tryAnything("PUT", "/item/0/pay")
	eventually(t, "it is over", func() bool { return strings.Count(readText(t, log), over) == 3 })
	if status, health := s.get("/webhooks/health"); status != http.StatusOK || len(health["problems"].([]any)) != 0 || health["notices"] != nil {
		t.Errorf("health afterwards: %d %v", status, health)
	}
	if got := s.gauge("caddy_webhooks_words_without_effect"); got != `{word="hide"} 0 {word="other"} 0` {
		t.Errorf("metrics afterwards: %s", got)
	}
}

// A new configuration counts anew, and compares its rules with what the old one had no
// rule for. In JSON, where there are no lines, a word is told by its place.
func TestWordsOfConfigurations(t *testing.T) {
	uncovered.Forget(func(string, string) bool { return true })
	s := newStage(t)
	config := s.config("", "resource users")
	s.mustLoad(config)
	for i := range effect.Enough {
		s.tryAnything("POST", fmt.Sprintf("/orders/%d/ship", i))
	}
	words := func() (all []string) {
		_, answer := s.get("/webhooks/coverage")
		for _, line := range answer["words"].([]any) {
			l := line.(map[string]any)
			all = append(all, fmt.Sprint(l["word"], " at ", l["at"], ": ", l["looked"]))
		}
		return all
	}
	if got := words(); len(got) != 0 {
		t.Errorf("at first: %q", got)
	}
	adapted, err := adapt(t, strings.Replace(config, "resource users", "resource orders {\nshow GET /order/:id\nupdate POST /order/:id/ship\n}", 1))
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(adapted, &tree); err != nil {
		t.Fatal(err)
	}
	withoutLines(tree)
	if adapted, err = json.Marshal(tree); err != nil {
		t.Fatal(err)
	}
	if err := s.loadJSON(adapted); err != nil {
		t.Fatal(err)
	}
	want := []string{"update POST /order/:id/ship at resources/1/rules/0: 20"}
	if got := words(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("with a rule: %q, want %q", got, want)
	}
	s.mustLoad(strings.Replace(config, "resource users", "resource orders {\nupdate POST /orders/:id/ship\n}", 1))
	if got := words(); len(got) != 0 {
		t.Errorf("with the right rule: %q", got)
	}
}

// withoutLines takes out of a configuration what its adapter notes of lines.
func withoutLines(tree any) {
	switch of := tree.(type) {
	case map[string]any:
		delete(of, "lines")
		for _, member := range of {
			withoutLines(member)
		}
	case []any:
		for _, element := range of {
			withoutLines(element)
		}
	}
}

// Two sites may have the same resource, on different lines.
func TestSameResourceOnOtherLines(t *testing.T) {
	s := newStage(t)
	config := s.config("", "")
	site := config[strings.Index(config, "http://"+s.address):]
	s.mustLoad(config + strings.Replace(site, "http://"+s.address, "http://other.example:"+s.address[strings.LastIndexByte(s.address, ':')+1:], 1))
}

// gauge returns the samples of a metric.
func (s *stage) gauge(name string) string {
	s.t.Helper()
	response := s.getAdmin("/metrics")
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var samples []string
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, found := strings.CutPrefix(line, name); found {
			samples = append(samples, rest)
		}
	}
	return strings.Join(samples, " ")
}
