// SPDX-License-Identifier: Apache-2.0

package egress

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
)

// sources returns the source addresses of a policy, each once.
func (p Policy) sources() ([]netip.Addr, error) {
	var sources []netip.Addr
	for _, from := range p.From {
		from = from.Unmap()
		switch {
		case !from.IsValid() || from.IsUnspecified() || from.IsMulticast():
			return nil, fmt.Errorf("%w: from %s is no address that a connection can come from; name one of this machine's own", ErrBadPolicy, from)
		case len(sources) > 0 && sources[0].Is4() != from.Is4():
			return nil, fmt.Errorf("%w: from %s beside %s: an endpoint whose deliveries come from one reaches no receiver that has the other kind of address only; "+
				"name addresses of one kind", ErrBadPolicy, from, sources[0])
		}
		if !slices.Contains(sources, from) {
			sources = append(sources, from)
		}
	}
	return sources, nil
}

// For returns the transport for an endpoint, by its name. Of several source addresses it is
// always the same one, so that its connections stay; when addresses are added or removed,
// few endpoints get another.
func (t *Transport) For(name string) *Transport {
	chosen, highest := t, []byte(nil)
	for _, source := range append([]*Transport{t}, t.others...) {
		weight := sha256.Sum256(fmt.Appendf(nil, "%s %s", source.from, name))
		if bytes.Compare(weight[:], highest) > 0 {
			chosen, highest = source, weight[:]
		}
	}
	return chosen
}
