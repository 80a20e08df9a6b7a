// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
	"github.com/caddy-webhooks/caddy-webhooks/show"
)

// listOf compiles a list of items.
func listOf(t *testing.T, declared syntax.List) *List {
	t.Helper()
	if declared.Request.Path == "" {
		declared.Request.Path = "/items"
	}
	if declared.IDs == "" {
		declared.IDs = "items.#.id"
	}
	set, err := Compile([]*syntax.Resource{{Name: "items", List: &declared}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set.Resources[0].List
}

// pageOf returns an answer with a Link header, if link is not "".
func pageOf(link, body string) show.Show {
	header := http.Header{"Content-Type": {"application/json"}}
	if link != "" {
		header.Set("Link", link)
	}
	return show.Show{Status: http.StatusOK, Header: header, Body: []byte(body)}
}

// A list is read page by page: each answer leads to the path of the next page,
// until one leads nowhere.
func TestPages(t *testing.T) {
	for name, tc := range map[string]struct {
		list  syntax.List
		pages []show.Show
		want  []string // the paths that are read
	}{
		"one page": {
			syntax.List{},
			[]show.Show{pageOf("", `{"items":[{"id":1}]}`)},
			[]string{"/items"},
		},
		"Link": {
			syntax.List{},
			[]show.Show{
				pageOf(`</items?page=2>; rel="next"`, `{"items":[{"id":1}]}`),
				pageOf(`</items?page=1>; rel="prev"`, `{"items":[{"id":2}]}`),
			},
			[]string{"/items", "/items?page=2"},
		},
		"Link with a comma in its target": {
			syntax.List{},
			[]show.Show{
				pageOf(`</items?fields=id,name&page=2>; rel="next", </items?page=9>; rel="last"`, `{"items":[{"id":1}]}`),
				pageOf("", `{"items":[{"id":2}]}`),
			},
			[]string{"/items", "/items?fields=id,name&page=2"},
		},
		"Link of two relations": {
			syntax.List{},
			[]show.Show{
				pageOf(`</items?page=2>; rel="next last"`, `{"items":[{"id":1}]}`),
				pageOf("", `{"items":[{"id":2}]}`),
			},
			[]string{"/items", "/items?page=2"},
		},
		"Link under the name that clients use": {
			syntax.List{Query: syntax.Query{Request: syntax.Request{Path: "/v1/items?size=1"}}},
			[]show.Show{
				pageOf(`<https://api.example.com/v1/items?size=1&after=1>; rel=next`, `{"items":[{"id":1}]}`),
				pageOf(`<?size=1&after=2>; rel=next`, `{"items":[{"id":2}]}`),
				pageOf("", `{"items":[]}`),
			},
			[]string{"/v1/items?size=1", "/v1/items?size=1&after=1", "/v1/items?size=1&after=2"},
		},
		"next as a URL": {
			syntax.List{Next: "links.next"},
			[]show.Show{
				pageOf(`</other>; rel="next"`, `{"items":[{"id":1}],"links":{"next":"https://api.example.com/items?cursor=a%2Cb"}}`),
				pageOf("", `{"items":[{"id":2}],"links":{"next":null}}`),
			},
			[]string{"/items", "/items?cursor=a%2Cb"},
		},
		"next as a cursor": {
			syntax.List{
				Query: syntax.Query{Request: syntax.Request{Path: "/items?size=2&after=0"}},
				Next:  "cursor", NextQuery: "after",
			},
			[]show.Show{
				pageOf("", `{"items":[{"id":1}],"cursor":"a&b"}`),
				pageOf("", `{"items":[{"id":2}],"cursor":17}`),
				pageOf("", `{"items":[{"id":3}],"cursor":false}`),
			},
			[]string{"/items?size=2&after=0", "/items?after=a%26b&size=2", "/items?after=17&size=2"},
		},
		"pages from 0": {
			syntax.List{NextQuery: "p", From: new(int)},
			[]show.Show{pageOf("", `{"items":[{"id":1},{"id":2}]}`), pageOf("", `{"items":[]}`)},
			[]string{"/items?p=0", "/items?p=1"},
		},
		"offsets, where the API caps its pages": {
			syntax.List{Query: syntax.Query{Request: syntax.Request{Path: "/items?limit=1000"}}, NextQuery: "offset", Counts: syntax.CountObjects},
			[]show.Show{
				pageOf("", `{"items":[{"id":1},{"id":2}]}`), pageOf("", `{"items":[{"id":3}]}`), pageOf("", `{"items":[]}`),
			},
			[]string{"/items?limit=1000&offset=0", "/items?limit=1000&offset=2", "/items?limit=1000&offset=3"},
		},
		"offsets from 1, as SCIM has them": {
			syntax.List{NextQuery: "startIndex", Counts: syntax.CountObjects, From: new(1)},
			[]show.Show{pageOf("", `{"items":[{"id":1},{"id":2}]}`), pageOf("", `{"items":[]}`)},
			[]string{"/items?startIndex=1", "/items?startIndex=3"},
		},
		"a token from the header": {
			syntax.List{Next: "header:x-next-token", NextQuery: "token"},
			[]show.Show{
				{Header: http.Header{"X-Next-Token": {" a "}}, Body: []byte(`{"items":[{"id":1}]}`)},
				pageOf("", `{"items":[{"id":2}]}`),
			},
			[]string{"/items", "/items?token=a"},
		},
		"a token in the header": {
			syntax.List{Next: "next", Query: syntax.Query{Request: syntax.Request{Path: "/items", Header: map[string]string{"X-Token": "{next}"}}}},
			[]show.Show{pageOf("", `{"items":[{"id":1}],"next":"t"}`), pageOf("", `{"items":[{"id":2}]}`)},
			[]string{"/items", "/items X-Token:t"},
		},
		"a token in a body of JSON": {
			syntax.List{Next: "next", Query: syntax.Query{Request: syntax.Request{Method: "POST", Path: "/search", Body: `{"after":"{next}","size":2}`}}},
			[]show.Show{pageOf("", `{"items":[{"id":1}],"next":"a\"b"}`), pageOf("", `{"items":[{"id":2}]}`)},
			[]string{`/search {"after":null,"size":2}`, `/search {"after":"a\"b","size":2}`},
		},
		"a token in a form": {
			syntax.List{Next: "next", Query: syntax.Query{Request: syntax.Request{Method: "POST", Path: "/search", Body: `size=2&after={next}`}}},
			[]show.Show{pageOf("", `{"items":[{"id":1}],"next":"a&b"}`), pageOf("", `{"items":[{"id":2}]}`)},
			[]string{`/search size=2`, `/search size=2&after=a%26b`},
		},
		"a token in the query": {
			syntax.List{Next: "next", Query: syntax.Query{Request: syntax.Request{Path: "/items?after={next}&size=2"}}},
			[]show.Show{pageOf("", `{"items":[{"id":1}],"next":"t"}`), pageOf("", `{"items":[{"id":2}]}`)},
			[]string{"/items?size=2", "/items?after=t&size=2"},
		},
		"an offset in a body of JSON": {
			syntax.List{Counts: syntax.CountObjects, Query: syntax.Query{Request: syntax.Request{Method: "POST", Path: "/rpc", Body: `{"skip":{next}}`}}},
			[]show.Show{pageOf("", `{"items":[{"id":1}]}`), pageOf("", `{"items":[]}`)},
			[]string{`/rpc {"skip":0}`, `/rpc {"skip":1}`},
		},
		"page numbers in the path": {
			syntax.List{Counts: syntax.CountPages, Query: syntax.Query{Request: syntax.Request{Path: "/items/page/:next"}}},
			[]show.Show{pageOf("", `{"items":[{"id":1}]}`), pageOf("", `{"items":[]}`)},
			[]string{"/items/page/1", "/items/page/2"},
		},
		"page numbers": {
			syntax.List{NextQuery: "page"},
			[]show.Show{
				pageOf(`</items?page=7>; rel="next"`, `{"items":[{"id":1}]}`),
				pageOf("", `{"items":[{"id":2}]}`),
				pageOf("", `{"items":[]}`),
			},
			[]string{"/items?page=1", "/items?page=2", "/items?page=3"},
		},
	} {
		list := listOf(t, tc.list)
		var read []string
		var ids []string
		page := ""
		for i := 0; ; i++ {
			request, err := list.Request(event.Key{}, page)
			if err != nil {
				t.Errorf("%s: page %q: %v", name, page, err)
				break
			}
			asked := request.Path
			if token := request.Header.Get("X-Token"); token != "" {
				asked += " X-Token:" + token
			}
			if len(request.Body) > 0 {
				asked += " " + string(request.Body)
			}
			if read = append(read, asked); i == len(tc.pages) {
				t.Errorf("%s: a page after the last one is read: %s", name, request.Path)
				break
			}
			var objects []Listed
			if objects, page, err = list.Page(event.Key{}, page, tc.pages[i]); err != nil {
				t.Errorf("%s: page %d: %v", name, i+1, err)
				break
			}
			for _, object := range objects {
				ids = append(ids, object.Key.ID)
			}
			if page == "" {
				break
			}
		}
		if !slices.Equal(read, tc.want) {
			t.Errorf("%s: read %q, want %q", name, read, tc.want)
		}
		for i, id := range ids {
			if id != strconv.Itoa(i+1) {
				t.Errorf("%s: found the objects %q", name, ids)
				break
			}
		}
	}
}

// What can never lead from page to page is refused.
func TestRefusedPaging(t *testing.T) {
	for name, tc := range map[string]struct {
		list syntax.List
		want string
	}{
		"two ways":               {syntax.List{Next: "next", Counts: syntax.CountPages}, "keep one of them"},
		"a beginning of nothing": {syntax.List{Next: "next", NextQuery: "after", From: new(int)}, "does not count"},
		"nothing for the place":  {syntax.List{Query: syntax.Query{Request: syntax.Request{Path: "/items?after={next}"}}}, "nothing stands for {next}"},
		"no place":               {syntax.List{Counts: syntax.CountObjects}, "nothing takes what is counted"},
		"no place for a header":  {syntax.List{Next: "header:X-Next"}, "nothing takes what stands in the header"},
		"two places":             {syntax.List{Next: "n", NextQuery: "a", Query: syntax.Query{Request: syntax.Request{Path: "/items?b={next}"}}}, "keep one of them"},
		"another placeholder":    {syntax.List{NextQuery: "page", Query: syntax.Query{Request: syntax.Request{Path: "/items?b={page}"}}}, "nothing can stand for {page}"},
		"a token in the path":    {syntax.List{Next: "n", Query: syntax.Query{Request: syntax.Request{Path: "/items/:next"}}}, "nothing leads to the first page"},
		"something to count":     {syntax.List{NextQuery: "n", Counts: "bytes"}, "pages or objects"},
		"a value of the request": {syntax.List{Next: "request:n", NextQuery: "n"}, "a path in the answer or header:NAME"},
	} {
		if tc.list.Request.Path == "" {
			tc.list.Request.Path = "/items"
		}
		tc.list.IDs = "items.#.id"
		_, err := Compile([]*syntax.Resource{{Name: "items", List: &tc.list}}, nil)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// A page that leads out of HTTP is not read.
func TestPageOutsideHTTP(t *testing.T) {
	list := listOf(t, syntax.List{})
	for _, link := range []string{"mailto:a@example.com", "file:///etc/passwd", "ftp://example.com/items", "::"} {
		if request, err := list.Request(event.Key{}, link); err == nil {
			t.Errorf("%s is read as %s", link, request.Path)
		}
	}
}

// Versions stand beside the ids; where one lacks, no version can be assigned.
func TestListedVersions(t *testing.T) {
	list := listOf(t, syntax.List{Version: "items.#.v"})
	objects, _, err := list.Page(event.Key{}, "", pageOf("", `{"items":[{"id":"a","v":1},{"id":"..","v":2},{"id":"b","v":"3"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	// ".." names no object: its Show could not be asked for.
	if len(objects) != 2 || objects[0].Version != "1" || objects[1].Key.ID != "b" || objects[1].Version != "3" {
		t.Errorf("listed %+v", objects)
	}
	if objects, _, err = list.Page(event.Key{}, "", pageOf("", `{"items":[{"id":"a","v":1},{"id":"b"}]}`)); err == nil {
		t.Errorf("two ids and one version are listed as %+v", objects)
	}
	if objects, _, err = list.Page(event.Key{}, "", pageOf("", `an error page`)); err == nil {
		t.Errorf("what is no list is listed as %+v", objects)
	}
}

// A list may have more objects than one exchange can name: were some of a page
// left out, the list would count as complete without them.
func TestLargePage(t *testing.T) {
	ids := make([]string, 2*MaxKeys)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	body, err := json.Marshal(map[string]any{"ids": ids})
	if err != nil {
		t.Fatal(err)
	}
	list := listOf(t, syntax.List{Query: syntax.Query{IDs: "ids"}})
	objects, _, err := list.Page(event.Key{}, "", pageOf("", string(body)))
	if err != nil || len(objects) != len(ids) {
		t.Errorf("listed %d of %d objects, and %v", len(objects), len(ids), err)
	}
}

// What an exchange touched is limited, and one that names more is not marked by
// halves.
func TestQueryNamesTooMany(t *testing.T) {
	set, err := Compile([]*syntax.Resource{{Name: "items", Rules: []*syntax.Rule{{
		Kind: "update", Path: "/items/:id",
		Touches: []*syntax.Touch{{Resource: "items", Via: &syntax.Query{Request: syntax.Request{Path: "/items/:id/parts"}, IDs: "ids"}}},
	}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	query := set.Resources[0].Rules[0].Touches[0].Via
	answer := func(n int) show.Show {
		return pageOf("", `{"ids":[1`+strings.Repeat(",1", n-1)+`]}`)
	}
	if keys, err := query.Keys(nil, answer(MaxKeys).Document()); err != nil || len(keys) != MaxKeys {
		t.Errorf("named %d objects, and %v", len(keys), err)
	}
	if keys, err := query.Keys(nil, answer(MaxKeys+1).Document()); err == nil {
		t.Errorf("named %d objects", len(keys))
	}
	if keys, err := query.Keys(nil, show.Show{Body: []byte("an error page")}.Document()); err == nil {
		t.Errorf("what is no list names %d objects", len(keys))
	}
}
