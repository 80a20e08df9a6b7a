// SPDX-License-Identifier: Apache-2.0

package syntax

// Notify says where the request names a receiver.
type Notify struct {
	// URL is the value that holds the receiver's URL, such as
	// `request:notificationUrl`. Required.
	URL string `json:"url"`

	// Authorization is the value that is sent to the receiver as its
	// `Authorization` header. Default: none is sent.
	Authorization string `json:"authorization,omitempty"`

	// Events are the types of the events that are sent. Default: all.
	Events []string `json:"events,omitempty"`

	// Until is the last state that is sent to the receiver. It takes a path in
	// Show. Default: all changes are sent, until the delete.
	Until *Condition `json:"until,omitempty"`
}
