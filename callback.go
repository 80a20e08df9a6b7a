// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"github.com/caddy-webhooks/caddy-webhooks/exchange"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
)

// sealCallback implements intentQueue.
func (a *App) sealCallback(resource string, named exchange.Callback) ([]byte, error) {
	if len(named.URL) > exchange.MaxCallbackURL || len(named.Authorization) > exchange.MaxCallbackAuthorization {
		return nil, fmt.Errorf("its URL is longer than %d bytes, or its authorization than %d", exchange.MaxCallbackURL, exchange.MaxCallbackAuthorization)
	}
	if err := a.transport.CheckURL(named.URL); err != nil {
		return nil, err
	}
	plain, err := json.Marshal(named)
	if err != nil {
		return nil, err
	}
	return a.engine.seal(plain, callbackPrefix+resource)
}

// callbacks is where named receivers are stored.
type callbacks interface {
	Callback(ctx context.Context, key event.Key) (queue.Callback, error)
	PutCallback(ctx context.Context, key event.Key, was, sealed []byte) error
}

// receiver returns the receiver that is stored for an object. One that a
// previous key has sealed is sealed with the current one, so that the previous
// can be taken out in time. That this could not be written is no reason not to
// use it.
func (a *App) receiver(ctx context.Context, store callbacks, resource string, key event.Key) (exchange.Callback, error) {
	var named exchange.Callback
	stored, err := store.Callback(ctx, key)
	if err != nil {
		return named, err
	}
	plain, stale, err := a.engine.unseal(stored.Sealed, callbackPrefix+resource)
	if err != nil {
		return named, err
	}
	if stale {
		sealed, err := a.engine.seal(plain, callbackPrefix+resource)
		if err == nil {
			err = store.PutCallback(ctx, key, stored.Sealed, sealed)
		}
		if err != nil && !errors.Is(err, queue.ErrNotFound) {
			a.log.Warn("a receiver that a request named could not be sealed with the current key", zap.String("object", key.String()), zap.Error(err))
		}
	}
	err = json.Unmarshal(plain, &named)
	return named, err
}

// errNoKeyring is returned while there is no key to seal with: the queue has
// not been opened yet.
var errNoKeyring = errors.New("there is no key to seal it with, as the queue is not open")

// seal seals what only this queue may read.
func (e *engine) seal(plain []byte, associated string) ([]byte, error) {
	keyring := e.keyring.Load()
	if keyring == nil {
		return nil, errNoKeyring
	}
	return keyring.Seal(plain, []byte(associated)), nil
}

// unseal is the inverse of seal. Stale tells that it is due to be sealed again.
func (e *engine) unseal(sealed []byte, associated string) (plain []byte, stale bool, err error) {
	keyring := e.keyring.Load()
	if keyring == nil {
		return nil, false, errNoKeyring
	}
	return keyring.Open(sealed, []byte(associated))
}
