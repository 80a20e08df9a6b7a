// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/emitter"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
)

// Each endpoint's deliveries come from the address that is its own.
func TestSourcesOfTargets(t *testing.T) {
	transport, err := egress.New(egress.Policy{From: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}}, egress.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer transport.Close()
	others := 0
	for n := range 20 {
		name := fmt.Sprintf("erp%d", n)
		c := &Config{Callbacks: map[string]endpoint.Endpoint{"items": {Name: name}}}
		targets := c.targets(nil, nil, transport, func(string) emitter.Resolver { return nil })
		if len(targets) != 1 || targets[0].Transport != transport.For(name) {
			t.Fatalf("%s goes by another way", name)
		}
		if targets[0].Transport != transport {
			others++
		}
	}
	if others == 0 {
		t.Error("all come from one address")
	}
}
