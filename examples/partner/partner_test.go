// SPDX-License-Identifier: Apache-2.0

package partner

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

var binary string

func TestMain(m *testing.M) { lab.Main(m, &binary) }

// What the document says of callbacks, see the README.
func TestCallbacks(t *testing.T) {
	s := newStage(t)
	s.part("create", func(t *testing.T) {
		made := s.register(5, "/first")
		if made.NotificationType != 5 || made.CallbackURL != s.Receiver.URL()+"/first" || !made.Active || !strings.HasPrefix(made.Secret, "whsec_") {
			t.Errorf("it is %+v", made)
		}
		id := s.begin("acme-key", Acme, "processes", 1000)
		s.sign(id)
		s.told("/first", id)
	})
	s.part("update", func(t *testing.T) {
		if made := s.register(5, "/completed"); made.CallbackURL != s.Receiver.URL()+"/completed" || made.Secret != "" {
			t.Errorf("it is %+v", made)
		}
		before := s.at("/first")
		id := s.begin("acme-key", Acme, "processes", 1000)
		s.sign(id)
		s.told("/completed", id)
		if s.at("/first") != before {
			t.Error("the URL of before was told, too")
		}
	})
	s.part("list", func(t *testing.T) {
		s.register(6, "/rejected")
		s.register(7, "/expired")
		list := s.callbacks("acme-key", Acme)
		slices.SortFunc(list, func(a, b callback) int { return a.NotificationType - b.NotificationType })
		url := s.Receiver.URL()
		want := []callback{{5, url + "/completed", true, ""}, {6, url + "/rejected", true, ""}, {7, url + "/expired", true, ""}}
		if !slices.Equal(list, want) {
			t.Errorf("they are %+v, want %+v", list, want)
		}
		if list := s.callbacks("globex-key", Globex); len(list) != 0 {
			t.Errorf("another partner has %+v", list)
		}
	})
	s.part("unknown partner", func(t *testing.T) {
		body := `{"callbackUrl":"https://partner.example/hook"}`
		unsupported := s.Wants(t, "acme-key", "PUT", callbackPath(Acme, 8), body, 404, nil)
		for name, ask := range map[string]struct{ key, partner string }{
			"it does not exist":          {"acme-key", "00000000-0000-4000-8000-000000000000"},
			"nobody has it":              {PlatformKey, "00000000-0000-4000-8000-000000000000"},
			"it is somebody else":        {"acme-key", Globex},
			"it is no GUID, but a trick": {"acme-key", Globex + "%2F.." + "%2F" + Acme},
		} {
			if got := s.Wants(t, ask.key, "PUT", callbackPath(ask.partner, 5), body, 404, nil); got.Body != unsupported.Body {
				t.Errorf("%s: %s", name, got.Body)
			}
		}
		s.Wants(t, "nobodys-key", "PUT", callbackPath(Acme, 5), body, 401, nil)
		if list := s.callbacks("globex-key", Globex); len(list) != 0 {
			t.Errorf("a partner has got %+v", list)
		}
	})
	s.part("unsupported type", func(t *testing.T) {
		for _, unsupported := range []string{"8", "0", "05", "outcome.*", "processes.created"} {
			s.Wants(t, "acme-key", "PUT", "/"+Acme+"/callbacks/"+unsupported, `{"callbackUrl":"https://partner.example/hook"}`, 404, nil)
		}
	})
	s.part("completed", func(t *testing.T) {
		id := s.begin("acme-key", Acme, "processes", 1000)
		s.sign(id)
		offer := s.begin("acme-key", Acme, "simulations", 1000)
		s.later.Happen()
		of := s.told("/completed", id)
		want := fmt.Sprintf(`{"amount":1000,"monthlyRate":0.019,"partnerUniqueId":%q,"processUniqueId":%q,"status":"completed"}`, Acme, id)
		if of.Method != http.MethodPost || strings.TrimSpace(of.Body) != want {
			t.Errorf("told by %s: %s", of.Method, of.Body)
		}
		if of := s.told("/completed", offer); !strings.Contains(of.Body, `"simulationUniqueId"`) {
			t.Errorf("told %s", of.Body)
		}
	})
	s.part("rejected", func(*testing.T) {
		process, offer := s.begin("acme-key", Acme, "processes", MaxAmount+1), s.begin("acme-key", Acme, "simulations", MaxAmount+1)
		s.later.Happen()
		s.told("/rejected", process)
		s.told("/rejected", offer)
	})
	s.part("expired", func(*testing.T) {
		process, offer := s.begin("acme-key", Acme, "processes", 1000), s.begin("acme-key", Acme, "simulations", 1000)
		s.later.Happen()
		s.told("/completed", offer)
		s.later.Happen()
		s.told("/expired", process)
		s.told("/expired", offer)
	})
	s.part("bodies", func(t *testing.T) {
		schemas, checked := s.schemas(), 0
		for _, d := range s.Receiver.Got() {
			number := map[string]string{"/completed": "5", "/rejected": "6", "/expired": "7"}[d.Path]
			if number == "" {
				continue
			}
			body, err := jsonschema.UnmarshalJSON(strings.NewReader(d.Body))
			if err = cmp.Or(err, schemas[number].Validate(body)); err != nil {
				t.Errorf("%s is no body of type %s: %v", d.Body, number, err)
			}
			checked++
		}
		if checked < 8 {
			t.Errorf("only %d bodies were checked", checked)
		}
	})
	s.part("another partner", func(t *testing.T) {
		id := s.begin("globex-key", Globex, "processes", MaxAmount+1)
		last := s.begin("acme-key", Acme, "processes", MaxAmount+1)
		s.later.Happen()
		s.told("/rejected", last)
		s.Eventually(t, "what became of the other partner's process is found", 2*time.Minute, func() error {
			var events struct{ Items []any }
			if err := s.Ask("/webhooks/events?object=processes/"+Globex+"/"+id, &events); err != nil || len(events.Items) == 0 {
				return errNotYet
			}
			return nil
		})
		if slices.ContainsFunc(s.Receiver.Got(), func(d system.Delivery) bool { return strings.Contains(d.Body, id) }) {
			t.Error("a partner was told of another's process")
		}
	})
	s.part("delete", func(t *testing.T) {
		s.Wants(t, "acme-key", "DELETE", callbackPath(Acme, 6), "", 204, nil)
		if list := s.callbacks("acme-key", Acme); slices.ContainsFunc(list, func(c callback) bool { return c.NotificationType == 6 }) {
			t.Errorf("it is still there: %+v", list)
		}
		missed := s.begin("acme-key", Acme, "processes", MaxAmount+1)
		s.later.Happen()
		s.Eventually(t, "it is rejected", 2*time.Minute, func() error {
			var events struct{ Items []any }
			if err := s.Ask("/webhooks/events?object=processes/"+Acme+"/"+missed, &events); err != nil || len(events.Items) == 0 {
				return errNotYet
			}
			return nil
		})
		s.register(6, "/again")
		id := s.begin("acme-key", Acme, "processes", MaxAmount+1)
		s.later.Happen()
		s.told("/again", id)
		if slices.ContainsFunc(s.Receiver.Got(), func(d system.Delivery) bool { return strings.Contains(d.Body, missed) }) {
			t.Error("it was told of what happened while there was no callback")
		}
	})
	s.part("delete what is not there", func(t *testing.T) {
		s.Wants(t, "globex-key", "DELETE", callbackPath(Globex, 5), "", 404, nil)
		s.Wants(t, "acme-key", "DELETE", callbackPath(Acme, 7), "", 204, nil)
		s.Wants(t, "acme-key", "DELETE", callbackPath(Acme, 7), "", 404, nil)
	})
}

var errNotYet = errors.New("it is not so yet")

// What has happened inside before the API even answers is told, too.
func TestFast(t *testing.T) {
	s := newStageWith(t, "every 10s", "every 1h")
	for number, path := range map[int]string{5: "/completed", 6: "/rejected", 7: "/expired"} {
		s.register(number, path)
	}
	s.fast.Store(int64(lapseAfter))
	for _, kind := range []string{"processes", "simulations"} {
		s.told("/rejected", s.begin("acme-key", Acme, kind, MaxAmount+1))
		s.told("/expired", s.begin("acme-key", Acme, kind, 1000))
	}
	s.fast.Store(int64(decideAfter))
	s.told("/completed", s.begin("acme-key", Acme, "simulations", 1000))
}

// A URL has to be public and of https, without the lines that let in receivers on this
// machine.
func TestPublicURL(t *testing.T) {
	s := newStageWith(t, "\t\t\tallow http\n\t\t\tallow network 127.0.0.0/8\n", "")
	for url, status := range map[string]int{
		"https://hooks.partner.example/acme?token=t": 200,
		"http://hooks.partner.example/acme":          422,
		"https://127.0.0.1/hook":                     422,
		"https://10.1.2.3/hook":                      422,
		"https://[::1]/hook":                         422,
		"https://169.254.169.254/latest/meta-data":   422,
		"ftp://hooks.partner.example/acme":           422,
		"not a URL":                                  422,
		"":                                           422,
	} {
		got := s.Request(t, "acme-key", "PUT", callbackPath(Acme, 5), fmt.Sprintf(`{"callbackUrl":%q}`, url))
		if got.Status != status || status != 200 && !strings.Contains(got.Body, `"pointer":"/callbackUrl"`) {
			t.Errorf("%q: %d %s, want %d", url, got.Status, got.Body, status)
		}
	}
}

// A request that changes something is told of at once: it does not wait for the next look.
func TestAtOnce(t *testing.T) {
	s := newStageWith(t, "every 10s", "every 1h")
	s.register(5, "/completed")
	id := s.begin("acme-key", Acme, "processes", 1000)
	s.sign(id)
	s.told("/completed", id)
}

// What a server did not take, or could not, since it was not there, comes again.
func TestRetry(t *testing.T) {
	s := newStage(t)
	address := freeport.Address(t)
	s.Wants(t, "acme-key", "PUT", callbackPath(Acme, 5), fmt.Sprintf(`{"callbackUrl":"http://%s/hook"}`, address), 200, nil)
	id := s.begin("acme-key", Acme, "processes", 1000)
	s.sign(id)
	s.attempts(1, func(a attempt) bool { return a.Code == 0 && a.Error != "" })

	s.Receiver.Answer(func(system.Delivery) int { return http.StatusServiceUnavailable })
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: s.Receiver, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	s.attempts(1, func(a attempt) bool { return a.Code == http.StatusServiceUnavailable })

	s.Receiver.Answer(func(system.Delivery) int { return http.StatusOK })
	s.attempts(1, func(a attempt) bool { return a.Code == http.StatusOK })
	s.told("/hook", id)
}

// attempt is an attempt as an operator sees it.
type attempt struct {
	Endpoint string `json:"endpoint"`
	Code     int    `json:"code"`
	Error    string `json:"error"`
}

// attempts waits for as many attempts of a kind at least. Those that would be due later
// are made now.
func (s *stage) attempts(want int, kind func(attempt) bool) {
	s.t.Helper()
	s.Eventually(s.t, "attempts", 2*time.Minute, func() error {
		var all struct {
			Items []attempt `json:"items"`
		}
		if err := s.Ask("/webhooks/attempts", &all); err != nil {
			return err
		}
		n := 0
		for _, a := range all.Items {
			if kind(a) {
				n++
			}
		}
		if n >= want {
			return nil
		}
		for _, a := range all.Items[:min(1, len(all.Items))] {
			if output, err := s.Run(s.t.Context(), "webhooks", "retry", a.Endpoint, "--address", s.Admin()); err != nil {
				return fmt.Errorf("%w: %s", err, output)
			}
		}
		return fmt.Errorf("there are %+v", all.Items)
	})
}

// A receiver that wants nothing any more is left alone. The partner sees that, and can
// change its mind.
func TestInactive(t *testing.T) {
	s := newStage(t)
	s.register(5, "/completed")
	s.Receiver.Answer(func(system.Delivery) int { return http.StatusGone })
	id := s.begin("acme-key", Acme, "processes", 1000)
	s.sign(id)
	s.Eventually(t, "the callback is listed as not active", 2*time.Minute, func() error {
		if list := s.callbacks("acme-key", Acme); len(list) != 1 || list[0].Active {
			return errNotYet
		}
		return nil
	})
	s.Receiver.Answer(func(system.Delivery) int { return http.StatusOK })
	var woken callback
	s.Wants(t, "acme-key", "PUT", callbackPath(Acme, 5), fmt.Sprintf(`{"callbackUrl":%q,"active":true}`, s.Receiver.URL()+"/completed"), 200, &woken)
	if !woken.Active {
		t.Errorf("it is %+v", woken)
	}
	s.told("/completed", id)
}

func TestReadme(t *testing.T) {
	system.CheckReadme(t, 15)
	system.CheckCaddyfile(t, binary)
	s := newStage(t)
	happens := s.Reader.Meanwhile
	s.Reader.Meanwhile = func(what string) error {
		switch what {
		case "inside":
			s.later.Happen()
		case "told completed simulation":
			s.Receiver.Await(t, what, func(d system.Delivery) bool {
				return d.Type() == "outcome.completed" && d.Header.Get("Webhook-Op") != "test"
			})
		default:
			return happens(what)
		}
		return nil
	}
	s.ReadAlong(t)
}
