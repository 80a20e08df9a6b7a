// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"net/http"
	"slices"
)

// maxMembers limits how many members of a batch are read.
const maxMembers = 1000

var errLongBatch = errors.New("the request is a batch of more members than are read")

// Member is a member of a batch that a rule matches, as if it had been sent alone.
type Member struct {
	// Request is the request with the member as its body.
	Request Request
	// Match is the rule that the member matches.
	Match Match
	// Made is true for the object that a move makes, beside the one that it ends.
	Made bool
	// JSON is the member of an array, and Index the place of one of [Batched].
	JSON  []byte
	Index int
}

// FindMembers finds the rules that the members of a batch match, by resource: a body
// that is an array, where rules look for the members of an object. There are none if
// the request is no batch, or if no rule is about any of its members. Where there are
// too many, found is filled as Find does.
func (s *Set) FindMembers(request *Request, found *Match) [][]Member {
	if !request.batch {
		return nil
	}
	var all [][]Member
	readings := request.reading.Members(maxMembers)
	for i := range min(len(readings), maxMembers) {
		m := Member{
			Request: Request{HTTP: request.HTTP, Method: request.HTTP.Method, Limit: request.Limit, looked: true, reading: readings[i]},
			JSON:    readings[i].Documents[0].JSON,
		}
		if !s.rules.find(&m.Request, &m.Match) {
			continue
		}
		all = s.addEach(all, m)
	}
	if len(readings) <= maxMembers {
		return all
	}
	path := usualPath(request.HTTP.URL.EscapedPath())
	if found.count = 0; s.rules.root.loose(http.MethodPost, path, path, found) {
		found.Unread = errLongBatch
	}
	return nil
}

// addEach adds a member, once for each resource that has a rule about it, and once more
// for the object that a move makes.
func (s *Set) addEach(all [][]Member, m Member) [][]Member {
	each := s.FindEach(&m.Request, &m.Match)
	if each == nil {
		each = []Found{{Match: m.Match, Method: m.Request.Method}}
	}
	for _, one := range each {
		m.Match, m.Made, m.Request.Method = one.Match, false, one.Method
		all = addMember(all, m)
		if makes := m.Match.Rule.Makes; makes != nil && m.Match.Unread == nil {
			m.Match.Rule, m.Made = makes, true
			all = addMember(all, m)
		}
	}
	return all
}

// addMember adds a member to those of its resource.
func addMember(all [][]Member, m Member) [][]Member {
	at := slices.IndexFunc(all, func(group []Member) bool {
		return group[0].Match.Rule.Resource == m.Match.Rule.Resource && group[0].Made == m.Made
	})
	if at < 0 {
		return append(all, []Member{m})
	}
	all[at] = append(all[at], m)
	return all
}
