// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// unmarshalRequest reads a method, a path and perhaps a body from the arguments
// of an option, and returns the arguments after them.
func unmarshalRequest(d *caddyfile.Dispenser, args []string, word, example string) (request syntax.Request, rest []string, err error) {
	if len(args) > 0 && isMethod(args[0]) {
		request.Method, args = args[0], args[1:]
	}
	if len(args) == 0 || !strings.HasPrefix(args[0], "/") && args[0] != syntax.LocationPath {
		return request, nil, d.Errf("%s takes a method and a path, as `%s GET %s`", word, word, example)
	}
	request.Path, args = args[0], args[1:]
	if len(args) >= 2 && args[0] == "body" {
		request.Body, args = args[1], args[2:]
	}
	return request, args, nil
}

// unmarshalRequestBlock reads the block of a request.
func unmarshalRequestBlock(d *caddyfile.Dispenser, request *syntax.Request) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := unmarshalRequestOption(d, d.Val(), request); err != nil {
			return err
		}
	}
	return nil
}

func unmarshalRequestOption(d *caddyfile.Dispenser, word string, request *syntax.Request) error {
	args := d.RemainingArgs()
	switch {
	case word == "header" && len(args) == 2:
		if request.Header == nil {
			request.Header = make(map[string]string)
		}
		request.Header[args[0]] = args[1]
	case word == "body" && len(args) == 1:
		request.Body = args[0]
	default:
		return d.Errf("a request takes `header FIELD VALUE` and `body BODY`, not `%s`", strings.Join(append([]string{word}, args...), " "))
	}
	return nil
}

// unmarshalQuery reads a request and the path of the ids in its answer.
func unmarshalQuery(d *caddyfile.Dispenser, word string, args []string) (*syntax.Query, error) {
	example := "/items?reference={request:reference} items.#.id"
	request, rest, err := unmarshalRequest(d, args, word, example)
	if err != nil {
		return nil, err
	}
	if len(rest) == 0 {
		return nil, d.Errf("%s takes a request and the path of the ids in its answer, as `%s GET %s`; %s", word, word, example, commentHint)
	}
	query := queryOf(request, rest)
	return query, unmarshalRequestBlock(d, &query.Request)
}

// queryOf returns a query with the places of the parts of the objects' keys in its
// answer.
func queryOf(request syntax.Request, places []string) *syntax.Query {
	last := len(places) - 1
	query := &syntax.Query{Request: request, IDs: places[last]}
	if last > 0 {
		query.Keys = places[:last:last]
	}
	return query
}
