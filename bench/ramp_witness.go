// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/bench/ramp"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/promises"
)

// Paths of the receivers.
const steadyPath, troubledPath = "/steady", "/troubled"

// witness is the API of a ramp and both of its receivers: it sees when each change is
// committed, and when it is told.
type witness struct {
	delay   time.Duration
	padding string
	// hangFrom and hangTo are when the troubled receiver does not answer.
	hangFrom, hangTo time.Duration

	mu      sync.Mutex
	begun   time.Time
	seconds []ramp.Second
	objects map[string]*history
	oracle  []promises.Change
	steady  recipient
	// troubled gets a part of the objects, and does not answer for a while.
	troubled recipient
	hung     int
	// untold counts the changes that the steady receiver has not been told of.
	untold  int
	failed  int
	failure error // the first
}

// history is what is known of an object: when each of its versions was committed, the
// first of them being 1, and how many of them the steady receiver was told of.
type history struct {
	name      string
	committed []time.Time
	told      int
}

// recipient is what a receiver has got.
type recipient struct {
	name string
	// prefix is of the names of the objects that it gets.
	prefix string
	got    []promises.Delivery
	seen   map[string]bool // the events
}

func (r *recipient) gets(object string) bool { return strings.HasPrefix(object, r.prefix) }

func newWitness(delay, hangFrom, hangTo time.Duration) *witness {
	return &witness{
		delay: delay, padding: strings.Repeat("x", 900), hangFrom: hangFrom, hangTo: hangTo,
		begun: time.Now(), objects: make(map[string]*history),
		steady:   recipient{name: "steady", seen: make(map[string]bool)},
		troubled: recipient{name: "troubled", prefix: "orders/", seen: make(map[string]bool)},
	}
}

// listen starts the API and the receivers. The function that it returns ends them.
func (w *witness) listen() (stop func(), err error) {
	api, receivers := http.HandlerFunc(w.serveAPI), http.NewServeMux()
	receivers.HandleFunc(steadyPath, w.serveSteady)
	receivers.HandleFunc(troubledPath, w.serveTroubled)
	var servers []*http.Server
	stop = func() {
		for _, s := range servers {
			s.Close()
		}
	}
	for address, handler := range map[string]http.Handler{apiAddress: api, sinkAddress: receivers} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			stop()
			return nil, err
		}
		s := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
		servers = append(servers, s)
		go func() { _ = s.Serve(listener) }()
	}
	return stop, nil
}

// second returns the second in which a time is. The caller holds mu.
func (w *witness) second(at time.Time) *ramp.Second {
	n := max(0, int(at.Sub(w.begun)/time.Second))
	for len(w.seconds) <= n {
		next := ramp.Second{Untold: w.untold}
		if last := len(w.seconds) - 1; last >= 0 {
			// Until they are noted.
			next.Pending, next.Memory = w.seconds[last].Pending, w.seconds[last].Memory
		}
		w.seconds = append(w.seconds, next)
	}
	return &w.seconds[n]
}

// serveAPI answers after the API's delay. A change is committed when it has passed.
func (w *witness) serveAPI(writer http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	time.Sleep(w.delay)
	name := strings.TrimPrefix(r.URL.Path, "/")
	writer.Header().Set("Content-Type", "application/json")
	if r.Method != http.MethodGet {
		_, _ = writer.Write(w.commit(name))
		return
	}
	w.mu.Lock()
	version := w.version(name)
	w.mu.Unlock()
	if version == 0 {
		writer.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = writer.Write(w.render(name, version))
}

// commit changes an object, and returns its Show.
func (w *witness) commit(name string) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.objects[name]
	if h == nil {
		h = &history{name: strings.Clone(name)}
		w.objects[h.name] = h
	}
	now := time.Now()
	h.committed = append(h.committed, now)
	show := w.render(name, len(h.committed))
	w.oracle = append(w.oracle, promises.Change{Object: h.name, Show: digest(show)})
	w.untold++
	w.second(now).Untold = w.untold
	return show
}

// version returns an object's version, 0 if there is no such object. The caller holds mu.
func (w *witness) version(name string) int {
	if h := w.objects[name]; h != nil {
		return len(h.committed)
	}
	return 0
}

// shown returns the digest of an object's Show, for the end. The caller holds mu.
func (w *witness) shown(name string) []byte {
	return digest(w.render(name, w.version(name)))
}

func (w *witness) render(name string, version int) []byte {
	_, id, _ := strings.Cut(name, "/")
	return fmt.Appendf(nil, `{"id":%q,"version":%d,"state":"pending","description":%q}`, id, version, w.padding)
}

// digest stands for a Show of which there are too many to keep.
func digest(show []byte) []byte {
	sum := sha256.Sum256(show)
	return fmt.Appendf(nil, "version %d, %x", gjson.GetBytes(show, "version").Uint(), sum[:8])
}

func (w *witness) serveSteady(writer http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.mu.Lock()
	if w.take(&w.steady, r.Header, payload) {
		w.told(r.Header.Get("Webhook-Object"), int(gjson.GetBytes(payload, "version").Uint()))
	}
	w.mu.Unlock()
	writer.WriteHeader(http.StatusNoContent)
}

// told counts an event for the steady receiver, and for each change that it tells of, or
// that came before that one and was not told. The caller holds mu.
func (w *witness) told(object string, version int) {
	now := time.Now()
	second := w.second(now)
	second.Told++
	h := w.objects[object]
	if h == nil {
		return // judged in the end
	}
	for h.told < min(version, len(h.committed)) {
		second.Ages = append(second.Ages, milliseconds(now.Sub(h.committed[h.told])))
		h.told++
		w.untold--
	}
	second.Untold = w.untold
}

// serveTroubled does not answer while it hangs.
func (w *witness) serveTroubled(writer http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.mu.Lock()
	w.take(&w.troubled, r.Header, payload)
	since := time.Since(w.begun)
	hangs := since >= w.hangFrom && since < w.hangTo
	if hangs {
		w.hung++
	}
	w.mu.Unlock()
	if hangs {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	writer.WriteHeader(http.StatusNoContent)
}

// take keeps a delivery, and reports whether it is the first of its event. The caller
// holds mu.
func (w *witness) take(by *recipient, header http.Header, payload []byte) (first bool) {
	// A sequence that is no number is judged as one that is missing.
	sequence, _ := strconv.ParseUint(header.Get("Webhook-Sequence"), 10, 64)
	d := promises.Delivery{
		ID: event.IDOf(header.Get("Webhook-Id")), Object: header.Get("Webhook-Object"), Sequence: sequence,
		Kind: header.Get("Webhook-Event"), Payload: digest(payload),
	}
	if h := w.objects[d.Object]; h != nil {
		d.Object = h.name // one text for all
	}
	by.got = append(by.got, d)
	first = !by.seen[d.ID]
	by.seen[d.ID] = true
	return first
}

// answered counts a client's request that has ended.
func (w *witness) answered(begun time.Time, err error) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		if w.failed++; w.failure == nil {
			w.failure = err
		}
		return
	}
	second := w.second(now)
	second.Accepted++
	second.Latencies = append(second.Latencies, milliseconds(now.Sub(begun)))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// run returns what was seen.
func (w *witness) run(shape ramp.Shape) ramp.Run {
	w.mu.Lock()
	defer w.mu.Unlock()
	return ramp.Run{
		API: w.delay, Shape: shape, Seconds: w.seconds, Changes: len(w.oracle), Events: len(w.steady.seen),
		Troubled: ramp.Troubled{From: w.hangFrom, To: w.hangTo, Hung: w.hung, Events: len(w.troubled.seen)},
	}
}
