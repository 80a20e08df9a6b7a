// SPDX-License-Identifier: Apache-2.0

package when

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"

	"github.com/caddy-webhooks/caddy-webhooks/event"
	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

const (
	// MaxFilter limits the text of a filter, in bytes.
	MaxFilter = 4 << 10
	// maxFilterCost limits one evaluation of a filter, in CEL's units of cost: a
	// thousand comparisons or so, some milliseconds at worst. Strangers write filters,
	// and many are evaluated for one event.
	maxFilterCost = 5_000
	// maxFacts limits what all filters of one tenant may cost for one event: a hundred
	// usual ones cost a quarter of it.
	maxFacts = 4 * maxFilterCost
)

// theEvent is the variable that says what an event is.
const theEvent = "event"

// Filter is a subscriber's condition on the events of an endpoint. It is immutable and
// safe for concurrent use.
type Filter struct {
	text    string
	program cel.Program
}

// filters is the same environment for all filters.
var filters = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable(theEvent, cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable(object, cel.DynType),
		cel.Variable(previous, cel.DynType),
		cel.Variable(changed, cel.ListType(cel.StringType)),
		cel.OptionalTypes(),
		ext.Strings(),
		underFunction(),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(MaxFilter),
		cel.ParserRecursionLimit(maxDepth),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals()),
	)
})

// CompileFilter checks a filter. These names are known:
//
//   - event, with type, object (as items/42), resource, id, sequence, op, freshness
//     and time.
//   - object, what is known of the object: its Show, or what a delete's payload tells.
//   - previous, the same before the change: the whole Show with `keep show`, otherwise
//     the watched fields. An object that is new has none.
//   - changed, the JSON Pointers of what has changed, and changed.under('/items/buyer'),
//     which holds for a pointer that is this one, or above or below it. A path as rules
//     have it, items.buyer, does as well.
//
// Members that may be missing are read as in a condition, see [Compile].
func CompileFilter(expression string) (*Filter, error) {
	env, err := filters()
	if err != nil {
		return nil, fmt.Errorf("preparing filters: %w", err)
	}
	checked, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, fmt.Errorf("filter%w", issueError(issues, "event, object, previous and changed"))
	}
	if kind := checked.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("filter: it must be true or false, and is of type %s", kind)
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost), cel.CostLimit(maxFilterCost))
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	return &Filter{text: expression, program: program}, nil
}

// String returns the filter as it was written.
func (f *Filter) String() string { return f.text }

// Facts are what filters may know of an event: what a subscriber who may see it does,
// see [event.Event.For]. They are read as far as filters ask, once for all of them.
type Facts struct {
	event *event.Event
	show  func() event.Document
	known map[string]any
	spent uint64
}

// NewFacts returns the facts of an event. The function returns its payload as a
// document, and is called if a filter asks.
func NewFacts(e *event.Event, show func() event.Document) *Facts {
	return &Facts{event: e, show: show, known: make(map[string]any, 4)}
}

// ErrTooCostly is returned when the filters of one event cost too much together.
var ErrTooCostly = errors.New("all filters together cost too much for this event")

// Keeps reports whether a filter lets an event through. An error says nothing about
// that: the filter reads what is missing or not known, compares what cannot be
// compared, or costs too much. It holds nothing of the event.
func (f *Filter) Keeps(facts *Facts) (bool, error) {
	if facts.spent >= maxFacts {
		return false, ErrTooCostly
	}
	result, details, err := f.program.Eval(facts)
	if details != nil && details.ActualCost() != nil {
		facts.spent += *details.ActualCost()
	} else if err != nil {
		facts.spent += maxFilterCost
	}
	if err != nil {
		return false, fmt.Errorf("filter %q: %s", f.text, explain(f.text, err))
	}
	holds, ok := result.Value().(bool)
	if !ok {
		return false, fmt.Errorf("filter %q: it is neither true nor false, but of type %s", f.text, result.Type().TypeName())
	}
	return holds, nil
}

// ResolveName implements cel.Activation. What is not known has no value, so that a
// filter that needs it cannot be decided.
func (f *Facts) ResolveName(name string) (any, bool) {
	value, read := f.known[name]
	if !read {
		value = f.read(name)
		f.known[name] = value
	}
	return value, value != nil
}

// Parent implements cel.Activation.
func (f *Facts) Parent() cel.Activation { return nil }

// read returns the value of a variable, nil if it is not known.
func (f *Facts) read(name string) any {
	e := f.event
	switch name {
	case theEvent:
		return map[string]any{
			"type": e.Type, "object": e.Key.String(), "resource": e.Key.Resource, "id": e.Key.ID, "op": string(e.Op),
			"freshness": string(e.Freshness), "sequence": int64(min(e.Sequence, 1<<62)), "time": e.Time.UTC().Truncate(time.Millisecond),
		}
	case object:
		if show := f.show().JSON(); show != nil {
			return members{all: true}.parse(show)
		}
		return map[string]any{}
	case previous:
		return f.before()
	case changed:
		if e.Changed != nil {
			return []string(e.Changed)
		}
	}
	return nil
}

// before returns the previous state of the object.
func (f *Facts) before() any {
	e := f.event
	switch {
	case e.Op == event.OpCreate:
		return map[string]any{}
	case len(e.PreviousShow) > 0:
		if show := event.NewDocument(e.PreviousShow).JSON(); show != nil {
			return members{all: true}.parse(show)
		}
		return nil
	case e.Previous == nil:
		return nil
	}
	paths := make([]string, 0, len(e.Previous))
	for path := range e.Previous {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return previously(e.Previous, paths)
}

// underFunction is changed.under(path).
func underFunction() cel.EnvOption {
	return cel.Function("under", cel.MemberOverload("list_string_under_string",
		[]*cel.Type{cel.ListType(cel.StringType), cel.StringType}, cel.BoolType,
		cel.BinaryBinding(func(list, path ref.Val) ref.Val {
			lister, ok := list.(traits.Lister)
			text, isText := path.(types.String)
			if !ok || !isText {
				return types.MaybeNoSuchOverloadErr(path)
			}
			at, err := namesOf(string(text))
			if err != nil {
				return types.NewErr("no such path")
			}
			for it := lister.Iterator(); it.HasNext() == types.True; {
				element, ok := it.Next().(types.String)
				if !ok {
					continue
				}
				if of, err := namesOf(string(element)); err == nil && related(of, at) {
					return types.True
				}
			}
			return types.False
		})))
}

// related reports whether one of two paths leads to the other.
func related(a, b []string) bool {
	n := min(len(a), len(b))
	return slices.Equal(a[:n], b[:n])
}

// unescape reads a member's name in a JSON Pointer (RFC 6901, section 4).
var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// namesOf returns the names of the members on a path: a JSON Pointer, or a path as rules
// have it.
func namesOf(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	if pointer, ok := strings.CutPrefix(path, "/"); ok {
		names := strings.Split(pointer, "/")
		for i := range names {
			names[i] = unescape.Replace(names[i])
		}
		return names, nil
	}
	parsed, err := jsonpath.Parse(path)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(parsed))
	for i, step := range parsed {
		if names[i] = step.Name; step.Kind != jsonpath.Name {
			return names[:i], nil
		}
	}
	return names, nil
}
