// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// PublicKeyView is a public key that verifies deliveries, as a JSON Web Key (RFC 8037).
type PublicKeyView struct {
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	Alg   string `json:"alg"`
	Use   string `json:"use"`
	ID    string `json:"kid"`
	X     string `json:"x"`
	// Text is the key as Standard Webhooks writes it.
	Text string `json:"whpk"`
	// Endpoints are the caller's whose deliveries it verifies, but for those that the
	// configuration has for it.
	Endpoints []string `json:"endpoints"`
	// Until is when it verifies nothing more.
	Until time.Time `json:"until,omitzero"`
}

// publicKeysView is a JSON Web Key Set (RFC 7517).
type publicKeysView struct {
	Keys []PublicKeyView `json:"keys"`
}

// add notes the keys of an endpoint; id is "" for one of the configuration.
func (v *publicKeysView) add(id string, e *endpoint.Endpoint, now time.Time) {
	for _, key := range sign.PublicKeys(e.Signatures, e.Secrets, now) {
		text := key.String()
		at := slices.IndexFunc(v.Keys, func(k PublicKeyView) bool { return k.Text == text && k.ID == key.ID && k.Until.Equal(key.Until) })
		if at < 0 {
			at = len(v.Keys)
			v.Keys = append(v.Keys, PublicKeyView{
				Type: "OKP", Curve: "Ed25519", Alg: "EdDSA", Use: "sig", ID: key.ID, X: base64.RawURLEncoding.EncodeToString(key.Key),
				Text: text, Endpoints: []string{}, Until: key.Until,
			})
		}
		if id != "" {
			v.Keys[at].Endpoints = append(v.Keys[at].Endpoints, id)
		}
	}
}

// showPublicKeys answers with the keys that verify what is sent to the caller's endpoints.
func showPublicKeys(c *call) (*answer, error) {
	if _, err := parameters(c.r); err != nil {
		return nil, err
	}
	v := publicKeysView{Keys: []PublicKeyView{}}
	page := queue.Page{Limit: queue.MaxLimit}
	for {
		own, next, err := c.book.Of(c.r.Context(), c.caller.Tenant, page)
		if err != nil {
			return nil, err
		}
		for i := range own {
			// One that cannot be delivered to signs nothing.
			if as, err := readAs(own[i], c.options.Template); err == nil {
				v.add(own[i].ID, &as, c.now)
			}
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	for e := range c.options.Endpoints().All() {
		// Those of no tenant are the operator's, and not those of callers who share one.
		of := e.Tenant != "" || c.options.Named
		if of && e.Tenant == c.caller.Tenant && !subscribers.IsID(e.Name) {
			v.add("", &e, c.now)
		}
	}
	slices.SortFunc(v.Keys, func(a, b PublicKeyView) int { return strings.Compare(a.ID+a.Text, b.ID+b.Text) })
	return ok(v)
}
