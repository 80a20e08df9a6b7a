// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/rules/effect"
	"github.com/caddy-webhooks/caddy-webhooks/rules/syntax"
)

// defaultWithin is how long a Later query is sent for by default.
const defaultWithin = 10 * time.Minute

// Query is the request of `via`, `find` or `later`, whose answer names objects
// that an exchange changed. A query that has to be sent is a mark like any other,
// so that a crash does not lose it: the resource of the mark's key is the query's
// Name, and the parts of its id are the values of the request's placeholders.
type Query struct {
	// Name is the resource of the marks' keys.
	Name string
	// Request is the request.
	Request Template
	// Values says, for each name of Request, where in the exchange its value
	// stands. A zero Value means that it is the part of that name of the key of
	// the object that the exchange is about.
	Values []Value
	// Resource is the resource of the objects that the answer names.
	Resource *Resource

	declared *syntax.Query
	answered answered // where their keys stand in the answer
	word     *effect.Word
}

// compileFind compiles the option `find`.
func (r *Rule) compileFind(d *syntax.Rule) error {
	if d.Find == nil {
		return nil
	}
	if d.Kind != event.KindCreate {
		return errors.New("find: only a create can have an object that has to be found")
	}
	var err error
	if r.Find, err = compileQuery(d.Find, r, r.Resource.Name+"@find:", true); err == nil {
		err = r.Find.link(r.Resource)
	}
	if err != nil {
		return fmt.Errorf("find: %w", err)
	}
	return nil
}

// compileLater compiles the option `later`.
func (r *Rule) compileLater(d *syntax.Rule) error {
	if d.Later == nil {
		return nil
	}
	var err error
	if r.Later, err = compileQuery(&d.Later.Query, r, r.Resource.Name+"@later:", false); err == nil {
		err = r.Later.link(r.Resource)
	}
	if err != nil {
		return fmt.Errorf("later: %w", err)
	}
	r.Within = time.Duration(d.Later.Within)
	if r.Within == 0 {
		r.Within = defaultWithin
	}
	if r.Within < 0 {
		return errors.New("later: within must not be negative")
	}
	return nil
}

// compileQuery compiles a query of a rule. With ahead, its values must be known
// before there is a response. Whose objects it names is linked later.
func compileQuery(declared *syntax.Query, r *Rule, prefix string, ahead bool) (*Query, error) {
	made := &Query{declared: declared}
	var err error
	if made.Request, err = compileTemplate(declared.Request); err != nil {
		return nil, fmt.Errorf("%s: %w", declared.Request, err)
	}
	made.Request.path.slashes = r.Resource.Slashes
	made.Request.callerIDs = r.Resource.callerIDs
	if declared.IDs == "" {
		return nil, errors.New("after the request stands the path of the ids in its answer, as transactions.#.id")
	}
	for _, name := range made.Request.Names {
		v, err := queryValue(r, name)
		if err != nil {
			return nil, fmt.Errorf("%s: {%s}: %w", declared.Request, name, err)
		}
		if ahead && !v.IsZero() && !v.InRequest() {
			return nil, fmt.Errorf("%s: {%s} stands in the response, which a crash may keep from us; take a value of the request", declared.Request, name)
		}
		made.Values = append(made.Values, v)
	}
	if len(made.Values) == 0 {
		return nil, fmt.Errorf("%s: it asks the same whatever the exchange was about; put a value of the exchange into it, as {request:reference}", declared.Request)
	}
	made.Name = prefix + slug(declared)
	return made, nil
}

// link says whose objects the answer to the query names.
func (q *Query) link(resource *Resource) (err error) {
	q.Resource = resource
	q.answered, err = compileAnswered(resource, q.declared.Keys, q.declared.IDs, q.Request.Names)
	return err
}

// slug names a query after its content, so that the marks of one are never taken
// for those of another that a changed configuration has in its place.
func slug(declared *syntax.Query) string {
	text, err := json.Marshal(declared)
	if err != nil {
		// Strings and maps of strings have a form in JSON.
		text = []byte(declared.Request.String() + declared.IDs)
	}
	sum := sha256.Sum256(text)
	return strings.ReplaceAll(strings.Trim(declared.Request.Path, "/"), "/", ".") + "~" + hex.EncodeToString(sum[:3])
}

// queryValue returns what a placeholder stands for: a placeholder of the rule's
// path, a part of the object's own key, or any value of the exchange.
func queryValue(r *Rule, name string) (Value, error) {
	switch {
	case slices.Contains(r.pattern.names, name):
		return parseValue(":" + name)
	case slices.Contains(r.Resource.Show.Names, name):
		return Value{}, nil
	case name == locationValue, strings.Contains(name, ":"):
		v, err := parsePlace(name)
		if err == nil {
			err = v.storable()
		}
		return v, err
	}
	return Value{}, fmt.Errorf("it is no placeholder of the path %s and no part of the object's key; "+
		"write request:%s for a value of the request's body", r.pattern.text, name)
}

// errNoIDs is returned for an answer that has no structure.
var errNoIDs = errors.New("the answer is not JSON, XML or a form, so it shows no ids of objects")

// Keys returns the keys of the objects that an answer to the query names. Values are
// those of the request's placeholders. It fails if there are more than [MaxKeys].
func (q *Query) Keys(values []string, answer event.Document) ([]event.Key, error) {
	if !answer.IsJSON() {
		return nil, errNoIDs
	}
	rows, err := q.answered.rows(answer.JSON(), values, MaxKeys)
	if err != nil {
		return nil, err
	}
	q.answered.note(q.word, answer.JSON(), len(rows) > 0)
	keys := q.answered.keys(rows)
	if len(keys) > MaxKeys {
		return nil, fmt.Errorf("the query names more than %d objects", MaxKeys)
	}
	return keys, nil
}
