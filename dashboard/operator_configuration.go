// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"encoding/json"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/admin"
)

// configurationPage is what is configured, without secrets.
type configurationPage struct {
	Code   code
	Hidden string
}

// showConfiguration shows what is in force.
func showConfiguration(v *visit) error {
	text, err := operate[json.RawMessage](v, get("configuration"))
	if err != nil {
		return err
	}
	return v.operating(http.StatusOK, "op-configuration", "Configuration", configurationPage{codeOf(text), admin.NotShown})
}
