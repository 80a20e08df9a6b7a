// SPDX-License-Identifier: Apache-2.0

package queue

import "github.com/caddy-webhooks/caddy-webhooks/event"

// listSuffix follows a resource's name in the key of the mark that has it
// listed. No resource's name can hold an "@".
const listSuffix = "@list"

// ListKey returns the key of the mark that has all objects of a resource listed.
// That they are to be listed is a mark like any other, so that a crash does not
// lose it.
func ListKey(resource string) event.Key {
	return event.Key{Resource: resource + listSuffix, ID: "all"}
}
