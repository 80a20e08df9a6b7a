// SPDX-License-Identifier: Apache-2.0

// Package where evaluates the expressions by which rules tell requests and answers
// apart. They are CEL, the language of Caddy's own `expression` matcher and of the
// conditions of events (package event/when).
package where

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
)

// The variables of an expression.
const (
	Request  = "request"
	Response = "response"
	Status   = "status"
	Path     = "path"
	Query    = "query"
	Header   = "header"
)

// Limits of an expression: those of event/when.
const (
	maxSize  = 8 << 10
	maxDepth = 64
	maxCost  = 100_000
)

// ErrUndecided is returned by [Expression.Holds] if nobody can tell: an expression
// compares what cannot be compared, or costs too much.
var ErrUndecided = errors.New("a `where` cannot be decided")

// Expression is an expression that has been checked. It is immutable and safe for
// concurrent use.
type Expression struct {
	text    string
	program cel.Program
	reads   reads
}

// environments are those of expressions on requests, and on answers.
var environments = map[bool]func() (*cel.Env, error){
	false: sync.OnceValues(func() (*cel.Env, error) {
		texts := cel.MapType(cel.StringType, cel.StringType)
		return newEnvironment(cel.Variable(Request, cel.DynType), cel.Variable(Path, texts), cel.Variable(Query, texts), cel.Variable(Header, texts))
	}),
	true: sync.OnceValues(func() (*cel.Env, error) {
		return newEnvironment(cel.Variable(Response, cel.DynType), cel.Variable(Status, cel.IntType))
	}),
}

func newEnvironment(variables ...cel.EnvOption) (*cel.Env, error) {
	return cel.NewEnv(append(variables,
		cel.OptionalTypes(),
		ext.Strings(),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxSize),
		cel.ParserRecursionLimit(maxDepth),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals()),
	)...)
}

// Compile checks an expression on a request: on `request`, its body; `path`, the
// placeholders of the rule's path; `query` and `header`, whose names must be written
// out. With answer, it is one on an answer: on `response`, its body, and `status`.
func Compile(text string, answer bool) (*Expression, error) {
	env, err := environments[answer]()
	if err != nil {
		return nil, fmt.Errorf("preparing conditions: %w", err)
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, compileError(issues, answer)
	}
	if kind := checked.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("%q must be true or false, and is of type %s", text, kind)
	}
	e := &Expression{text: text}
	if e.reads, err = read(checked.NativeRep()); err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	if e.program, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost)); err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return e, nil
}

// compileError formats the first issue as one line.
func compileError(issues *cel.Issues, answer bool) error {
	all := issues.Errors()
	if len(all) == 0 {
		return issues.Err()
	}
	first := all[0]
	text := strings.TrimSuffix(first.Message, " (in container '')")
	if strings.HasPrefix(text, "undeclared reference to") {
		known := "request, path, query and header: there is no answer yet when a rule is chosen"
		if answer {
			known = "response and status"
		}
		text += "; known are " + known
	}
	return fmt.Errorf("column %d: %s", max(first.Location.Column(), 0)+1, text)
}

// String returns the expression.
func (e *Expression) String() string { return e.text }

// Body returns the members of the body that the expression reads. It reports all if
// it may read any, and none if it reads nothing of it.
func (e *Expression) Body() (names []string, all, none bool) {
	return e.reads.names[Request], e.reads.all, !e.reads.all && len(e.reads.names[Request]) == 0
}

// Names returns the names that the expression reads of `path`, `query` or `header`.
func (e *Expression) Names(variable string) []string {
	return slices.Clone(e.reads.names[variable])
}

// Holds reports whether the expression holds. One that reads what is not there does
// not. It fails with [ErrUndecided] if nobody can tell.
func (e *Expression) Holds(variables map[string]any) (bool, error) {
	result, _, err := e.program.Eval(variables)
	if err != nil {
		// The error may have values of the request, which must not be logged.
		switch text := err.Error(); {
		case strings.HasPrefix(text, "no such key"):
			return false, nil
		case strings.Contains(text, "cost limit"):
			return false, fmt.Errorf("%w: %q costs too much: the lists that it compares are too long", ErrUndecided, e.text)
		}
		return false, fmt.Errorf("%w: %q compares or combines values of types that do not go together", ErrUndecided, e.text)
	}
	holds, ok := result.Value().(bool)
	if !ok {
		return false, fmt.Errorf("%w: %q is neither true nor false", ErrUndecided, e.text)
	}
	return holds, nil
}
