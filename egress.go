// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
)

// Egress says where deliveries may go.
type Egress struct {
	// AllowHTTP lets receivers be without TLS. For trying things out.
	AllowHTTP bool `json:"allow_http,omitempty"`

	// AllowNetworks are networks that receivers may be in besides public ones,
	// such as `127.0.0.0/8`.
	AllowNetworks []string `json:"allow_networks,omitempty"`

	// AllowSelf lets receivers be at this Caddy's own listeners, and where the
	// API is: a delivery there may change the API, and make the next one.
	AllowSelf bool `json:"allow_self,omitempty"`

	// DenyNetworks are networks that receivers may not be in, whatever else
	// permits them.
	DenyNetworks []string `json:"deny_networks,omitempty"`

	// OnlyHosts are the only hosts that receivers may be on, if there are any;
	// `*.example.com` stands for all hosts below example.com.
	OnlyHosts []string `json:"only_hosts,omitempty"`

	// From are the source addresses of deliveries, all of IPv4 or all of IPv6. Those of an
	// endpoint always come from the same one. Default: the system's choice.
	From []string `json:"from,omitempty"`

	// Proxy is the HTTP proxy through which deliveries go, as
	// `http://proxy.example:3128` or `https://…`, with `USER:PASSWORD@` before
	// the host if it asks for credentials. Names are looked up here, and it
	// is asked for addresses that this policy permits. Placeholders such as
	// `{env.NAME}` are replaced. Default: none, whatever the environment says.
	Proxy string `json:"proxy,omitempty"`
}

// transport makes a transport that keeps to the policy.
func (e *Egress) transport() (*egress.Transport, error) {
	policy, err := e.policy()
	if err != nil {
		return nil, err
	}
	transport, err := egress.New(policy, egress.Options{})
	if err != nil {
		return nil, fmt.Errorf("egress: %w", err)
	}
	return transport, nil
}

// policy returns the policy as the emitter wants it.
func (e *Egress) policy() (egress.Policy, error) {
	var policy egress.Policy
	if e == nil {
		return policy, nil
	}
	policy.AllowHTTP = e.AllowHTTP
	policy.AllowOwn = e.AllowSelf
	policy.OnlyHosts = e.OnlyHosts
	var err error
	if policy.AllowNetworks, err = parseNetworks("allow network", e.AllowNetworks); err != nil {
		return policy, err
	}
	if policy.DenyNetworks, err = parseNetworks("deny network", e.DenyNetworks); err != nil {
		return policy, err
	}
	if policy.Proxy, err = fill(newFiller(nil), "egress: proxy", e.Proxy); err != nil {
		return policy, err
	}
	for _, from := range e.From {
		address, err := netip.ParseAddr(from)
		if err != nil {
			return policy, fmt.Errorf("egress: from %s: write an IP address", from)
		}
		policy.From = append(policy.From, address)
	}
	return policy, nil
}

// addresses returns those from which deliveries come, as far as they are known: through a
// proxy, they come from that.
func (e *Egress) addresses() []string {
	if e == nil || e.Proxy != "" {
		return nil
	}
	return e.From
}

// written returns the part that can be checked before placeholders are replaced.
func (e *Egress) written() *Egress {
	if e == nil || !strings.Contains(e.Proxy, "{") {
		return e
	}
	written := *e
	written.Proxy = ""
	return &written
}

func parseNetworks(words string, texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("egress: %s %s: write the network with its length, as 10.0.0.0/8", words, text)
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

func (a *App) unmarshalEgress(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Errf("unexpected %q after egress; its options stand in a block", d.Val())
	}
	a.Egress = new(Egress)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		args := d.RemainingArgs()
		switch {
		case word == "allow" && len(args) == 1 && args[0] == "http":
			a.Egress.AllowHTTP = true
		case word == "allow" && len(args) > 1 && args[0] == "network":
			a.Egress.AllowNetworks = append(a.Egress.AllowNetworks, args[1:]...)
		case word == "allow" && len(args) == 1 && args[0] == "self":
			a.Egress.AllowSelf = true
		case word == "deny" && len(args) > 1 && args[0] == "network":
			a.Egress.DenyNetworks = append(a.Egress.DenyNetworks, args[1:]...)
		case word == "proxy" && len(args) == 1:
			a.Egress.Proxy = args[0]
		case word == "only" && len(args) > 1 && args[0] == "host":
			a.Egress.OnlyHosts = append(a.Egress.OnlyHosts, args[1:]...)
		case word == "from" && len(args) > 0:
			a.Egress.From = append(a.Egress.From, args...)
		default:
			return d.Errf("egress takes `allow http`, `allow network NETWORK...`, `allow self`, `deny network NETWORK...`, "+
				"`only host HOST...`, `from ADDRESS...` and `proxy URL`, not `%s`", word)
		}
		if _, err := a.Egress.written().transport(); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}
