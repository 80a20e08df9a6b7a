// SPDX-License-Identifier: Apache-2.0

//go:build !failpoints

package failpoint

// Here does nothing in this build; the compiler removes it.
func Here(string) {}
