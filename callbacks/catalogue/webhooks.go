// SPDX-License-Identifier: Apache-2.0

package catalogue

// deliveryHeaders are the headers of each delivery, with what they say.
var deliveryHeaders = []struct {
	name, text string
	always     bool
}{
	{"webhook-id", "The event's id and a hash of the headers below: the same when a delivery is sent again.", true},
	{"webhook-timestamp", "When this attempt was made, in seconds since 1970.", true},
	{"webhook-signature", "The signatures of Standard Webhooks, unless the endpoint has others.", false},
	{"webhook-event", "The event's type.", true},
	{"webhook-object", "The object that the event is of, such as items/42.", true},
	{"webhook-sequence", "The number of the event among those of its object.", true},
	{"webhook-op", "What happened: create, change, delete, snapshot or test.", true},
	{"webhook-freshness", "How it was proven that the payload is not stale: version, etag or unproven.", false},
	{"webhook-changed", "What differs from the state before, as JSON Pointers.", false},
}

func webhookParameters() object {
	parameters := make(object)
	for _, h := range deliveryHeaders {
		parameters[h.name] = object{
			"name": h.name, "in": "header", "required": h.always, "description": h.text, "schema": object{"type": "string"},
		}
	}
	return parameters
}

// webhooks are the requests that the API makes. The answers are a receiver's.
func (d Description) webhooks() object {
	references := make([]object, len(deliveryHeaders))
	for i, h := range deliveryHeaders {
		references[i] = object{"$ref": "#/components/parameters/" + h.name}
	}
	webhooks := make(object)
	for _, w := range d.Webhooks {
		operation := object{
			"operationId": "webhook." + w.Type,
			"summary":     w.Type,
			"parameters":  references,
			"requestBody": w.Body.request(),
			"security":    []object{},
			"responses": object{
				"2XX": object{"description": "It was taken."},
				"410": object{"description": "The endpoint is not wanted any more, and is disabled."},
				"429": object{"description": "Later, and fewer; Retry-After says when."},
				"default": object{
					"description": "It was not taken, and is sent again.",
				},
			},
		}
		webhooks[w.Type] = object{"post": with(operation, "description", w.Text)}
	}
	return webhooks
}
