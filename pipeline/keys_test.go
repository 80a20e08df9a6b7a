// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/seal"
)

// What one configuration's key has sealed, the next can open whose previous key it
// is; and the key beside the queue stays a previous one.
func TestKeyring(t *testing.T) {
	p := newPipeline(t, silent(), nil)
	one, two := seal.NewKey(), seal.NewKey()
	c := newConfig(t)
	start(t, p, c)
	sealed, err := p.seal([]byte("secret"), "erp")
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		keys  []seal.Key
		stale bool
	}{
		{nil, false},
		{[]seal.Key{one}, true},
		{[]seal.Key{two, one}, true},
	} {
		next := newConfig(t)
		next.Keys = step.keys
		start(t, p, next)
		plain, stale, err := p.unseal(sealed, "erp")
		if err != nil || stale != step.stale || string(plain) != "secret" {
			t.Errorf("step %d: %q, %v, %v", i, plain, stale, err)
		}
		if sealed, err = p.seal([]byte("secret"), "erp"); err != nil {
			t.Fatal(err)
		}
	}
}
