// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// errSpelling is why an exchange is not about a known object: servers disagree
// about its path.
var errSpelling = errors.New("servers read the request's path in different ways, so it does not say for sure which object it is about; " +
	"see `slashes`")

// Servers disagree about paths. WSGI, Go's ServeMux and PHP decode a path before
// they split it, so that "%2F" separates segments; IIS takes "\" for "/", and
// leaves out dots and spaces at the end of a segment; servlets leave out what
// follows a ";"; C strings end at a NUL; proxies decode once more; old decoders
// take overlong UTF-8. Each such habit is a field of reader.
type reader struct {
	// decodes is how often the path is decoded before it is split. With 0, each
	// segment is decoded once after that.
	decodes int
	// dots resolves dot segments.
	dots bool
	// backslashes takes "\" for "/", and what resembles either.
	backslashes bool
	// parameters leaves out what follows a ";" in a segment.
	parameters bool
	// ends leaves out dots, spaces and control characters at the end of a segment.
	ends bool
	// nul ends the path at a NUL.
	nul bool
}

// maxDecodes is how often a path is decoded at most, by a chain of servers.
const maxDecodes = 3

// maxSpelled is the longest path that is read in all ways. Of a longer one, only
// the plainest and the most lenient reading count.
const maxSpelled = 2 << 10

// usual is the reading of servers that route by the escaped path.
var usual = reader{dots: true}

// lenient is the reading that undoes most.
var lenient = reader{decodes: maxDecodes, dots: true, backslashes: true, parameters: true, ends: true, nul: true}

// isPlain reports whether all servers read an escaped path alike, but for doubled
// slashes.
func isPlain(escaped string) bool {
	for i := range len(escaped) {
		switch escaped[i] {
		case '%', ';', '\\':
			return false
		case '.':
			if i == len(escaped)-1 || escaped[i+1] == '/' {
				return false
			}
		}
	}
	return true
}

// spellings returns the paths that servers may take an escaped path for, each once
// and escaped in one way, the usual first. If there is one, they agree.
func spellings(escaped string) []string {
	all := []string{usual.read(escaped)}
	add := func(r reader) {
		if path := r.read(escaped); !slices.Contains(all, path) {
			all = append(all, path)
		}
	}
	add(lenient)
	add(reader{})
	if len(all) == 1 || len(escaped) > maxSpelled {
		// What the usual reading keeps, the lenient one does not undo; so no
		// other reading does.
		return all
	}
	decodes, habits := habitsFor(escaped)
	sets := subsets(habits)
	if len(escaped)*decodes*len(sets) > maxReading {
		sets = [][]habit{nil, habits}
	}
	for n := range decodes {
		for _, set := range sets {
			r := reader{decodes: n}
			for _, has := range set {
				has(&r)
			}
			add(r)
		}
	}
	return all
}

// maxReading limits the work on one path: its length times the number of readings.
// It is half a millisecond's. The habits of a longer path are taken all together, or
// none of them.
const maxReading = 24 << 10

// habit gives a reader one habit.
type habit func(*reader)

// habitsFor returns how many numbers of decodings there are that make a difference to
// a path, and which habits do.
func habitsFor(escaped string) (decodes int, habits []habit) {
	text, decodes := escaped, 1
	odd := false // whether there is overlong UTF-8
	for decodes <= maxDecodes {
		next := decodeAgain(text, true)
		odd = odd || next != decodeAgain(text, false)
		if next == text {
			break
		}
		text = next
		decodes++
	}
	most := lookalikes.Replace(text)
	slashes := odd || most != text
	if slashes {
		// Who routes by the escaped path takes none for a slash.
		decodes = max(decodes, 2)
	}
	for _, h := range []struct {
		matters bool
		habit   habit
	}{
		{strings.Contains(most, "."), func(r *reader) { r.dots = true }},
		{slashes, func(r *reader) { r.backslashes = true }},
		{strings.Contains(text, ";"), func(r *reader) { r.parameters = true }},
		{strings.ContainsFunc(most, func(c rune) bool { return c <= ' ' || c == '.' }), func(r *reader) { r.ends = true }},
		{strings.Contains(text, "\x00"), func(r *reader) { r.nul = true }},
	} {
		if h.matters {
			habits = append(habits, h.habit)
		}
	}
	return decodes, habits
}

// subsets returns all sets of some habits.
func subsets(habits []habit) [][]habit {
	sets := [][]habit{nil}
	for _, one := range habits {
		for _, set := range sets[:len(sets):len(sets)] {
			sets = append(sets, append(slices.Clone(set), one))
		}
	}
	return sets
}

// usualPath returns an escaped path in its usual reading.
func usualPath(escaped string) string {
	if isPlain(escaped) {
		return mergeSlashes(escaped)
	}
	return usual.read(escaped)
}

// read returns a path as the reader understands it, escaped in one way and without
// empty segments.
func (r reader) read(escaped string) string {
	path := escaped
	for range r.decodes {
		path = decodeAgain(path, r.backslashes)
	}
	if at := strings.IndexByte(path, 0); r.nul && at >= 0 {
		path = path[:at]
	}
	if r.backslashes && r.decodes > 0 {
		path = lookalikes.Replace(path)
	}
	var segments []string
	for segment := range strings.SplitSeq(path, "/") {
		if r.parameters {
			segment, _, _ = strings.Cut(segment, ";")
		}
		if r.decodes == 0 {
			segment = unescape(segment)
		}
		isDots := segment == "." || segment == ".."
		switch {
		case isDots && r.dots:
			if segment == ".." && len(segments) > 0 {
				segments = segments[:len(segments)-1]
			}
			continue
		case r.ends && !isDots:
			segment = strings.TrimRightFunc(segment, func(c rune) bool { return c <= ' ' || c == '.' })
		}
		if segment != "" {
			segments = append(segments, segment)
		}
	}
	var written strings.Builder
	for _, segment := range segments {
		written.WriteByte('/')
		written.WriteString(url.PathEscape(segment))
	}
	if len(segments) == 0 {
		return "/"
	}
	return written.String()
}

// decodeAgain decodes all escapes of a path that are well-formed, and leaves the
// others as they are. With overlong, it decodes overlong UTF-8 too.
func decodeAgain(path string, overlong bool) string {
	if strings.IndexByte(path, '%') < 0 {
		return path
	}
	plain := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			plain = append(plain, path[i])
			continue
		}
		switch {
		case i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]):
			plain = append(plain, unhex(path[i+1])<<4|unhex(path[i+2]))
			i += 2
		case i+5 < len(path) && path[i+1]|0x20 == 'u' && isHex(path[i+2]) && isHex(path[i+3]) && isHex(path[i+4]) && isHex(path[i+5]):
			// IIS: "%u002F".
			code := rune(unhex(path[i+2]))<<12 | rune(unhex(path[i+3]))<<8 | rune(unhex(path[i+4]))<<4 | rune(unhex(path[i+5]))
			plain = utf8.AppendRune(plain, code)
			i += 5
		default:
			plain = append(plain, '%')
		}
	}
	if overlong {
		return overlongs.Replace(string(plain))
	}
	return string(plain)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// overlongs decodes the characters that separate segments from forms that UTF-8
// forbids, and that decoders once took.
var overlongs = strings.NewReplacer(
	"\xc0\xaf", "/", "\xe0\x80\xaf", "/", "\xf0\x80\x80\xaf", "/",
	"\xc0\xae", ".", "\xe0\x80\xae", ".", "\xf0\x80\x80\xae", ".",
	"\xc1\x9c", "/", "\xe0\x81\x9c", "/", "\xf0\x80\x81\x9c", "/",
	"\xc0\x80", "\x00",
)

// lookalikes are what some servers take for a slash or a dot: "\", and the
// characters that Windows maps to either.
var lookalikes = strings.NewReplacer(`\`, "/", "／", "/", "∕", "/", "⁄", "/", "＼", "/", "．", ".")

// checkPart refuses a value that cannot stand in a path, because servers would not
// agree about which path that is. With slashes, the API splits a path before it
// decodes it, and any value is one segment.
func checkPart(value string, slashes bool) error {
	if !utf8.ValidString(value) || value == "." || value == ".." {
		return errSpelling
	}
	if slashes {
		return nil
	}
	// An escaped "?" or "#" ends the path where a server rewrites it.
	if strings.ContainsAny(value, "/?#") {
		return errSpelling
	}
	escaped := url.PathEscape(value)
	if isPlain(escaped) {
		return nil
	}
	if lenient.read("/"+escaped) != "/"+escaped {
		return errSpelling
	}
	return nil
}
