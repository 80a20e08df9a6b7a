// SPDX-License-Identifier: Apache-2.0

package subscribers

import "context"

// OperatorName is what tenants read of an operator in the audit, whoever it was.
const OperatorName = "operator"

type operatorKey struct{}

// WithOperator returns the context of what an operator does who has a name.
func WithOperator(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, operatorKey{}, name)
}

// OperatorOf returns the name of the operator who does something, "" if nobody has said it,
// as on the machine itself, or if no operator does it.
func OperatorOf(ctx context.Context) string {
	name, _ := ctx.Value(operatorKey{}).(string)
	return name
}
