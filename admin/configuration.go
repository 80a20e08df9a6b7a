// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/endpoint"
)

// NotShown stands in a configuration for what may be a secret.
const NotShown = "(not shown)"

// shownMembers are the members whose texts are shown. Whatever is not here is not shown: a
// new option, a header, a body, a value that something is compared with. A name is here only
// if it means nothing secret wherever it stands.
var shownMembers = []string{
	"algorithm", "alias", "allow_networks", "backfill", "batch", "caller_headers", "caller_ids", "conventions", "counts", "deny_networks", "description",
	"dir", "durability", "encoding", "endings", "event_types", "events", "fields", "format", "from", "hide", "id", "ids", "kind", "method", "method_override",
	"methods", "name", "next", "next_query", "on", "on_queue_error", "only", "only_hosts", "order", "paths", "pattern", "queue", "rate", "require", "resource",
	"scheme", "scopes", "show_from", "signature", "source", "statuses", "style", "success", "tenant", "timestamp_header", "to", "type", "version", "volatile",
	"when_disabled",
}

var (
	// shownHosts are the members whose URLs are shown as far as their hosts.
	shownHosts = []string{"token_url", "url"}
	// shownDurations are the members whose numbers are nanoseconds.
	shownDurations = []string{"deadline", "disable_after", "every", "lag", "overlap", "retention", "retry", "timeout", "upstream_timeout", "within"}
	// hiddenMembers hold what others have written the words of: nothing of it is shown.
	hiddenMembers = []string{"match", "sample", "schema"}
	// reference is a text that says where something stands, and not what.
	reference = regexp.MustCompile(`^\{(env|file)\.[A-Za-z0-9_./-]+\}$`)
)

// configuration answers what is configured, without secrets.
func (s *Server) configuration(w http.ResponseWriter, _ *http.Request) error {
	if s.Configuration == nil {
		return refuse(http.StatusNotFound, "there is no configuration here")
	}
	whole, err := s.Configuration()
	if err != nil {
		return err
	}
	shown, err := shownConfiguration(whole)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, shown)
}

// shownConfiguration returns what of a configuration may be shown. Objects keep the order of
// their names' letters.
func shownConfiguration(whole []byte) (json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(whole))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(shownValue("", value)); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(text.Bytes()), nil
}

// shownValue returns what may be shown of the value of a member; the values of an array are
// each of the same member.
func shownValue(member string, value any) any {
	if slices.Contains(hiddenMembers, member) {
		return NotShown
	}
	switch value := value.(type) {
	case map[string]any:
		if member == "upstream" {
			return shownUpstream(value)
		}
		shown := make(map[string]any, len(value))
		for name, of := range value {
			shown[name] = shownValue(name, of)
		}
		return shown
	case []any:
		shown := make([]any, len(value))
		for i, of := range value {
			shown[i] = shownValue(member, of)
		}
		return shown
	case json.Number:
		if n, err := value.Int64(); err == nil && slices.Contains(shownDurations, member) {
			return time.Duration(n).String()
		}
		return value
	case string:
		return shownText(member, value)
	}
	return value
}

// shownUpstream returns what is shown of the handler that reaches the API, which may be any:
// where to, if it says so as Caddy's reverse proxy does.
func shownUpstream(handler map[string]any) any {
	upstreams, _ := handler["upstreams"].([]any)
	var dials []any
	for _, of := range upstreams {
		if upstream, is := of.(map[string]any); is {
			if dial, is := upstream["dial"].(string); is && !strings.Contains(dial, "@") {
				dials = append(dials, dial)
			}
		}
	}
	return map[string]any{"dial": dials, "others": NotShown}
}

func shownText(member, text string) string {
	switch {
	case text == "" || reference.MatchString(text) || slices.Contains(shownMembers, member):
		return text
	case member == "path":
		// Of a request's path, the query may have a key in it.
		path, _, has := strings.Cut(text, "?")
		if has {
			path += "?" + NotShown
		}
		return path
	case slices.Contains(shownHosts, member):
		if public := endpoint.PublicURL(text); public != "" && public != "://" {
			return public + "/" + NotShown
		}
	}
	return NotShown
}
