// SPDX-License-Identifier: Apache-2.0

// Package when evaluates expressions that decide whether a transition makes an
// event. The expressions are CEL, the language of Caddy's own `expression`
// matcher.
package when

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"

	"github.com/caddy-webhooks/caddy-webhooks/event"
)

// The variables of an expression.
const (
	object   = "object"
	previous = "previous"
	changed  = "changed"
	cause    = "cause"
)

// causes are the members of `cause`.
var causes = []string{"rule", "method", "path", "resource", "outcome"}

// Limits of an expression.
const (
	maxSize  = 8 << 10 // bytes
	maxDepth = 64
	// maxCost limits an evaluation, in CEL's units of cost. A comparison costs
	// a few of them, so this is some ten thousand comparisons, and some
	// hundredths of a second at worst.
	maxCost = 100_000
)

// Condition is an expression that has been checked. It is immutable and safe
// for concurrent use.
type Condition struct {
	text    string
	program cel.Program
	paths   []string
	// object names the members of the Show that the expression reads.
	object members
}

// Input holds the values that an expression can read.
type Input struct {
	// Show is the object's Show: `object`. If there is no Show, because the
	// object is gone, or it is not JSON, `object` has no members.
	Show event.Document
	// Previous holds the previous values of the watched fields: `previous`. If
	// they are unknown, or the Show did not have a field, has(previous.a) is
	// false.
	Previous event.Fields
	// Changed lists the watched paths whose values changed: `changed`.
	Changed []string
	// Cause is the exchange that led here: `cause`.
	Cause event.Cause
}

// environment is the same for all expressions.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable(object, cel.DynType),
		cel.Variable(previous, cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable(changed, cel.ListType(cel.StringType)),
		cel.Variable(cause, cel.MapType(cel.StringType, cel.StringType)),
		cel.OptionalTypes(),
		ext.Strings(),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxSize),
		cel.ParserRecursionLimit(maxDepth),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals()),
	)
})

// Compile checks an expression. These names are known:
//
//   - object, the Show. Whole numbers are integers; those beyond 64 bits are
//     strings of their digits, since nothing else holds them exactly. Numbers
//     with a point or an exponent are doubles. If a member is repeated, the
//     first counts.
//   - previous, the previous values of the watched fields, as
//     previous.items.state. A path that an expression reads there becomes
//     watched (see [Condition.Paths]), so it must be written out.
//   - changed, the paths whose values changed: 'items.state' in changed.
//   - cause, with rule, method, path, resource and outcome.
//
// A member that may be missing is tested with has(object.buyer), or read as
// object.?buyer.?vip.orValue(false). Errors name the column of the mistake in
// the expression.
func Compile(expression string) (*Condition, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("preparing conditions: %w", err)
	}
	checked, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, fmt.Errorf("condition%w", issueError(issues, "object, previous, changed and cause"))
	}
	if kind := checked.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("condition: it must be true or false, and is of type %s", kind)
	}
	reader := newReader(checked.NativeRep())
	if err := reader.read(); err != nil {
		return nil, err
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("condition: %w", err)
	}
	return &Condition{text: expression, program: program, paths: reader.paths(), object: reader.object}, nil
}

// issueError formats the first issue as one line. Names are the variables that there
// are.
func issueError(issues *cel.Issues, names string) error {
	all := issues.Errors()
	if len(all) == 0 {
		return fmt.Errorf(": %w", issues.Err())
	}
	first := all[0]
	text := strings.TrimSuffix(first.Message, " (in container '')")
	if strings.HasPrefix(text, "undeclared reference to") {
		text += "; known are " + names + ", and CEL's own functions"
	}
	return errors.New(located(first.Location.Line(), first.Location.Column(), text))
}

// located returns a text with its position, which CEL counts from line 1 and
// column 0. It follows the name of what has it.
func located(line, column int, text string) string {
	if line > 1 {
		return fmt.Sprintf(", line %d, column %d: %s", line, max(column, 0)+1, text)
	}
	return fmt.Sprintf(", column %d: %s", max(column, 0)+1, text)
}

// String returns the expression.
func (c *Condition) String() string { return c.text }

// Paths returns the paths of Show whose previous values the expression needs,
// sorted and without duplicates. They must be watched.
func (c *Condition) Paths() []string { return slices.Clone(c.paths) }

// Eval reports whether the condition holds. It fails if the expression reads a
// missing member, compares values that cannot be compared, is neither true nor
// false, or costs too much. An error says nothing about the condition, and must
// not be treated as false or true.
func (c *Condition) Eval(in Input) (bool, error) {
	known := map[string]any{
		object:   map[string]any{},
		previous: previously(in.Previous, c.paths),
		changed:  in.Changed,
		cause: map[string]string{
			"rule": in.Cause.Rule, "method": in.Cause.Method, "path": in.Cause.Path,
			"resource": in.Cause.Resource, "outcome": string(in.Cause.Outcome),
		},
	}
	if in.Changed == nil {
		known[changed] = []string{}
	}
	if show := in.Show.JSON(); show != nil && !c.object.none() {
		known[object] = c.object.parse(show)
	}
	result, _, err := c.program.Eval(known)
	if err != nil {
		return false, fmt.Errorf("condition %q: %s", c.text, explain(c.text, err))
	}
	holds, ok := result.Value().(bool)
	if !ok {
		return false, fmt.Errorf("condition %q: it is neither true nor false, but of type %s", c.text, result.Type().TypeName())
	}
	return holds, nil
}

// explain says why an evaluation failed, without the values it met: they may be
// secret, and must not be logged.
func explain(expression string, err error) string {
	text := err.Error()
	if key, ok := strings.CutPrefix(text, "no such key: "); ok && strings.Contains(expression, key) {
		return text
	}
	switch {
	case strings.Contains(text, "cost limit"):
		return "it costs too much: the lists that it compares are too long"
	case strings.HasPrefix(text, "no such overload"):
		return "it compares or combines values of types that do not go together"
	case strings.HasPrefix(text, "no such attribute"):
		return "it reads what is not known of this event"
	case strings.HasPrefix(text, "no such key"):
		return "it reads a member that is not there"
	}
	return "it cannot be evaluated with the values that are there"
}
