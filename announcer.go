// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// waitingNotices bounds how many operational events wait to be told. More
	// only come where very many deliveries die at once; those that do not fit
	// are counted, and their deliveries are in the list of the dead all the
	// same.
	waitingNotices = 1024
	// announceTimeout bounds a call to a queue that hangs.
	announceTimeout = 5 * time.Second
	// caddyEvents begins the names of our events in Caddy's events app.
	caddyEvents = "webhooks."
)

// announcer tells operational events: to the endpoints that subscribe to them,
// and to Caddy's events app. It does so one after another and apart from the
// deliveries, which must not wait for what handlers of Caddy's events do.
type announcer struct {
	queue   announceQueue
	log     *zap.Logger
	app     atomic.Pointer[App]
	notices chan emitter.Notice
	stopped chan struct{}
	once    sync.Once
	ended   sync.WaitGroup
}

// announceQueue is what an announcer needs of the queue.
type announceQueue interface {
	Announce(ctx context.Context, e event.Event, endpoints []string) error
}

func newAnnouncer(store announceQueue, log *zap.Logger) *announcer {
	a := &announcer{
		queue: store, log: log,
		notices: make(chan emitter.Notice, waitingNotices), stopped: make(chan struct{}),
	}
	a.ended.Go(a.run)
	return a
}

// apply takes over the endpoints of a configuration.
func (a *announcer) apply(app *App) {
	a.app.Store(app)
}

// notify takes a notice and returns at once.
func (a *announcer) notify(n emitter.Notice) {
	metrics.operational.WithLabelValues(n.Type).Inc()
	select {
	case a.notices <- n:
	default:
		metrics.troubles.WithLabelValues("notice_lost").Inc()
	}
}

// stop tells what is waiting, as long as the context lets it, and ends.
func (a *announcer) stop(ctx context.Context) {
	a.once.Do(func() { close(a.stopped) })
	done := make(chan struct{})
	go func() {
		a.ended.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (a *announcer) run() {
	for {
		select {
		case n := <-a.notices:
			a.announce(n)
			continue
		default:
		}
		select {
		case n := <-a.notices:
			a.announce(n)
		case <-a.stopped:
			return
		}
	}
}

// announce tells one notice.
func (a *announcer) announce(n emitter.Notice) {
	app := a.app.Load()
	if app == nil {
		return
	}
	about, ok := app.endpoints.Get(n.State.Name)
	if !ok {
		// It is gone from the configuration; its tenant is not known any more.
		about = endpoint.Endpoint{Name: n.State.Name}
	}
	told := newNoticeView(n, about)
	if to := app.endpoints.MatchOperational(n.Type, about); len(to) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), announceTimeout)
		defer cancel()
		if err := a.queue.Announce(ctx, told.event(n), to); err != nil {
			metrics.troubles.WithLabelValues("queue_failed").Inc()
			a.log.Error("an operational event could not be kept, and is not delivered",
				zap.String("type", n.Type), zap.String("endpoint", n.State.Name), zap.Error(err))
		}
	}
	app.emit(n.Type, told)
}

// noticeView is the payload of an operational event, as Standard Webhooks
// recommends one.
type noticeView struct {
	Type      string     `json:"type"`
	Timestamp time.Time  `json:"timestamp"`
	Data      noticeData `json:"data"`
}

type noticeData struct {
	Endpoint     string               `json:"endpoint"`
	Host         string               `json:"host,omitempty"`
	Tenant       string               `json:"tenant,omitempty"`
	Status       queue.EndpointStatus `json:"status"`
	Reason       string               `json:"reason,omitempty"`
	FailingSince time.Time            `json:"failing_since,omitzero"`
	Failures     int                  `json:"failures,omitempty"`
	// Delivery is the one that is dead.
	Delivery *noticeDelivery `json:"delivery,omitempty"`
}

type noticeDelivery struct {
	EventID   string    `json:"event_id"`
	EventType string    `json:"event_type"`
	Object    string    `json:"object"`
	Sequence  uint64    `json:"sequence"`
	Attempts  int       `json:"attempts"`
	CreatedAt time.Time `json:"created_at"`
	Code      int       `json:"code,omitempty"`
	Error     string    `json:"error,omitempty"`
}

func newNoticeView(n emitter.Notice, about endpoint.Endpoint) noticeView {
	view := noticeView{Type: n.Type, Timestamp: n.At.UTC(), Data: noticeData{
		Endpoint: n.State.Name, Tenant: about.Tenant, Status: n.State.Status, Reason: n.State.Reason,
		FailingSince: n.State.FailingSince, Failures: n.State.Failures,
	}}
	if about.URL != "" {
		view.Data.Host = origin(about.URL)
	}
	if n.Delivery != nil {
		view.Data.Delivery = &noticeDelivery{
			EventID: n.Delivery.EventID, EventType: n.Delivery.EventType, Object: n.Delivery.Key.String(), Sequence: n.Delivery.Sequence,
			Attempts: n.Delivery.Attempts, CreatedAt: n.Delivery.CreatedAt, Code: n.Attempt.Code, Error: n.Attempt.Error,
		}
	}
	return view
}

// event returns the event that tells the notice.
func (v noticeView) event(n emitter.Notice) event.Event {
	payload, err := json.Marshal(v)
	if err != nil {
		// Nothing in a notice cannot be JSON.
		payload = nil
	}
	return event.Event{
		Type: v.Type, Key: event.Key{Resource: emitter.OperationalResource, ID: n.State.Name}, Op: event.OpChange, Time: v.Timestamp,
		Tenant: v.Data.Tenant, ContentType: "application/json", Payload: payload,
	}
}

// emit tells Caddy's events app, under the name of the operational event after
// "webhooks.".
func (a *App) emit(eventType string, view noticeView) {
	if a.events == nil {
		return
	}
	data := map[string]any{
		"endpoint": view.Data.Endpoint, "host": view.Data.Host, "tenant": view.Data.Tenant,
		"status": string(view.Data.Status), "reason": view.Data.Reason,
		"failing_since": view.Data.FailingSince, "failures": view.Data.Failures,
	}
	if d := view.Data.Delivery; d != nil {
		data["event"], data["event_type"], data["object"] = d.EventID, d.EventType, d.Object
		data["attempts"], data["code"], data["error"] = d.Attempts, d.Code, d.Error
	}
	a.events.Emit(a.ctx, caddyEvents+eventType, data)
}

// provisionEvents finds Caddy's events app.
func (a *App) provisionEvents(ctx caddy.Context) error {
	found, err := ctx.App("events")
	if err != nil {
		return err
	}
	a.events = found.(*caddyevents.App)
	return nil
}
