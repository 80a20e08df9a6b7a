// SPDX-License-Identifier: Apache-2.0

// Package weblink reads the Link header (RFC 8288). The Go libraries that exist
// split the header at every comma or with an expression, and so lose or damage
// targets that hold a comma, and know no rel with several types.
package weblink

import (
	"net/http"
	"slices"
	"strings"
)

// Link is one link of a Link header.
type Link struct {
	// Target is the link's URI reference, as written.
	Target string
	// Rels are its relation types, in lower case.
	Rels []string
	// Anchor is the context of the link, "" for the resource that was asked for.
	Anchor string
}

// Next returns the target of the first link of the relation type next whose
// context is the resource that was asked for; "" if there is none.
func Next(header http.Header) string {
	for _, line := range header.Values("Link") {
		for _, link := range Parse(line) {
			if link.Anchor == "" && slices.Contains(link.Rels, "next") {
				return link.Target
			}
		}
	}
	return ""
}

// Parse returns the links of one Link header field, as RFC 8288, appendix B.2,
// reads them. It ends at what is no link; the links before it are returned.
func Parse(field string) (links []Link) {
	for {
		field = strings.TrimLeft(field, " \t,")
		rest, found := strings.CutPrefix(field, "<")
		if !found {
			return links
		}
		target, rest, found := strings.Cut(rest, ">")
		if !found {
			return links
		}
		link := Link{Target: strings.TrimSpace(target)}
		field = link.readParameters(rest)
		links = append(links, link)
	}
}

// readParameters reads the parameters behind a target, and returns what follows
// them.
func (l *Link) readParameters(field string) (rest string) {
	// Of a parameter that stands twice, the first counts (section 3.3).
	seen := make(map[string]bool)
	for {
		field = strings.TrimLeft(field, " \t")
		after, found := strings.CutPrefix(field, ";")
		if !found {
			return field
		}
		end := strings.IndexAny(after, "=;,")
		if end < 0 {
			return ""
		}
		name := strings.ToLower(strings.TrimSpace(after[:end]))
		field = after[end:]
		value := ""
		if after, found := strings.CutPrefix(field, "="); found {
			value, field = readValue(strings.TrimLeft(after, " \t"))
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		switch name {
		case "rel":
			l.Rels = strings.Fields(strings.ToLower(value))
		case "anchor":
			l.Anchor = value
		}
	}
}

// readValue reads a token or a quoted string (RFC 9110, section 5.6.4).
func readValue(field string) (value, rest string) {
	quoted, found := strings.CutPrefix(field, `"`)
	if !found {
		end := strings.IndexAny(field, ";,")
		if end < 0 {
			end = len(field)
		}
		return strings.TrimSpace(field[:end]), field[end:]
	}
	var text strings.Builder
	for i := 0; i < len(quoted); i++ {
		switch {
		case quoted[i] == '"':
			return text.String(), quoted[i+1:]
		case quoted[i] == '\\' && i+1 < len(quoted):
			i++
		}
		text.WriteByte(quoted[i])
	}
	// The quote is never closed.
	return text.String(), ""
}
