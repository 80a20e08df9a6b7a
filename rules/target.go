// SPDX-License-Identifier: Apache-2.0

package rules

// IsTarget reports whether the object of the rule is the target of its requests: the
// last part of its key is the last segment of the path.
func (r *Rule) IsTarget() bool {
	at := r.Key[len(r.Key)-1].Placeholder
	return at >= 0 && r.pattern.endsWith(r.pattern.names[at])
}
