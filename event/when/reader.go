// SPDX-License-Identifier: Apache-2.0

package when

import (
	"errors"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/caddy-webhooks/caddy-webhooks/internal/jsonpath"
)

// reader finds out what an expression reads. It refuses expressions whose paths
// are only known at evaluation, since these could not be watched.
type reader struct {
	tree *ast.AST
	// shadowed counts, for each name, the macros around an expression that use
	// it for a variable of their own.
	shadowed map[string]int
	found    []string
	object   members
	err      error
}

func newReader(tree *ast.AST) *reader {
	return &reader{tree: tree, shadowed: make(map[string]int)}
}

func (r *reader) read() error {
	r.visit(r.tree.Expr())
	return r.err
}

func (r *reader) paths() []string {
	slices.Sort(r.found)
	return slices.Compact(r.found)
}

// fail records the first error.
func (r *reader) fail(e ast.Expr, text string) {
	if r.err == nil {
		start := r.tree.SourceInfo().GetStartLocation(e.ID())
		r.err = errors.New("condition" + located(start.Line(), start.Column(), text))
	}
}

// is reports whether an expression is one of the variables.
func (r *reader) is(e ast.Expr, variable string) bool {
	return e.Kind() == ast.IdentKind && e.AsIdent() == variable && r.shadowed[variable] == 0
}

func (r *reader) visit(e ast.Expr) {
	switch e.Kind() {
	case ast.IdentKind:
		r.variable(e)
	case ast.SelectKind:
		if !r.chain(e) {
			r.visit(e.AsSelect().Operand())
		}
	case ast.CallKind:
		r.call(e)
	case ast.ListKind:
		r.visitAll(e.AsList().Elements())
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.visit(entry.AsMapEntry().Key())
			r.visit(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			r.visit(field.AsStructField().Value())
		}
	case ast.ComprehensionKind:
		r.comprehension(e.AsComprehension())
	case ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

func (r *reader) visitAll(list []ast.Expr) {
	for _, e := range list {
		r.visit(e)
	}
}

// variable handles a variable that stands by itself.
func (r *reader) variable(e ast.Expr) {
	switch {
	case r.is(e, object):
		r.object.all = true
	case r.is(e, previous):
		r.fail(e, "previous must be followed by the field that is meant, as previous.items.state, so that it can be watched")
	case r.is(e, changed):
		r.fail(e, "changed can be asked for a path that is written out, as 'items.state' in changed, or for its size(changed)")
	case r.is(e, cause):
		r.fail(e, "cause must be followed by one of "+strings.Join(causes, ", "))
	}
}

func (r *reader) call(e ast.Expr) {
	call := e.AsCall()
	args := call.Args()
	switch {
	case r.chain(e):
		return
	case call.FunctionName() == operators.In && len(args) == 2 && r.is(args[1], changed):
		if path, ok := constant(args[0]); ok {
			r.found = append(r.found, path)
			return
		}
	case call.FunctionName() == "size" && call.IsMemberFunction() && r.is(call.Target(), changed),
		call.FunctionName() == "size" && len(args) == 1 && r.is(args[0], changed):
		return
	}
	if call.IsMemberFunction() {
		r.visit(call.Target())
	}
	r.visitAll(args)
}

// comprehension handles the expansion of a macro such as exists.
func (r *reader) comprehension(c ast.ComprehensionExpr) {
	r.visit(c.IterRange())
	r.visit(c.AccuInit())
	names := []string{c.IterVar(), c.AccuVar()}
	if c.HasIterVar2() {
		names = append(names, c.IterVar2())
	}
	for _, name := range names {
		r.shadowed[name]++
	}
	r.visit(c.LoopCondition())
	r.visit(c.LoopStep())
	for _, name := range names {
		r.shadowed[name]--
	}
	r.shadowed[c.AccuVar()]++
	r.visit(c.Result())
	r.shadowed[c.AccuVar()]--
}

// chain handles object.a, previous.a.b, previous['a']['b'] and cause.rule. It
// returns false for anything else.
func (r *reader) chain(e ast.Expr) bool {
	root, steps := r.unwind(e)
	if root == nil {
		return false
	}
	switch {
	case len(steps.names) == 0:
		r.variable(root)
	case r.is(root, object):
		r.object.names = append(r.object.names, steps.names[0])
	case r.is(root, previous):
		r.found = append(r.found, steps.path())
	case !slices.Contains(causes, steps.names[0]):
		r.fail(e, "cause has no "+steps.names[0]+", only "+strings.Join(causes, ", "))
	}
	return true
}

// steps are the names that follow a variable.
type steps struct {
	names []string
	// whole is true if the first name is a path by itself, as in
	// previous['items.state'].
	whole bool
	// cut is true if the next name is only known at evaluation; the path ends
	// before it.
	cut bool
}

// path returns the gjson path of the steps.
func (s steps) path() string {
	if s.whole {
		return s.names[0]
	}
	escaped := make([]string, len(s.names))
	for i, name := range s.names {
		escaped[i] = jsonpath.Escape(name)
	}
	return strings.Join(escaped, ".")
}

// unwind returns the variable that a chain of members begins with, or nil if it
// begins with something else.
func (r *reader) unwind(e ast.Expr) (root ast.Expr, s steps) {
	switch e.Kind() {
	case ast.IdentKind:
		if r.is(e, object) || r.is(e, previous) || r.is(e, cause) {
			return e, s
		}
		return nil, s
	case ast.SelectKind:
		if root, s = r.unwind(e.AsSelect().Operand()); root != nil {
			s = s.then(e.AsSelect().FieldName(), false)
		}
		return root, s
	case ast.CallKind:
		return r.unwindCall(e.AsCall())
	}
	return nil, s
}

func (r *reader) unwindCall(call ast.CallExpr) (root ast.Expr, s steps) {
	args := call.Args()
	switch call.FunctionName() {
	case operators.Index, operators.OptIndex, operators.OptSelect:
	default:
		return nil, s
	}
	if len(args) != 2 {
		return nil, s
	}
	if root, s = r.unwind(args[0]); root == nil {
		return nil, s
	}
	if name, ok := constant(args[1]); ok {
		return root, s.then(name, call.FunctionName() != operators.OptSelect)
	}
	r.visit(args[1])
	s.cut = true
	return root, s
}

// then adds a name.
func (s steps) then(name string, index bool) steps {
	if s.cut {
		return s
	}
	if index && len(s.names) == 0 && strings.ContainsAny(name, ".#*|@") {
		s.whole, s.cut = true, true
	}
	s.names = append(s.names, name)
	return s
}

// constant returns the text of a string literal.
func constant(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().(types.String)
	return string(text), ok
}
