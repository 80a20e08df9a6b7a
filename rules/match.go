// SPDX-License-Identifier: Apache-2.0

package rules

// Match is a rule that a request matches, and what the request's path holds.
type Match struct {
	// Rule is the rule.
	Rule *Rule
	// Unread says why the request cannot be read for sure, so that nobody knows
	// which objects it is about. Nil if it can be read.
	Unread error
	// Unsure says why the API may have understood the request otherwise, although
	// all objects are known that it can be about: no answer confirms that they
	// changed. Nil if there is one way to understand it.
	Unsure error

	// values begins with the values of the placeholders. It is an array, so that
	// a match needs no allocation.
	values [maxSegments]string
	count  int
}

// Values returns the values of the placeholders in the rule's path, unescaped and
// in order.
func (m *Match) Values() []string {
	return m.values[:m.count]
}

// Placeholder returns the value of a placeholder in the rule's path, or "".
func (m *Match) Placeholder(name string) string {
	return m.Rule.pattern.value(name, m.Values())
}

// Text returns the text that all readers of the matched request find at v, "" for none.
// Unlike [Request.Text] it knows the placeholders of the path, and takes objects,
// arrays and booleans of the body for values. Of a request that cannot be read for
// sure it returns nothing.
func (m *Match) Text(request *Request, v Value) string {
	if m.Unread != nil || m.Unsure != nil {
		return ""
	}
	if v.Source == FromPath {
		return m.Placeholder(v.Name)
	}
	texts, err := request.texts(v, false)
	if err != nil || texts.Unsure || len(texts.All) != 1 {
		return ""
	}
	return texts.All[0]
}
