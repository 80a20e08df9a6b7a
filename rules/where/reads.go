// SPDX-License-Identifier: Apache-2.0

package where

import (
	"fmt"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// reads says what an expression reads.
type reads struct {
	// names are the members of each variable that are read. Those of a response
	// stand with those of a request.
	names map[string][]string
	// all is true if any member of the body may be read.
	all bool
}

// written are the variables whose members must be written out: what stands there is
// read in other ways by other programs, and that is looked at name by name.
var written = []string{Path, Query, Header}

// read finds what an expression reads.
func read(tree *ast.AST) (reads, error) {
	found := reads{names: make(map[string][]string)}
	// named are the variables that are followed by a name.
	named := make(map[int64]string)
	var err error
	note := func(variable ast.Expr, name string) {
		if variable.Kind() == ast.IdentKind {
			named[variable.ID()] = name
		}
	}
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.SelectKind:
			note(e.AsSelect().Operand(), e.AsSelect().FieldName())
		case ast.CallKind:
			noteCall(e.AsCall(), note)
		case ast.ComprehensionKind:
			c := e.AsComprehension()
			for _, name := range []string{c.IterVar(), c.IterVar2()} {
				if name == Request || name == Response || slices.Contains(written, name) {
					err = fmt.Errorf("a macro has a variable of its own with the name %s; give it another", name)
				}
			}
		case ast.IdentKind, ast.ListKind, ast.LiteralKind, ast.MapKind, ast.StructKind, ast.UnspecifiedExprKind:
		}
	}))
	if err != nil {
		return found, err
	}
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.IdentKind {
			return
		}
		variable := e.AsIdent()
		name, isNamed := named[e.ID()]
		switch {
		case slices.Contains(written, variable) && !isNamed:
			err = fmt.Errorf("%s must be followed by the name that is meant, as %s.id or %s['id']", variable, variable, variable)
		case slices.Contains(written, variable):
			found.names[variable] = append(found.names[variable], name)
		case variable != Request && variable != Response:
		case isNamed:
			found.names[Request] = append(found.names[Request], name)
		default:
			found.all = true
		}
	}))
	return found, err
}

// noteCall notes variables in calls that take a member: request['a'], request.?a, and
// 'a' in request.
func noteCall(call ast.CallExpr, note func(variable ast.Expr, name string)) {
	args := call.Args()
	if len(args) != 2 {
		return
	}
	switch call.FunctionName() {
	case operators.Index, operators.OptIndex, operators.OptSelect:
		if name, ok := constant(args[1]); ok {
			note(args[0], name)
		}
	case operators.In:
		if name, ok := constant(args[0]); ok {
			note(args[1], name)
		}
	}
}

// constant returns the text of a string literal.
func constant(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().(types.String)
	return string(text), ok
}
