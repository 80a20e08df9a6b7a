// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/body"
)

// Words before a value that take a part of its text, or several. The last one before
// the value is the first to take: `segment:split:query:urls` takes a segment of each URL.
const (
	splitWord   = "split"   // the texts between commas, or, as `split;:`, between semicolons
	segmentWord = "segment" // the last segment of a URL's path, or, as `segment:2:`, the one before
)

// maxSegment is the farthest segment from the end that can be taken.
const maxSegment = 9

var errNoSegment = errors.New("no URL with so many segments")

// taking parses the words before a value. It returns the value without them, and what
// they do: for each two bytes, the first to take first.
func taking(text string) (rest, takes string, err error) {
	word, after, found := strings.Cut(text, ":")
	if !found {
		return text, "", nil
	}
	var own string
	switch {
	case word == splitWord:
		own = "s,"
	case len(word) == len(splitWord)+1 && strings.HasPrefix(word, splitWord) && strings.ContainsAny(word[len(splitWord):], ",;| +/"):
		own = "s" + word[len(splitWord):]
	case word == segmentWord:
		own = "g1"
		if digits, more, found := strings.Cut(after, ":"); found && digits != "" && strings.Trim(digits, "0123456789") == "" {
			if n, err := strconv.Atoi(digits); err != nil || n < 1 || n > maxSegment {
				return "", "", fmt.Errorf("%q: segments are counted from 1, the last, to %d", text, maxSegment)
			}
			own, after = "g"+digits[len(digits)-1:], more
		}
	default:
		return text, "", nil
	}
	rest, takes, err = taking(after)
	return rest, takes + own, err
}

// Takes reports whether the value is a part of what stands at its place.
func (v Value) Takes() bool { return v.takes != "" }

// splits reports whether the value is several parts of a text.
func (v Value) splits() bool { return strings.Contains(v.takes, "s") }

// Take returns what the value is of texts that stand at its place. It ends once there are
// more than the limit, and fails if one of them is not what the value takes a part of.
func (v Value) Take(texts []string, limit int) ([]string, error) {
	for i := 0; i < len(v.takes); i += 2 {
		var taken []string
		for _, text := range texts {
			if v.takes[i] == 's' {
				taken = appendSplit(taken, text, v.takes[i+1:i+2], limit)
				continue
			}
			segment, err := segmentOf(text, int(v.takes[i+1]-'0'))
			if err != nil {
				return nil, fmt.Errorf("%s: %q: %w", v, shortened(text), err)
			}
			taken = append(taken, segment)
		}
		texts = taken
	}
	return texts, nil
}

// TakeOne is Take of one text, "" if that is none or several.
func (v Value) TakeOne(text string) string {
	if !v.Takes() || text == "" {
		return text
	}
	texts, err := v.Take([]string{text}, 1)
	if err != nil || len(texts) != 1 {
		return ""
	}
	return texts[0]
}

// appendSplit appends what stands between separators, without white space around it, until
// there are more texts than the limit: a text is as long as strangers like.
func appendSplit(texts []string, text, separator string, limit int) []string {
	for part := range strings.SplitSeq(text, separator) {
		if len(texts) > limit {
			break
		}
		if part = strings.TrimSpace(part); part != "" {
			texts = append(texts, part)
		}
	}
	return texts
}

// segmentOf returns the n-th segment from the end of a URL's path, unescaped.
func segmentOf(text string, n int) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" {
		return "", errNoSegment
	}
	path := "/" + strings.TrimPrefix(u.EscapedPath(), "/")
	if !isPlain(path) && len(spellings(path)) > 1 {
		return "", errSpelling
	}
	segments := strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
	if len(segments) < n {
		return "", errNoSegment
	}
	return unescape(segments[len(segments)-n]), nil
}

// shortened returns the beginning of a text that a client has sent, for operators.
func shortened(text string) string {
	const most = 100
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// TakeRows returns what values are of the texts in rows, one for each value and perhaps
// others after them. It ends once there are more rows than the limit. Of a row of which two values take several, nobody knows which belong
// together.
func TakeRows(values []Value, rows [][]string, limit int) ([][]string, error) {
	for i, v := range values {
		if !v.Takes() {
			continue
		}
		var taken [][]string
		for _, row := range rows {
			texts, err := v.Take(row[i:i+1], limit)
			if err != nil {
				return nil, err
			}
			if len(texts) > 1 && slices.ContainsFunc(values[:i], Value.splits) {
				return nil, body.ErrUnpaired
			}
			for _, text := range texts {
				next := slices.Clone(row)
				next[i] = text
				taken = append(taken, next)
			}
			if len(taken) > limit {
				break
			}
		}
		rows = taken
	}
	return rows, nil
}
