// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// CallbackPrefix begins the name under which deliveries to the receivers that
// requests named are queued; the resource follows.
const CallbackPrefix = "notify."

// SealCallback checks a receiver that a request named against where a transport may
// send, and seals it.
func (p *Pipeline) SealCallback(transport *egress.Transport, resource string, named exchange.Callback) ([]byte, error) {
	if len(named.URL) > exchange.MaxCallbackURL || len(named.Authorization) > exchange.MaxCallbackAuthorization {
		return nil, fmt.Errorf("its URL is longer than %d bytes, or its authorization than %d", exchange.MaxCallbackURL, exchange.MaxCallbackAuthorization)
	}
	if err := transport.CheckURL(named.URL); err != nil {
		return nil, err
	}
	plain, err := json.Marshal(named)
	if err != nil {
		return nil, err
	}
	if p.keyring.Load() == nil {
		// The key is beside the queue, and read when the queue begins to be
		// opened. The exchange waits for that anyway, to be noted.
		_, _ = p.Enter(context.Background())
	}
	return p.seal(plain, CallbackPrefix+resource)
}

// callbackStore is where callbacks are stored.
type callbackStore interface {
	Callback(ctx context.Context, key event.Key) (queue.Callback, error)
	PutCallback(ctx context.Context, key event.Key, was, sealed []byte) error
}

// callback returns the receiver that is stored for an object. If a previous key has
// sealed it, it is sealed with the current key, so that the previous key can be
// removed in time. It is used even if that cannot be written.
func (p *Pipeline) callback(ctx context.Context, store callbackStore, resource string, key event.Key) (exchange.Callback, error) {
	var named exchange.Callback
	stored, err := store.Callback(ctx, key)
	if err != nil {
		return named, err
	}
	plain, stale, err := p.unseal(stored.Sealed, CallbackPrefix+resource)
	if err != nil {
		return named, err
	}
	if stale {
		sealed, err := p.seal(plain, CallbackPrefix+resource)
		if err == nil {
			err = store.PutCallback(ctx, key, stored.Sealed, sealed)
		}
		if err != nil && !errors.Is(err, queue.ErrNotFound) {
			p.log.Warn("a receiver that a request named could not be sealed with the current key", zap.String("object", key.String()), zap.Error(err))
		}
	}
	err = json.Unmarshal(plain, &named)
	return named, err
}

// errQueueClosed is returned for a delivery while the queue is not open.
var errQueueClosed = errors.New("the queue is not open")

// receiverOf returns how the receiver of an object of a resource is found.
func (p *Pipeline) receiverOf(resource string) emitter.Resolver {
	return func(ctx context.Context, key event.Key) (emitter.Address, error) {
		store := p.Queue()
		if store == nil {
			return emitter.Address{}, errQueueClosed
		}
		named, err := p.callback(ctx, store, resource, key)
		if errors.Is(err, queue.ErrNotFound) {
			return emitter.Address{}, emitter.ErrNoReceiver
		}
		if err != nil {
			return emitter.Address{}, err
		}
		return emitter.Address{URL: named.URL, Authorization: named.Authorization}, nil
	}
}

// errNoKeyring is returned while there is no key to seal with: the queue has
// not been opened yet.
var errNoKeyring = errors.New("there is no key to seal it with, as the queue is not open")

// seal encrypts a secret. Associated is the name of what it belongs to.
func (p *Pipeline) seal(plain []byte, associated string) ([]byte, error) {
	keyring := p.keyring.Load()
	if keyring == nil {
		return nil, errNoKeyring
	}
	return keyring.Seal(plain, []byte(associated)), nil
}

// unseal is the inverse of seal. Stale reports whether the secret should be sealed
// again.
func (p *Pipeline) unseal(sealed []byte, associated string) (plain []byte, stale bool, err error) {
	keyring := p.keyring.Load()
	if keyring == nil {
		return nil, false, errNoKeyring
	}
	return keyring.Open(sealed, []byte(associated))
}
