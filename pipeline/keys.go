// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/seal"
)

// loadKeyring makes the keyring of a configuration's keys. If there are none, a key
// is made and kept beside the queue. It stays a previous key if keys are configured
// later, so that what it has sealed can be read.
func (p *Pipeline) loadKeyring(keys []seal.Key) {
	own, err := readKey(p.engine.Dir())
	if errors.Is(err, os.ErrNotExist) && len(keys) == 0 {
		own, err = makeKey(p.engine.Dir())
		if err == nil {
			p.log.Warn("no secrets_key is configured: secrets in the queue are sealed with a key in the queue's own directory. " +
				"Who can read the directory can read them; and a backup of the queue does not have the key. See docs/operations.md")
		}
	}
	switch {
	case err == nil:
		keys = append(keys[:len(keys):len(keys)], own)
	case errors.Is(err, os.ErrNotExist):
	default:
		p.log.Error("the key beside the queue cannot be used: what it has sealed cannot be read", zap.Error(err))
	}
	if len(keys) == 0 {
		p.keyring.Store(nil)
		return
	}
	ring, err := seal.NewKeyring(keys[0], keys[1:]...)
	if err != nil {
		p.log.Error("making the keyring", zap.Error(err))
		return
	}
	p.keyring.Store(ring)
}

// readKey reads the key beside the queue.
func readKey(dir string) (seal.Key, error) {
	text, err := os.ReadFile(filepath.Join(dir, queue.KeyFile))
	if err != nil {
		return seal.Key{}, err
	}
	key, err := seal.ParseKey(string(text))
	if err != nil {
		return seal.Key{}, fmt.Errorf("%s: %w", queue.KeyFile, err)
	}
	return key, nil
}

// makeKey makes a key beside the queue, which only this user may read. If another
// one was made at the same time, it returns that.
func makeKey(dir string) (seal.Key, error) {
	key := seal.NewKey()
	f, err := os.OpenFile(filepath.Join(dir, queue.KeyFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return readKey(dir)
	}
	if err != nil {
		return seal.Key{}, err
	}
	_, err = f.WriteString(key.Reveal() + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return seal.Key{}, errors.Join(err, os.Remove(f.Name()))
	}
	return key, nil
}
