// SPDX-License-Identifier: Apache-2.0

package partner

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
)

// The test endpoint sends what it is given to the callback of a type.
func TestEcho(t *testing.T) {
	s := newStage(t)
	for number, path := range map[int]string{5: "/completed", 6: "/rejected", 7: "/expired"} {
		s.register(number, path)
	}
	echo := func(key, partner, number, body string) system.Answer {
		t.Helper()
		return s.Request(t, key, "POST", "/v1/callbacks/echo/"+partner+"/"+number, body)
	}
	bodies := map[string]string{
		"5": `{"status":"completed","amount":1,%s"note":"of a test"}`,
		"6": `{"status":"rejected","reason":"amount",%s"note":"of a test"}`,
		"7": `{"status":"expired",%s"note":"of a test"}`,
	}
	paths := map[string]string{"5": "/completed", "6": "/rejected", "7": "/expired"}
	process, simulation := `"processUniqueId":"p1",`, `"simulationUniqueId":"s1",`
	s.part("simulated event", func(t *testing.T) {
		for number, body := range bodies {
			for _, id := range []string{process, simulation} {
				want := fmt.Sprintf(body, id)
				if got := echo("acme-key", Acme, number, want); got.Status != http.StatusAccepted {
					t.Fatalf("%s: %d %s", want, got.Status, got.Body)
				}
				s.Receiver.Await(t, want, func(d system.Delivery) bool {
					return d.Path == paths[number] && d.Body == want && d.Header.Get("Webhook-Op") == "test" && d.Header.Get("Webhook-Signature") != ""
				})
			}
		}
	})
	came := len(s.Receiver.Got())
	s.part("both ids", func(t *testing.T) {
		for number, body := range bodies {
			if got := echo("acme-key", Acme, number, fmt.Sprintf(body, process+simulation)); got.Status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", number, got.Status, got.Body)
			}
		}
	})
	s.part("neither id", func(t *testing.T) {
		for number, body := range bodies {
			if got := echo("acme-key", Acme, number, fmt.Sprintf(body, "")); got.Status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", number, got.Status, got.Body)
			}
		}
	})
	s.part("body of its type", func(t *testing.T) {
		odd := `{"status":"approved","amount":1,"reason":"amount","processUniqueId":"p1"}`
		for number := range bodies {
			if got := echo("acme-key", Acme, number, odd); got.Status != http.StatusBadRequest {
				t.Errorf("another status for %s: %d %s", number, got.Status, got.Body)
			}
			for other, body := range bodies {
				if number == other {
					continue
				}
				if got := echo("acme-key", Acme, number, fmt.Sprintf(body, process)); got.Status != http.StatusBadRequest {
					t.Errorf("the body of %s for %s: %d %s", other, number, got.Status, got.Body)
				}
			}
		}
	})
	s.part("path parameters", func(t *testing.T) {
		body := fmt.Sprintf(bodies["5"], process)
		for name, ask := range map[string]struct {
			key, partner, number string
			status               int
		}{
			"a type that there is not":    {"acme-key", Acme, "8", 404},
			"a name in place of one":      {"acme-key", Acme, "five", 404},
			"a partner who is not":        {"acme-key", "00000000-0000-4000-8000-000000000000", "5", 404},
			"another partner":             {"globex-key", Acme, "5", 404},
			"a partner without callbacks": {"globex-key", Globex, "5", 404},
			"nobody":                      {"nobodys-key", Acme, "5", 401},
		} {
			if got := echo(ask.key, ask.partner, ask.number, body); got.Status != ask.status {
				t.Errorf("%s: %d %s, want %d", name, got.Status, got.Body, ask.status)
			}
		}
	})
	// What was refused reached nobody: of each type, one that comes after it is the next.
	for number, body := range bodies {
		last := fmt.Sprintf(body, `"processUniqueId":"last",`)
		echo("acme-key", Acme, number, last)
		s.Receiver.Await(t, last, func(d system.Delivery) bool { return d.Body == last })
	}
	if got := s.Receiver.Got()[came:]; len(got) != len(bodies) {
		t.Errorf("the receiver got %+v", got)
	}
}
