// SPDX-License-Identifier: Apache-2.0

package queue

// Sent is what is kept of the request of an attempt: what cannot be made again of the event,
// the attempt's time and the endpoint. It has no credential, and of the URL no more than the
// host. The zero Sent is of an attempt that sent nothing, or of one that an earlier version
// has recorded.
type Sent struct {
	// Host is where the request went, as URLs have it.
	Host string `json:"host"`
	// Settings is a checksum of how the endpoint sends, without its keys: where it is
	// another one now, the request cannot be made again. It has two bytes: enough to see a
	// change of which there are few, and too few to find out a URL by.
	Settings uint16 `json:"-"`
	// Keys name the keys that signed it, by the first digits of their fingerprints.
	Keys []string `json:"keys,omitempty"`
	// Trace is its traceparent, "" if it had none.
	Trace string `json:"traceparent,omitempty"`
}

// IsZero reports whether nothing is known of a request.
func (s *Sent) IsZero() bool { return s.Host == "" }
