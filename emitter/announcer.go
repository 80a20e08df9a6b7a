// SPDX-License-Identifier: Apache-2.0

package emitter

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

const (
	// waitingNotices limits how many operational events wait to be announced.
	// More only come where very many deliveries die at once; those that do not
	// fit are counted, and their deliveries are in the list of the dead all the
	// same.
	waitingNotices = 1024
	// announceTimeout limits a call to a queue that hangs.
	announceTimeout = 5 * time.Second
)

// Announcer announces operational events to those who subscribe to them. It does
// so one after another and apart from the deliveries, which must not wait for
// what an audience does.
type Announcer struct {
	queue    AnnouncerQueue
	metrics  AnnouncerMetrics
	log      *zap.Logger
	audience atomic.Pointer[Audience]
	notices  chan Notice
	stopped  chan struct{}
	once     sync.Once
	ended    sync.WaitGroup
}

// Audience is who hears of operational events.
type Audience struct {
	// Endpoints get the events that they subscribe to.
	Endpoints *endpoint.Set
	// Tell, if not nil, is called with every announcement.
	Tell func(Announcement)
}

// AnnouncerQueue is what an Announcer needs of the queue.
type AnnouncerQueue interface {
	Announce(ctx context.Context, e event.Event, endpoints []string) error
}

// AnnouncerMetrics counts operational events.
type AnnouncerMetrics interface {
	// Notice counts an operational event.
	Notice(eventType string)
	// NoticeLost counts one that is not announced, because too many wait.
	NoticeLost()
	// QueueFailed counts a failed call to the queue.
	QueueFailed(endpoint string)
}

// NewAnnouncer returns an Announcer that is at work, and has no audience yet.
func NewAnnouncer(store AnnouncerQueue, metrics AnnouncerMetrics, log *zap.Logger) *Announcer {
	a := &Announcer{
		queue: store, metrics: metrics, log: log,
		notices: make(chan Notice, waitingNotices), stopped: make(chan struct{}),
	}
	a.ended.Go(a.run)
	return a
}

// Apply replaces the audience.
func (a *Announcer) Apply(audience Audience) {
	a.audience.Store(&audience)
}

// Notify takes a notice and returns at once.
func (a *Announcer) Notify(n Notice) {
	a.metrics.Notice(n.Type)
	select {
	case a.notices <- n:
	default:
		a.metrics.NoticeLost()
	}
}

// Stop announces what is waiting, as long as the context lets it, and ends. It is
// idempotent.
func (a *Announcer) Stop(ctx context.Context) {
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

func (a *Announcer) run() {
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

// announce announces one notice.
func (a *Announcer) announce(n Notice) {
	audience := a.audience.Load()
	if audience == nil {
		return
	}
	about, ok := audience.Endpoints.Get(n.State.Name)
	if !ok {
		// It is gone from the configuration; its tenant is not known any more.
		about = endpoint.Endpoint{Name: n.State.Name}
	}
	told := newAnnouncement(n, about)
	if to := audience.Endpoints.MatchOperational(n.Type, about); len(to) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), announceTimeout)
		defer cancel()
		if err := a.queue.Announce(ctx, told.event(), to); err != nil {
			a.metrics.QueueFailed(n.State.Name)
			a.log.Error("an operational event could not be kept, and is not delivered",
				zap.String("type", n.Type), zap.String("endpoint", n.State.Name), zap.Error(err))
		}
	}
	if audience.Tell != nil {
		audience.Tell(told)
	}
}

// Announcement is the payload of an operational event, in the form that Standard
// Webhooks recommends.
type Announcement struct {
	Type      string           `json:"type"`
	Timestamp time.Time        `json:"timestamp"`
	Data      AnnouncementData `json:"data"`
}

// AnnouncementData says which endpoint an operational event is about, and how it
// stands.
type AnnouncementData struct {
	Endpoint     string               `json:"endpoint"`
	Host         string               `json:"host,omitempty"`
	Tenant       string               `json:"tenant,omitempty"`
	Status       queue.EndpointStatus `json:"status"`
	Reason       string               `json:"reason,omitempty"`
	Since        time.Time            `json:"since,omitzero"`
	FailingSince time.Time            `json:"failing_since,omitzero"`
	Failures     int                  `json:"failures,omitempty"`
	// Delivery is the one that is dead.
	Delivery *AnnouncedDelivery `json:"delivery,omitempty"`
}

// AnnouncedDelivery is a delivery that is dead.
type AnnouncedDelivery struct {
	EventID   string    `json:"event_id"`
	EventType string    `json:"event_type"`
	Object    string    `json:"object"`
	Sequence  uint64    `json:"sequence"`
	Attempts  int       `json:"attempts"`
	CreatedAt time.Time `json:"created_at"`
	Code      int       `json:"code,omitempty"`
	Error     string    `json:"error,omitempty"`
}

func newAnnouncement(n Notice, about endpoint.Endpoint) Announcement {
	told := Announcement{Type: n.Type, Timestamp: n.At.UTC(), Data: AnnouncementData{
		Endpoint: n.State.Name, Tenant: about.Tenant, Status: n.State.Status, Reason: n.State.Reason,
		Since: n.State.Since, FailingSince: n.State.FailingSince, Failures: n.State.Failures,
	}}
	if about.URL != "" {
		told.Data.Host = endpoint.PublicURL(about.URL)
	}
	if n.Delivery != nil {
		told.Data.Delivery = &AnnouncedDelivery{
			EventID: n.Delivery.EventID, EventType: n.Delivery.EventType, Object: n.Delivery.Key.String(), Sequence: n.Delivery.Sequence,
			Attempts: n.Delivery.Attempts, CreatedAt: n.Delivery.CreatedAt, Code: n.Attempt.Code, Error: n.Attempt.Error,
		}
	}
	return told
}

// event returns the operational event.
func (a Announcement) event() event.Event {
	payload, err := json.Marshal(a)
	if err != nil {
		// Nothing in an announcement cannot be JSON.
		payload = nil
	}
	return event.Event{
		Type: a.Type, Key: event.Key{Resource: OperationalResource, ID: a.Data.Endpoint}, Op: event.OpChange, Time: a.Timestamp,
		Tenant: a.Data.Tenant, ContentType: "application/json", Payload: payload,
	}
}
