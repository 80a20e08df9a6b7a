// SPDX-License-Identifier: Apache-2.0

// Package shape is the form of an API that is not ours: which methods and paths there
// are, and what the members of its bodies are called. It translates names, in both
// directions, and knows nothing of what is done with them.
package shape

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// The things of which an API tells.
const (
	Endpoint = "endpoint"
	Delivery = "delivery"
	Event    = "event"
	// Object is the thing of a verb that is about an object of the API's own.
	Object = "object"
)

// plurals are the words for several things.
var plurals = map[string]string{"endpoints": Endpoint, "deliveries": Delivery, "events": Event}

// Thing returns the thing that a word stands for, in the singular or the plural.
func Thing(word string) (thing string, known bool) {
	if thing, known = plurals[word]; known {
		return thing, true
	}
	return word, word == Endpoint || word == Delivery || word == Event
}

// Verb is what a route does to a thing.
type Verb struct {
	Name, Thing string
	// Reads is true if it changes nothing.
	Reads bool
	// Lists is true if it answers with many things.
	Lists bool
	// Takes is true if its body is the thing, in the names of its shape.
	Takes bool
	// Answers is the thing with which it answers, "" for what no shape says.
	Answers string
	// names are those that its path may have, and one those of which it must have one.
	names, one []string
}

// Names that a path may have. What is behind the colon of others belongs to an object.
const (
	NameID       = "id"
	NameTenant   = "tenant"
	NameType     = "type"
	NameDelivery = "delivery"
	NameEvent    = "event"
)

var (
	anEndpoint = []string{NameID, NameType}
	aDelivery  = []string{NameDelivery}
	anEvent    = []string{NameEvent}
)

// verbs is all that a route can do.
var verbs = []Verb{
	{Name: "create", Thing: Endpoint, Takes: true, Answers: Endpoint, names: []string{NameType}},
	{Name: "put", Thing: Endpoint, Takes: true, Answers: Endpoint, one: anEndpoint},
	{Name: "list", Thing: Endpoint, Reads: true, Lists: true, Answers: Endpoint},
	{Name: "show", Thing: Endpoint, Reads: true, Answers: Endpoint, one: anEndpoint},
	{Name: "update", Thing: Endpoint, Takes: true, Answers: Endpoint, one: anEndpoint},
	{Name: "delete", Thing: Endpoint, one: anEndpoint},
	{Name: "pause", Thing: Endpoint, Answers: Endpoint, one: anEndpoint},
	{Name: "resume", Thing: Endpoint, Answers: Endpoint, one: anEndpoint},
	{Name: "rotate", Thing: Endpoint, Answers: Endpoint, one: anEndpoint},
	{Name: "test", Thing: Endpoint, one: anEndpoint},
	{Name: "echo", Thing: Endpoint, one: []string{NameType}},
	{Name: "describe", Thing: Endpoint, Reads: true},
	{Name: "recover", Thing: Endpoint, one: anEndpoint},
	{Name: "replay", Thing: Endpoint, one: anEndpoint},
	{Name: "list", Thing: Delivery, Reads: true, Lists: true, Answers: Delivery, one: anEndpoint},
	{Name: "show", Thing: Delivery, Reads: true, Answers: Delivery, one: aDelivery, names: anEndpoint},
	{Name: "resend", Thing: Delivery, one: aDelivery, names: anEndpoint},
	{Name: "list", Thing: Event, Reads: true, Lists: true, Answers: Event},
	{Name: "show", Thing: Event, Reads: true, Answers: Event, one: anEvent},
	{Name: "resend", Thing: Object},
}

// Verbs returns all that a route can do.
func Verbs() []Verb { return slices.Clone(verbs) }

// IsVerb reports whether a word is a verb.
func IsVerb(word string) bool {
	return slices.ContainsFunc(verbs, func(v Verb) bool { return v.Name == word })
}

// VerbNames returns the words that are verbs, each once.
func VerbNames() []string {
	var names []string
	for _, v := range verbs {
		if !slices.Contains(names, v.Name) {
			names = append(names, v.Name)
		}
	}
	return names
}

// Route is a route of an API as a configuration has it.
type Route struct {
	Verb, Thing string
	Methods     []string
	// Path has :names.
	Path string
	// Status is that of success, 0 for the usual one.
	Status int
	// Object is the resource whose object the path names, "" for none.
	Object string
}

// String returns the route as a line of a Caddyfile begins.
func (r *Route) String() string {
	words := []string{r.Verb}
	if r.Thing != "" && r.Thing != Endpoint {
		words = append(words, r.Thing)
	}
	return strings.Join(append(words, strings.Join(r.Methods, "|"), r.Path), " ")
}

// Does returns what the route does, nil if there is no such verb.
func (r *Route) Does() *Verb {
	thing, known := Thing(r.Thing)
	if r.Thing == "" {
		thing, known = Endpoint, true
	}
	if r.Object != "" {
		thing, known = Object, r.Thing == ""
	}
	at := slices.IndexFunc(verbs, func(v Verb) bool { return v.Name == r.Verb && v.Thing == thing })
	if !known || at < 0 {
		return nil
	}
	return &verbs[at]
}

// Check reports what is wrong with a route by itself. Its path may also have names that
// are used elsewhere.
func (r *Route) Check(used ...string) error {
	if !IsVerb(r.Verb) {
		return fmt.Errorf("there is no verb %q; there are %s", r.Verb, strings.Join(VerbNames(), ", "))
	}
	does := r.Does()
	if does == nil {
		return r.noSuchThing()
	}
	if err := r.checkMethods(does); err != nil {
		return err
	}
	if r.Status != 0 && (r.Status < 200 || r.Status > 299 || r.Status == http.StatusPartialContent) {
		return fmt.Errorf("%s: %d is no status of success; say 200 to 299", r, r.Status)
	}
	path, err := ParsePath(r.Path)
	if err != nil {
		return fmt.Errorf("%s: %w", r, err)
	}
	if does.Thing == Object {
		return nil
	}
	return r.checkNames(does, path.Names(), used)
}

// noSuchThing says to which things a verb can be done.
func (r *Route) noSuchThing() error {
	var things []string
	for _, v := range verbs {
		switch {
		case v.Name != r.Verb:
		case v.Thing == Object:
			things = append(things, "`"+r.Verb+" METHOD PATH { object RESOURCE }`")
		case v.Thing == Endpoint:
			things = append(things, "`"+r.Verb+" METHOD PATH`")
		default:
			things = append(things, "`"+r.Verb+" "+v.Thing+" METHOD PATH`")
		}
	}
	return fmt.Errorf("%s: %s takes %s", r, r.Verb, strings.Join(things, " or "))
}

func (r *Route) checkMethods(does *Verb) error {
	if len(r.Methods) == 0 {
		return fmt.Errorf("%s: the method is missing, as in `%s POST /callbacks`", r, r.Verb)
	}
	for i, method := range r.Methods {
		switch {
		case method == "" || len(method) > 32 || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
			return fmt.Errorf("%s: %q is no HTTP method; methods are written in capitals and joined by |", r, method)
		case method == http.MethodHead || method == http.MethodOptions || method == http.MethodConnect || method == http.MethodTrace:
			return fmt.Errorf("%s: %s is answered by itself; leave it out", r, method)
		case method == http.MethodGet && !does.Reads:
			return fmt.Errorf("%s: GET must change nothing, and %s does; use POST", r, r.Verb)
		case slices.Contains(r.Methods[:i], method):
			return fmt.Errorf("%s: %s stands twice; keep one of them", r, method)
		}
	}
	return nil
}

func (r *Route) checkNames(does *Verb, names, used []string) error {
	may := slices.Concat([]string{NameTenant}, does.names, does.one)
	for _, name := range names {
		if !slices.Contains(may, name) && !slices.Contains(used, name) {
			return fmt.Errorf("%s: :%s means nothing here; the path may have :%s", r, name, strings.Join(may, ", :"))
		}
	}
	if len(does.one) > 0 && !slices.ContainsFunc(does.one, func(name string) bool { return slices.Contains(names, name) }) {
		return fmt.Errorf("%s: the path does not say which %s is meant; it must have :%s", r, does.subject(), strings.Join(does.one, " or :"))
	}
	return nil
}

// subject is what the path of a verb names.
func (v *Verb) subject() string {
	if v.Thing == Delivery && v.Lists {
		return Endpoint
	}
	return v.Thing
}
