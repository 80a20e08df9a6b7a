// SPDX-License-Identifier: Apache-2.0

package sign

import (
	"slices"
	"time"
)

// shortName is how many digits of a key's fingerprint name it among the few of an endpoint.
// Such names stand on disk beside what is sealed: with more of them, who reads it could try
// out what weak keys there are.
const shortName = 4

// ShortName returns the beginning of the key's fingerprint, "" for the zero Secret.
func (s Secret) ShortName() string {
	name := s.Fingerprint()
	return name[:min(shortName, len(name))]
}

// Signers are the keys that sign an endpoint's deliveries, by whatever scheme. The zero
// Signers has none.
type Signers struct {
	keys  []Secret
	names []string
}

// SignersOf returns the keys of schemes. The secrets are the endpoint's.
func SignersOf(schemes []Scheme, secrets []Secret) Signers {
	var s Signers
	for _, scheme := range schemes {
		for _, key := range scheme.Keys(secrets) {
			if !key.IsZero() && !slices.ContainsFunc(s.keys, key.Equal) {
				s.keys, s.names = append(s.keys, key), append(s.names, key.ShortName())
			}
		}
	}
	return s
}

// At returns the short names of those that sign at a time. They must not be changed.
func (s *Signers) At(at time.Time) []string {
	ended := func(key Secret) bool { return !key.signs(at) }
	if !slices.ContainsFunc(s.keys, ended) {
		return s.names // nearly always, and for each attempt
	}
	var names []string
	for i, key := range s.keys {
		if key.signs(at) {
			names = append(names, s.names[i])
		}
	}
	return names
}
