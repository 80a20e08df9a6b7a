// SPDX-License-Identifier: Apache-2.0

package syntax

import "testing"

// Nobody is an operator but who has a value that is written, whole.
func TestOperatorsIs(t *testing.T) {
	ops := &Operators{Claim: "{http.auth.user.id}", Values: []string{"mara", "tom"}}
	for claim, want := range map[string]bool{"mara": true, "tom": true, "": false, "Mara": false, "mara ": false, "mara,tom": false, "{http.auth.user.id}": false} {
		if ops.Is(claim) != want {
			t.Errorf("%q: %t", claim, !want)
		}
	}
	var none *Operators
	if none.Is("") || none.Is("mara") || none.Placeholder() != "" || ops.Placeholder() != ops.Claim {
		t.Error("without operators, somebody is one")
	}
	if (&Operators{Claim: ops.Claim, Values: []string{""}}).Is("") {
		t.Error("who is nobody is an operator")
	}
}
