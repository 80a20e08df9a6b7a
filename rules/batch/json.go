// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"
)

// parseRequests reads the batch of OData in JSON, which other APIs have, too.
func parseRequests(list gjson.Result, at *url.URL) (*Batch, error) {
	b := &Batch{answers: jsonAnswers}
	var err error
	list.ForEach(func(_, r gjson.Result) bool {
		switch {
		case !r.IsObject():
			err = errForm
		case repeats(r):
			err = errRepeated
		case len(b.Operations) >= MaxOperations:
			err = errLong
		}
		if err != nil {
			return false
		}
		o := Operation{Method: strings.ToUpper(r.Get("method").String()), Header: make(http.Header), id: r.Get("id").String()}
		r.Get("headers").ForEach(func(name, value gjson.Result) bool {
			o.Header.Add(name.Str, value.String())
			return true
		})
		if body := r.Get("body"); body.Exists() {
			o.Body = []byte(body.Raw)
			if o.Header.Get("Content-Type") == "" {
				o.Header.Set("Content-Type", "application/json")
			}
		}
		o.resolve(at, r.Get("url").String(), true)
		b.Operations = append(b.Operations, o)
		return true
	})
	return b, err
}

// jsonAnswers reads the answers in JSON, which have the ids of the requests.
func jsonAnswers(b *Batch, _ int, _ string, body []byte) []Answer {
	all := make([]Answer, len(b.Operations))
	if !gjson.ValidBytes(body) {
		return all
	}
	count := make(map[string]int)
	for i := range b.Operations {
		count[b.Operations[i].id]++
	}
	found := make(map[string]Answer)
	gjson.GetBytes(body, "responses").ForEach(func(_, r gjson.Result) bool {
		id := r.Get("id").String()
		if _, again := found[id]; again {
			count[id]++
		}
		a := Answer{Status: int(r.Get("status").Int()), Header: make(http.Header), Body: []byte(r.Get("body").Raw)}
		r.Get("headers").ForEach(func(name, value gjson.Result) bool {
			a.Header.Add(name.Str, value.String())
			return true
		})
		found[id] = a
		return true
	})
	for i := range all {
		// An id that stands twice names no one of them.
		if id := b.Operations[i].id; id != "" && count[id] == 1 {
			all[i] = found[id]
		}
	}
	return all
}

// parseAtomic reads the atomic operations of JSON:API
// (https://jsonapi.org/ext/atomic), as the requests that they stand for.
func parseAtomic(list gjson.Result, at *url.URL) (*Batch, error) {
	b := &Batch{answers: atomicAnswers}
	var err error
	list.ForEach(func(_, op gjson.Result) bool {
		switch {
		case !op.IsObject():
			err = errForm
		case repeats(op), repeats(op.Get("ref")), repeats(op.Get("data")) && op.Get("data").IsObject():
			err = errRepeated
		case len(b.Operations) >= MaxOperations:
			err = errLong
		}
		if err != nil {
			return false
		}
		b.Operations = append(b.Operations, atomicOperation(op, at))
		return true
	})
	return b, err
}

// atomicOperation returns the request that an operation stands for.
func atomicOperation(op gjson.Result, at *url.URL) Operation {
	kind, ref, data := op.Get("op").String(), op.Get("ref"), op.Get("data")
	o := Operation{
		Method: map[string]string{"add": http.MethodPost, "update": http.MethodPatch, "remove": http.MethodDelete}[kind],
		Header: http.Header{"Content-Type": {"application/vnd.api+json"}},
	}
	if o.Method == "" {
		o.Unread = errForm
		return o
	}
	if data.Exists() {
		o.Body = []byte(`{"data":` + data.Raw + `}`)
	}
	if href := op.Get("href").String(); href != "" {
		o.resolve(at, href, true)
		return o
	}
	if !ref.Exists() {
		ref = data
	}
	creates := kind == "add" && !op.Get("ref").Exists()
	if lid := ref.Get("lid").String(); creates {
		o.id = lid
	} else if lid != "" {
		o.Unread = referenceError{id: lid}
		return o
	}
	path := url.PathEscape(ref.Get("type").String())
	if !creates {
		path += "/" + url.PathEscape(ref.Get("id").String())
	}
	if relationship := op.Get("ref.relationship").String(); relationship != "" {
		path += "/relationships/" + url.PathEscape(relationship)
	}
	if strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") || path == "" {
		o.Unread = errTarget // it has no type or no id
		return o
	}
	o.resolve(at, "./"+path, true)
	return o
}

// atomicAnswers reads the results of atomic operations, in their order. They are done
// together: a success is one of all.
func atomicAnswers(b *Batch, status int, _ string, body []byte) []Answer {
	all := make([]Answer, len(b.Operations))
	if status < 200 || status > 299 {
		return all
	}
	var results []gjson.Result
	if gjson.ValidBytes(body) {
		results = gjson.GetBytes(body, `atomic\:results`).Array()
	}
	for i := range all {
		all[i] = Answer{Status: status, Header: http.Header{"Content-Type": {"application/vnd.api+json"}}}
		if len(results) == len(all) {
			all[i].Body = []byte(results[i].Raw)
		}
		if b.Operations[i].Method == http.MethodPost && b.Operations[i].creates() {
			all[i].Status = http.StatusCreated
		}
	}
	return all
}

// creates reports whether an operation adds an object, and no relationship.
func (o *Operation) creates() bool {
	return o.Target != nil && !strings.Contains(o.Target.Path, "/relationships/")
}
