// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"net/http"
	"strings"
	"testing"
)

// An operator who has something looked at is told what came of it.
func TestLookOutcome(t *testing.T) {
	s := newStage(t)
	s.mustLoad(strings.Replace(s.config("", ""), "resource items", "resource items {\nlist GET /items items.#.id\n}", 1))
	s.put("/items/1", `{"id":"1","n":1}`)
	s.expect("items.updated items/1")
	says := func(want, problem string, args ...string) {
		t.Helper()
		printed, err := s.command(args...)
		if (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) || !strings.Contains(printed, want) {
			t.Errorf("%s: %v, want %q; printed %q, want %q", args, err, problem, printed, want)
		}
	}
	says("items/1 is as it was known", "", "look", "items/1")
	s.set("/items/1", `{"id":"1","n":2}`)
	says("items/1 has changed:\n    items.updated  evt_", "", "look", "items/1")
	s.expect("items.updated items/1")
	says("items/99 is not known, and the API does not have it", "", "look", "items/99")
	s.set("/items/1", `<html>login</html>`)
	says("", "items/1 could not be read: ", "look", "items/1")
	s.set("/items/1", "")
	says("items/1 has changed:\n    items.deleted  evt_", "", "look", "items/1", "--deleted")
	s.expect("items.deleted items/1")
	says("items/1 is gone, as was known", "", "look", "items/1")
	says(`"result": "gone"`, "", "look", "items/1", "--json")
	says("items/1 is noted", "", "look", "items/1", "--wait", "0")
	says("", `there is no resource "itms"`, "look", "itms/1")

	s.set("/items", `{"items":[{"id":"2"},{"id":"3"}]}`)
	s.set("/items/2", `{"id":"2"}`)
	s.set("/items/3", `{"id":"3"}`)
	says("items is listed: 2 objects.", "", "list", "items")
	s.set("/items", `<html>login</html>`)
	says("", "items could not be read: ", "list", "items")
}

// Deliveries say why they have not succeeded.
func TestLastErrorOfDeliveries(t *testing.T) {
	s, m := newStage(t), newMoody(t)
	m.answer(http.StatusInternalServerError)
	s.mustLoad(s.config("\nendpoint moody "+m.URL+" {\nsecret {env.TEST_SECRET}\nretry 1h\n}", ""))
	s.put("/items/1", `{"id":"1"}`)
	s.until("/webhooks/attempts", "code:500")
	if printed, err := s.command("deliveries"); err != nil || !strings.Contains(printed, "LAST ERROR") || !strings.Contains(printed, "500") {
		t.Errorf("%v:\n%s", err, printed)
	}
	if _, err := s.command("deliveries", "--endpoint", "nope"); err == nil || !strings.Contains(err.Error(), `there is no endpoint "nope"; there are `) {
		t.Errorf("of an endpoint that is not there: %v", err)
	}
}
