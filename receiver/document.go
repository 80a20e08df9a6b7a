// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
)

// Document is an object as it is known from payloads of the formats patch and merge. The
// zero value knows nothing.
type Document struct {
	// State is the number of the last event of the state that is held; 0 for nothing. After a
	// sender was restored from a backup, set it to 0.
	State uint64 `json:"state"`
	// Value is the object as JSON; nil if it was deleted, or its Show is no text.
	Value json.RawMessage `json:"value,omitempty"`
	// Data is the object if its Show is neither JSON nor text.
	Data []byte `json:"data,omitempty"`
	// Deleted reports whether the object was deleted.
	Deleted bool `json:"deleted,omitempty"`
	// Inexact reports whether members that are null are missing: merge cannot say them.
	Inexact bool `json:"inexact,omitempty"`
}

// difference is a payload of the formats patch and merge.
type difference struct {
	Sequence *uint64         `json:"sequence"`
	Base     *uint64         `json:"base"`
	State    *uint64         `json:"state"`
	Exact    *bool           `json:"exact"`
	Deleted  bool            `json:"deleted"`
	Patch    json.RawMessage `json:"patch"`
	Merge    json.RawMessage `json:"merge"`
	Data     *string         `json:"data_base64"`
}

// Apply applies a payload, and reports whether the document has changed. Payloads may come
// in any order, and any of them twice.
//
// [ErrBase] says that something is missing before the payload, [ErrPatch] that it does not
// fit: then nothing has changed, and the object has to be read from its API. What was read
// goes into the document with the payload's state ([Document.Replace]).
func (d *Document) Apply(payload []byte) (changed bool, err error) {
	var p difference
	if err := json.Unmarshal(payload, &p); err != nil || p.State == nil || *p.State == 0 && p.Base != nil {
		return false, ErrPatch
	}
	switch {
	// A snapshot of an object that has had no event has the state 0.
	case d.State > 0 && d.State >= *p.State:
		return false, nil
	case p.Base != nil && *p.Base != d.State:
		return false, ErrBase
	}
	next, err := p.applied(*d)
	if err != nil {
		return false, err
	}
	next.State = *p.State
	*d = next
	return true, nil
}

// StateOf returns the number of the state that a payload of the formats patch and merge
// leads to, or 0.
func StateOf(payload []byte) uint64 {
	var p difference
	if err := json.Unmarshal(payload, &p); err != nil || p.State == nil {
		return 0
	}
	return *p.State
}

// Replace puts what was read from the API in the place of what is held, if it is not older:
// state is that of the payload because of which it was read.
func (d *Document) Replace(state uint64, value json.RawMessage) {
	if state >= d.State {
		*d = Document{State: state, Value: bytes.Clone(value)}
	}
}

func (p difference) applied(held Document) (Document, error) {
	var next Document
	if p.Base == nil {
		held.Value, held.Inexact = nil, false
	} else if held.Deleted || held.Value == nil {
		return next, ErrPatch
	}
	inexact := p.Exact != nil && !*p.Exact
	switch {
	case p.Deleted:
		return Document{Deleted: true}, nil
	case p.Patch != nil:
		value, err := applyPatch(held.Value, p.Patch)
		return Document{Value: value, Inexact: held.Inexact || inexact}, err
	case p.Merge != nil && p.Base == nil:
		// The Show itself, and no difference: members that are null are there.
		return Document{Value: bytes.TrimSpace(p.Merge)}, nil
	case p.Merge != nil:
		return Document{Value: applyMerge(held.Value, p.Merge), Inexact: held.Inexact || inexact}, nil
	case p.Data != nil:
		data, err := base64.StdEncoding.DecodeString(*p.Data)
		if err != nil {
			return next, ErrPatch
		}
		return Document{Data: data}, nil
	default:
		return next, ErrPatch
	}
}
