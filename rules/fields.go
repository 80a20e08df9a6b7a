// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/body"
)

// queryTexts returns what servers may find under a name in a query. Of a name that is
// repeated they take the first, the last, or all; some take ";" for "&", do not regard
// case, or take "." and " " in a name for "_".
func queryTexts(query, name string) (found body.Texts) {
	if query == "" {
		return found
	}
	exact, others := 0, 0
	for pair := range strings.SplitSeq(query, "&") {
		for i, part := range strings.Split(pair, ";") {
			key, value, _ := strings.Cut(part, "=")
			key = plainField(key)
			switch {
			case key == name && i == 0:
				exact++
				if whole, _, found := strings.Cut(pair, ";"); found && whole == part {
					others++ // the value may go on after the ";"
				}
			case sameParameter(key, name):
				others++
			default:
				continue
			}
			found.Add(plainField(value))
		}
	}
	found.Unsure = exact > 1 || others > 0
	if exact == 0 && others > 0 {
		found.Add("")
	}
	return found
}

// plainField decodes a part of a query. One that is not well-formed stays as it is.
func plainField(text string) string {
	plain, err := url.QueryUnescape(text)
	if err != nil {
		return text
	}
	return plain
}

// sameParameter reports whether a server may take one parameter for another.
func sameParameter(key, name string) bool {
	key, _, _ = strings.Cut(key, "\x00")
	return strings.EqualFold(key, name) || strings.EqualFold(parameterNames.Replace(strings.TrimLeft(key, " ")), name) ||
		strings.EqualFold(strings.TrimSuffix(key, "[]"), name)
}

var parameterNames = strings.NewReplacer(".", "_", " ", "_", "[", "_")

// headerTexts returns what servers may find in a field of a header. Of a field that
// is repeated they take the first, the last, or all with commas between; CGI and WSGI
// take "_" for "-".
func headerTexts(header http.Header, name string) (found body.Texts) {
	values := header.Values(name)
	for _, value := range values {
		found.Add(value)
	}
	found.Unsure = len(values) > 1
	if !strings.ContainsAny(name, "-_") {
		return found
	}
	plain := strings.ReplaceAll(name, "_", "-")
	for other, values := range header {
		if http.CanonicalHeaderKey(name) != other && strings.EqualFold(strings.ReplaceAll(other, "_", "-"), plain) {
			for _, value := range values {
				found.Add(value)
			}
			if len(found.All) == len(values) {
				found.Add("")
			}
			found.Unsure = true
		}
	}
	return found
}
