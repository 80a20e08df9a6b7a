// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/egress"
)

// ReceiverTLS is what connections to one receiver have of their own.
type ReceiverTLS struct {
	// ClientCertificate and ClientKey are shown to the receiver: files in PEM
	// form, or PEM itself, as `{file./path}` gives it.
	ClientCertificate string `json:"client_certificate,omitempty"`
	ClientKey         string `json:"client_key,omitempty"`

	// CA are the authorities by one of which the receiver's certificate must
	// be signed, in the same forms. Default: the system's.
	CA []string `json:"ca,omitempty"`
}

// settings returns the settings; nil for none.
func (r *ReceiverTLS) settings(repl *filler) (*egress.TLS, error) {
	if r == nil {
		return nil, nil
	}
	var certificate, key, authorities []byte
	for _, field := range []struct {
		what string
		text string
		to   *[]byte
	}{{"client_certificate", r.ClientCertificate, &certificate}, {"client_key", r.ClientKey, &key}} {
		if field.text == "" {
			continue
		}
		var err error
		if *field.to, err = pemText(repl, field.what, field.text); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	for _, text := range r.CA {
		content, err := pemText(repl, "ca", text)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		authorities = append(append(authorities, content...), '\n')
	}
	settings, err := egress.NewTLS(certificate, key, authorities)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return settings, nil
}

// unmarshalTLS reads
//
//	tls {
//	    client_certificate <certificate> <key>
//	    ca <files...>
//	}
func (e *Endpoint) unmarshalTLS(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Errf("unexpected %q after tls; its options stand in a block", d.Val())
	}
	e.TLS = &ReceiverTLS{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word, args := d.Val(), d.RemainingArgs()
		switch {
		case word == "client_certificate" && len(args) == 2:
			e.TLS.ClientCertificate, e.TLS.ClientKey = args[0], args[1]
		case word == "ca" && len(args) > 0:
			e.TLS.CA = append(e.TLS.CA, args...)
		default:
			return d.Errf("tls of endpoint %s takes `client_certificate CERTIFICATE KEY` and `ca FILE...`, not `%s`", e.Name, word)
		}
	}
	if e.TLS.ClientCertificate == "" && len(e.TLS.CA) == 0 {
		return d.Errf("tls of endpoint %s is empty; add a client_certificate or a ca, or leave it out", e.Name)
	}
	return nil
}
