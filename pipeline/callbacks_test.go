// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"bytes"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/memory"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
)

// What a previous key has sealed is sealed with the current one when it is
// used, and can be read when the previous is gone.
func TestReceiverIsSealedAgain(t *testing.T) {
	before, now := seal.NewKey(), seal.NewKey()
	p := &Pipeline{log: zap.NewNop()}
	use := func(current seal.Key, previous ...seal.Key) {
		t.Helper()
		ring, err := seal.NewKeyring(current, previous...)
		if err != nil {
			t.Fatal(err)
		}
		p.keyring.Store(ring)
	}
	store := memory.New(time.Now)
	defer store.Close()
	key := event.Key{Resource: "processes", ID: "p1"}
	use(before)
	sealed, err := p.seal([]byte(`{"url":"https://partner.example/","authorization":"Basic x"}`), CallbackPrefix+"processes")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.ResolveIntent(t.Context(), 0, queue.Resolution{Marks: []queue.Mark{{Key: key, Callback: sealed}}}, true); err != nil {
		t.Fatal(err)
	}

	want := exchange.Callback{URL: "https://partner.example/", Authorization: "Basic x"}
	use(now, before)
	if got, err := p.callback(t.Context(), store, "processes", key); err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
	stored, err := store.Callback(t.Context(), key)
	if err != nil || bytes.Equal(stored.Sealed, sealed) {
		t.Fatalf("it was not sealed again: %v", err)
	}
	use(now)
	if got, err := p.callback(t.Context(), store, "processes", key); err != nil || got != want {
		t.Fatalf("without the previous key: %+v, %v", got, err)
	}
	// It is bound to what it is for.
	if _, err := p.callback(t.Context(), store, "others", key); err == nil {
		t.Error("it can be read as another resource's")
	}
}

// A receiver that is named while the queue is about to be opened is sealed as soon
// as its directory belongs to this process, and not forgotten.
func TestReceiverNamedWhileOpening(t *testing.T) {
	goOn := make(chan struct{})
	p := New(&testEngine{dir: t.TempDir(), open: func(options queue.OpenOptions) (queue.Store, error) {
		options.Owned()
		<-goOn
		return newMoody(), nil
	}}, Opening{}, silent())
	defer func() {
		if err := p.Destruct(); err != nil {
			t.Error(err)
		}
	}()
	defer close(goOn)
	p.env.OpenTimeout = time.Millisecond
	transport := newConfig(t).Transport
	named := exchange.Callback{URL: "https://partner.example/", Authorization: "Basic x"}
	sealed, err := p.SealCallback(transport, "processes", named)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.unseal(sealed, CallbackPrefix+"processes"); err != nil {
		t.Error(err)
	}
}
