// SPDX-License-Identifier: Apache-2.0

package partner

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/caddy-webhooks/caddy-webhooks/examples/internal/system"
	"github.com/caddy-webhooks/caddy-webhooks/internal/freeport"
	"github.com/caddy-webhooks/caddy-webhooks/internal/lab"
)

var binary string

func TestMain(m *testing.M) { lab.Main(m, &binary) }

// stage is the running example. What happens inside the API happens when a test says so.
type stage struct {
	*system.System
	t     *testing.T
	later system.Later
	// fast is a duration: what happens after no more than that happens at once.
	fast atomic.Int64
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageWith(t, "every 10s", "every 1s")
}

// newStageWith replaces texts in the Caddyfile.
func newStageWith(t *testing.T, replace ...string) *stage {
	t.Helper()
	t.Setenv("PARTNER_PLATFORM_KEY", PlatformKey)
	s := &stage{t: t}
	api := New(Options{Later: func(after time.Duration, what func()) {
		if int64(after) <= s.fast.Load() {
			what()
			return
		}
		s.later.Hold(what)
	}})
	s.System = system.Start(t, binary, api.Handler(), replace...)
	return s
}

// callback is what a partner is told of a callback.
type callback struct {
	NotificationType int    `json:"notificationType"`
	CallbackURL      string `json:"callbackUrl"`
	Active           bool   `json:"active"`
	Secret           string `json:"secret,omitempty"`
}

// register sets Acme's callback of a type, at a path of the receiver.
func (s *stage) register(notificationType int, path string) callback {
	s.t.Helper()
	var made callback
	s.Wants(s.t, "acme-key", "PUT", callbackPath(Acme, notificationType), fmt.Sprintf(`{"callbackUrl":%q}`, s.Receiver.URL()+path), 200, &made)
	return made
}

func callbackPath(partner string, notificationType int) string {
	return fmt.Sprintf("/%s/callbacks/%d", partner, notificationType)
}

// callbacks returns those that a partner has.
func (s *stage) callbacks(key, partner string) (list []callback) {
	s.t.Helper()
	s.Wants(s.t, key, "GET", "/"+partner+"/callbacks", "", 200, &list)
	return list
}

// begin begins a process or a simulation, and returns its id.
func (s *stage) begin(key, partner, kind string, amount int) string {
	s.t.Helper()
	var made map[string]any
	s.Wants(s.t, key, "POST", "/partners/"+partner+"/"+kind, fmt.Sprintf(`{"amount":%d}`, amount), 201, &made)
	id, _ := cmp.Or(made["processUniqueId"], made["simulationUniqueId"]).(string)
	return id
}

// told waits for what a path of the receiver is told of an object.
func (s *stage) told(path, id string) system.Delivery {
	s.t.Helper()
	return s.Receiver.Await(s.t, id+" at "+path, func(d system.Delivery) bool { return d.Path == path && strings.Contains(d.Body, id) })
}

// at returns how many deliveries a path has got.
func (s *stage) at(path string) (n int) {
	for _, d := range s.Receiver.Got() {
		if d.Path == path {
			n++
		}
	}
	return n
}

// sign signs a process that has been approved.
func (s *stage) sign(id string) {
	s.t.Helper()
	s.later.Happen()
	s.Wants(s.t, "acme-key", "POST", "/partners/"+Acme+"/processes/"+id+"/signature", "", 200, nil)
}

// schemas returns what a body of each type has, compiled by another hand than ours.
func (s *stage) schemas() map[string]*jsonschema.Schema {
	s.t.Helper()
	var types []struct {
		Alias  string          `json:"alias"`
		Schema json.RawMessage `json:"schema"`
	}
	if err := s.Ask("/config/apps/webhooks/subscribers/types", &types); err != nil {
		s.t.Fatal(err)
	}
	made := make(map[string]*jsonschema.Schema)
	for _, of := range types {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(of.Schema)))
		if err != nil {
			s.t.Fatal(err)
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource("type.json", document); err != nil {
			s.t.Fatal(err)
		}
		made[of.Alias] = compiler.MustCompile("type.json")
	}
	return made
}

// part runs a part of a test, in which nothing else happens.
func (s *stage) part(name string, story func(t *testing.T)) {
	s.t.Helper()
	whole := s.t
	defer func() { s.t = whole }()
	whole.Run(name, func(t *testing.T) {
		s.t = t
		story(t)
	})
}

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
