// SPDX-License-Identifier: Apache-2.0

package queue

import "github.com/caddy-webhooks/caddy-webhooks/event"

// ChildrenSuffix follows a resource's name in the key of the mark that has the known
// children of an object looked at. No resource's name can hold an "@".
const ChildrenSuffix = "@children"

// ChildrenKey returns the key of the mark that has an object's known children of a
// resource looked at.
func ChildrenKey(resource string, parent event.Key) event.Key {
	return event.Key{Resource: resource + ChildrenSuffix, ID: parent.ID}
}
