// SPDX-License-Identifier: Apache-2.0

//go:build linux

package habits

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf16"
)

func upper(text string) string { return strings.ToUpper(text) }

// text returns a representation as the API writes it, in UTF-8.
func text(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// answer answers with a representation, in the API's charset and coding.
func (f *fake) answer(w http.ResponseWriter, r *http.Request, status int, v any) {
	kind := "application/json"
	body := []byte(text(v))
	switch f.charset {
	case "iso-8859-1":
		f.use("writes latin1")
		var narrow []byte
		for _, letter := range string(body) {
			narrow = append(narrow, byte(letter))
		}
		body = narrow
	case "utf-16":
		f.use("writes UTF-16")
		wide := []byte{0xfe, 0xff}
		for _, unit := range utf16.Encode([]rune(string(body))) {
			wide = append(wide, byte(unit>>8), byte(unit))
		}
		body = wide
	}
	if f.charset != "" {
		kind += "; charset=" + f.charset
	}
	header := w.Header()
	header.Set("Content-Type", kind)
	header.Set("Cache-Control", "max-age=0, private, must-revalidate")
	header.Set("Vary", "Accept, Cookie, Host")
	if f.coding != "" {
		header.Set("Content-Encoding", f.coding)
	}
	if f.coding == "gzip" {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		_, _ = writer.Write(body)
		_ = writer.Close()
		body = packed.Bytes()
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead && status != http.StatusNoContent {
		_, _ = w.Write(body)
	}
}

func (f *fake) etag(w http.ResponseWriter, o object) {
	if f.etags {
		w.Header().Set("Etag", fmt.Sprintf(`W/"%d"`, o.version))
	}
}

// answerList answers with a page of the objects that are there.
func (f *fake) answerList(w http.ResponseWriter, r *http.Request) {
	all := f.living()
	size := f.size
	if size == 0 {
		size = max(len(all), 1)
	}
	p := page{number: f.first, last: f.first + max((len(all)+size-1)/size, 1) - 1, total: len(all), host: r.Host}
	if asked := r.URL.Query().Get("page"); asked != "" {
		number, err := strconv.Atoi(asked)
		if err != nil {
			f.answer(w, r, http.StatusBadRequest, nil)
			return
		}
		p.number = number
	}
	if p.number > p.last {
		f.use("pages past the end")
		switch {
		case f.clamps:
			p.number = p.last
		case f.pastEnd == http.StatusNotFound:
			f.answer(w, r, f.pastEnd, map[string]any{"detail": "Invalid page."})
			return
		case f.pastEnd == http.StatusBadRequest:
			f.answer(w, r, f.pastEnd, map[string]any{"code": "rest_post_invalid_page_number", "data": map[string]any{"status": 400}})
			return
		}
	}
	from := min((p.number-f.first)*size, len(all))
	shows := []any{}
	for _, o := range all[from:min(from+size, len(all))] {
		shows = append(shows, f.show(f, &o, r.Host))
	}
	if p.number < p.last {
		slash := ""
		if f.addsSlash != 0 {
			slash = "/"
		}
		p.next = fmt.Sprintf("http://%s%s%s?page=%d", r.Host, f.collection, slash, p.number+1)
	}
	if f.resource == "posts" {
		w.Header().Set("X-Wp-Totalpages", strconv.Itoa(p.last))
		if p.next != "" {
			w.Header().Set("Link", "<"+p.next+`>; rel="next"`)
		}
	}
	f.answer(w, r, http.StatusOK, f.list(f, shows, p))
}
