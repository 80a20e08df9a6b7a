// SPDX-License-Identifier: Apache-2.0

package syntax

import (
	"fmt"
	"slices"
	"strings"
)

// Operators says who is an operator, by what an authentication before the dashboard has found
// out. An operator has no tenant, whatever `authorize` says.
type Operators struct {
	// Claim is a placeholder that a handler before this one has filled, as
	// `{http.auth.user.id}`, or `{http.vars.dashboard_role}`. Others are refused: headers,
	// cookies and queries are what a client writes.
	Claim string `json:"claim"`

	// Values are those that it has for operators, as they are written. One must be equal,
	// whole: of a list of groups, make a variable first.
	Values []string `json:"values"`
}

// maxOperatorValues limits the values.
const maxOperatorValues = 100

// claims begin the placeholders that clients cannot fill by themselves.
var claims = []string{"{http.auth.user.", "{http.vars."}

// Placeholder returns the claim, "" if nobody is an operator.
func (o *Operators) Placeholder() string {
	if o == nil {
		return ""
	}
	return o.Claim
}

// Is reports whether a claim that was filled is an operator's. An empty one never is.
func (o *Operators) Is(claim string) bool {
	return o != nil && claim != "" && slices.Contains(o.Values, claim)
}

// check reports what would make operators of others.
func (o *Operators) check() error {
	if o == nil {
		return nil
	}
	if !isPlaceholder(o.Claim) || !slices.ContainsFunc(claims, func(begin string) bool { return strings.HasPrefix(o.Claim, begin) }) {
		return fmt.Errorf("webhooks_dashboard: operators takes what an authentication has found out, as {http.auth.user.id}, or a variable, as {http.vars.dashboard_role}, not %q: "+
			"what a client writes itself would make it an operator; where a handler before sets a header for sure, as forward_auth does, make a variable of it with vars", o.Claim)
	}
	if len(o.Values) == 0 || len(o.Values) > maxOperatorValues {
		return fmt.Errorf("webhooks_dashboard: operators takes the values that %s has for operators, %d at most, as `operators %s mara`", o.Claim, maxOperatorValues, o.Claim)
	}
	for _, value := range o.Values {
		if strings.TrimSpace(value) == "" || strings.ContainsAny(value, "{}*") {
			return fmt.Errorf("webhooks_dashboard: operators takes values as they are, as `operators %s mara`, not %q: it would be nobody, or anybody", o.Claim, value)
		}
	}
	return nil
}
