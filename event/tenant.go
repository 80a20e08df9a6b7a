// SPDX-License-Identifier: Apache-2.0

package event

// Audience narrows who may have an event, beyond what its tenant says. An
// object that passes from one tenant to another makes events for its new owner,
// to whom nothing is known of the state before, and events for operators, who
// know it.
type Audience string

const (
	// AudienceAll is everybody who may see the object.
	AudienceAll Audience = ""
	// AudienceOperators has the events that follow from the state before a
	// change of tenant. To know of them is to know something of that state.
	AudienceOperators Audience = "operators"
	// AudienceTenant has the events that follow only if the state before is
	// unknown.
	AudienceTenant Audience = "tenant"
)

// UnknownTenant is the owner of a previous state whose owner was not recorded.
// No tenant has such a name.
const UnknownTenant = "\x00"

// VisibleTo reports whether a subscriber of a tenant may have the event. The
// tenant "" is the operator, who may have the events of all objects; a tenant
// may have those of its own.
//
// VisibleTo and [Event.For] alone decide what a tenant may see. Every way to a
// subscriber leads through them: routing, payloads, what is sent again, lists.
func (e *Event) VisibleTo(tenant string) bool {
	if tenant == "" {
		return e.Audience != AudienceTenant
	}
	return e.Tenant == tenant && e.Audience != AudienceOperators
}

// InFeedOf reports whether the feed of all that a tenant may see has the event. It has
// no snapshots: they are one endpoint's, and repeat what the feed has told.
func (e *Event) InFeedOf(tenant string) bool {
	return e.Op != OpSnapshot && e.VisibleTo(tenant)
}

// For returns the event as a subscriber of a tenant may have it: without the
// previous state and what has changed since, unless that was the tenant's own. It
// must be visible to the tenant.
func (e *Event) For(tenant string) *Event {
	if tenant == "" || e.PreviousTenant == tenant || e.Previous == nil && len(e.PreviousShow) == 0 && e.Changed == nil && e.Base == 0 {
		return e
	}
	seen := *e
	seen.Previous, seen.PreviousShow, seen.Changed, seen.Base = nil, nil, nil, 0
	return &seen
}

// Happening is a type of event that a transition makes, and who may have it.
type Happening struct {
	Type     string
	Audience Audience
}

// Happenings returns the events that a transition makes. With handedOver, the
// object belongs to another tenant than before, which must not learn anything of
// the previous state: for it, the transition is one from an unknown state.
func Happenings(triggers []Trigger, transition Transition, handedOver bool) ([]Happening, error) {
	types, err := Types(triggers, transition)
	all := make([]Happening, 0, len(types))
	if !handedOver {
		for _, name := range types {
			all = append(all, Happening{Type: name})
		}
		return all, err
	}
	unknown := transition
	unknown.Previous = nil
	// A condition that fails without the previous state does not hold for the
	// tenant, and is no trouble of the operator's.
	fresh, _ := Types(triggers, unknown)
	at := make(map[string]bool, len(fresh))
	for _, name := range fresh {
		at[name] = true
	}
	for _, name := range types {
		h := Happening{Type: name, Audience: AudienceOperators}
		if at[name] {
			h.Audience = AudienceAll
			delete(at, name)
		}
		all = append(all, h)
	}
	for _, name := range fresh {
		if at[name] {
			all = append(all, Happening{Type: name, Audience: AudienceTenant})
		}
	}
	return all, err
}
