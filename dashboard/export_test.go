// SPDX-License-Identifier: Apache-2.0

package dashboard

import "maps"

// Nothing reads objects in these tests.
func init() { waited = "20ms" }

// OperatorPages returns the patterns of the pages of operators, below /operator/.
func OperatorPages() (patterns []string) {
	for pattern := range maps.Keys(operatorPages) {
		patterns = append(patterns, pattern)
	}
	return patterns
}
