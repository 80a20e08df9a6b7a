// SPDX-License-Identifier: Apache-2.0

package syntax

// Parent says which object of another resource an object belongs to.
type Parent struct {
	// Resource is the parent's resource.
	Resource string `json:"resource"`

	// Key says where the parts of the parent's key stand, in their order: a path in
	// the object's own Show, or `:NAME` for a part of its key.
	Key []string `json:"key"`
}
