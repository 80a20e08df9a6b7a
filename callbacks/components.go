// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/emitter/sign"
	"github.com/caddy-webhooks/caddy-webhooks/event/payload"
)

// components are the schemas of bodies, by name. Those of answers allow members that will be
// there one day; those of requests do not, as what nobody knows is refused.
var components = map[string]json.RawMessage{
	"Endpoint": having(`"id":{"type":"string"},"label":{"type":"string"},"url":{"type":"string"},"events":{"type":"array","items":{"type":"string"}},
		"payload":{"$ref":"#/components/schemas/Payload"},"signature":{"type":"string"},"auth":{"$ref":"#/components/schemas/Auth"},
		"rate":{"type":"string"},"order":{"enum":["object","endpoint","none"]},"headers":`+texts+`,"metadata":`+texts+`,"filter":{"type":"string"},
		"status":{"enum":["active","retrying","failing","paused","disabled"]},"since":`+moment+`,"reason":{"type":"string"},"created_at":`+moment+`,
		"secrets":{"type":"array","items":{"$ref":"#/components/schemas/SecretID"}},"secret":{"type":"string"},"delayed":{"type":"boolean"},"cursor":{"type":"string"},
		"verification":{"$ref":"#/components/schemas/Verification"}`,
		"id", "events", "payload", "signature", "order", "status", "created_at", "secrets"),
	"EndpointChange": exactly(endpointMembers),
	"Run": having(`"state":{"enum":["listing","walking","replaying","done","cancelled"]},"resource":{"type":"string"},"done":{"type":"integer"},"of":{"type":"integer"},
		"filtered":{"type":"integer"},"unread":{"type":"integer"},"complete":{"type":"boolean"},"began_at":`+moment+`,"ended_at":`+moment, "state", "done", "of", "complete", "began_at"),
	"Payload": having(payloadMembers+`,"fields":{"type":"array","items":{"$ref":"#/components/schemas/Field"}},"data":{"type":"array","items":{"$ref":"#/components/schemas/Field"}}`, "format"),
	"PayloadChange": exactly(`"format":{"type":["string","null"]},"binary":{"type":["boolean","null"]},"source":{"type":["string","null"]},"url":{"type":["string","null"]},
		"previous":{"type":["boolean","null"]},"fields":` + fieldsOrNull + `,"data":` + fieldsOrNull),
	"Field":      having(`"name":{"type":"string"},"path":{"type":"string"}`),
	"Auth":       having(`"scheme":{"enum":["basic","bearer","header"]},"name":{"type":"string"}`, "scheme"),
	"AuthChange": exactly(`"scheme":{"type":["string","null"],"description":"basic, bearer or header"},"name":{"type":["string","null"]},"credential":{"type":["string","null"]}`),
	"SecretID":   having(`"id":{"type":"string"},"until":`+moment, "id"),
	"Rotation":   exactly(`"overlap":{"type":["string","null"],"examples":["24h"]}`),
	"Rotated":    having(`"secret":{"type":"string"},"previous_until":`+moment+`,"delayed":{"type":"boolean"},"secrets":{"type":"array","items":{"$ref":"#/components/schemas/SecretID"}}`, "secret", "secrets"),
	"Verification": having(`"accepted":{"type":"boolean"},"request":{"$ref":"#/components/schemas/SentRequest"},"response":{"$ref":"#/components/schemas/GotResponse"},
		"error":{"type":"string"},"curl":{"type":"string"}`, "accepted"),
	"SentRequest": having(`"method":{"type":"string"},"url":{"type":"string"},"headers":`+texts+`,"body":{"type":"string"}`, "method", "url", "headers", "body"),
	"GotResponse": having(`"status":{"type":"integer"},"ms":{"type":"integer"},"body":{"type":"string"},"body_base64":{"type":"string","contentEncoding":"base64"}`, "status", "ms"),
	"Delivery": having(`"id":{"type":"string"},"event":{"type":"string"},"type":{"type":"string"},"object":{"type":"string"},"sequence":{"type":"integer","minimum":0},
		"endpoint":{"type":"string"},"status":{"enum":["pending","delivered","dead","superseded","cancelled"]},"created_at":`+moment+`,"due_at":`+moment+`,
		"finished_at":`+moment+`,"attempts":{"type":"array","items":{"$ref":"#/components/schemas/Attempt"}}`,
		"id", "event", "type", "object", "sequence", "endpoint", "status", "created_at", "attempts"),
	"Attempt": having(`"number":{"type":"integer"},"at":`+moment+`,"response":{"$ref":"#/components/schemas/GotResponse"},"error":{"type":"string"},
		"request":{"$ref":"#/components/schemas/RecalledRequest"}`, "number", "at"),
	"RecalledRequest": having(`"method":{"type":"string"},"host":{"type":"string"},"url":{"type":"string"},"headers":`+texts+`,"keys":{"type":"array","items":{"type":"string"}},
		"incomplete":{"type":"string","description":"why not all of it can be told"}`, "method", "host", "headers"),
	"Event": having(`"id":{"type":"string"},"webhook_id":{"type":"string"},"type":{"type":"string"},"object":{"type":"string"},"sequence":{"type":"integer","minimum":0},
		"op":{"type":"string"},"time":`+moment+`,"freshness":{"type":"string"},"content_type":{"type":"string"},"size":{"type":"integer","minimum":0},
		"changed":{"type":"array","items":{"type":"string"}},
		"deliveries":{"type":"array","items":{"$ref":"#/components/schemas/Delivery"}}`,
		"id", "webhook_id", "type", "object", "sequence", "op", "time", "size", "deliveries"),
	"ListedEvent": having(listedMembers,
		"id", "webhook_id", "type", "object", "sequence", "op", "time"),
	"FilteredEvent": having(`"id":{"type":"string"},"type":{"type":"string"},"object":{"type":"string"},"sequence":{"type":"integer"},"time":`+moment, "id", "type", "object", "sequence", "time"),
	"FilteredPage":  having(`"data":{"type":"array","items":{"$ref":"#/components/schemas/FilteredEvent"}},"next":{"type":"string"},"count":{"type":"integer"}`, "data", "count"),
	"FeedPage":      having(`"data":{"type":"array","items":{"$ref":"#/components/schemas/FeedItem"}},"next":{"type":"string"},"more":{"type":"boolean"}`, "data", "next", "more"),
	"FeedItem": having(`"cursor":{"type":"string"},"time":`+moment+`,"headers":`+texts+`,"body":{"type":"string"},"body_base64":{"type":"string","contentEncoding":"base64"},
		"delivery":{"enum":["pending","delivered","dead","superseded","cancelled","filtered"]}`, "cursor", "time", "headers"),
	"Composed": having(`"request":{"$ref":"#/components/schemas/SentRequest"},"body_base64":{"type":"string","contentEncoding":"base64"},"curl":{"type":"string"}`, "request"),
	"Sieved": having(`"looked_at":{"type":"integer"},"kept":{"type":"integer"},"failed":{"type":"integer"},"error":{"type":"string"},"since":`+moment,
		"looked_at", "kept", "since"),
	"Counted": having(`"count":{"type":"integer"},"at_least":{"type":"boolean"}`, "count"),
	"Acted":   having(`"changed":{"type":"integer"},"next":{"type":"string"}`, "changed"),
	"Why":     having(whyMembers, "verdict", "detail"),
	"WhyPage": having(`"data":{"type":"array","items":{"$ref":"#/components/schemas/WhyOf"}},"next":{"type":"string"}`, "data"),
	"WhyOf": having(listedMembers+`,`+whyMembers,
		"id", "webhook_id", "type", "object", "sequence", "op", "time", "verdict", "detail"),
	"Key": having(`"id":{"type":"string"},"name":{"type":"string"},"created_at":`+moment+`,"created_by":{"type":"string"},"expires":`+moment+`,
		"used_at":`+moment+`,"key":{"type":"string"}`, "id", "created_at"),
	"KeyChange": exactly(`"name":{"type":["string","null"]},"expires":{"type":["string","null"],"examples":["2027-01-31T12:00:00Z"]}`),
	"Audited":   having(`"at":`+moment+`,"who":{"type":"string"},"action":{"type":"string"},"object":{"type":"string"},"changed":{"type":"array","items":{"type":"string"}},"from":{"type":"string"}`, "at", "who", "action", "from"),
	"Type": having(`"name":{"type":"string"},"alias":{"type":"string"},"description":{"type":"string"},"resources":{"type":"array","items":{"type":"string"}},
		"events":{"type":"string","description":"what an endpoint asks for to get it"},"schema":{"type":["object","boolean"],"description":"a JSON Schema of the payload, in the format show"},
		"learned":{"type":"boolean","description":"true if the schema says what was seen until now"},"sample":{}`, "name", "resources", "events", "schema", "learned"),
	"Addresses":  having(`"addresses":{"type":"array","items":{"type":"string"}},"fixed":{"type":"boolean","description":"false if deliveries may come from any address"}`, "addresses", "fixed"),
	"PublicKeys": having(`"keys":{"type":"array","items":{"$ref":"#/components/schemas/PublicKey"}}`, "keys"),
	"PublicKey": having(`"kty":{"const":"OKP"},"crv":{"const":"Ed25519"},"alg":{"const":"EdDSA"},"use":{"const":"sig"},"kid":{"type":"string"},"x":{"type":"string"},
		"whpk":{"type":"string","description":"the key as Standard Webhooks writes it"},"endpoints":{"type":"array","items":{"type":"string"}},"until":`+moment,
		"kty", "crv", "alg", "use", "kid", "x", "whpk", "endpoints"),
	"TestChange": exactly(`"type":{"type":["string","null"],"description":"a type of event, or its alias"}`),
	"Simulated": having(`"event":{"type":"string"},"webhook_id":{"type":"string"},"type":{"type":"string"},"deliveries":{"type":"array","items":{"$ref":"#/components/schemas/Delivery"}}`,
		"event", "webhook_id", "type", "deliveries"),
	"Me": having(`"tenant":{"type":"string"},"name":{"type":"string"}`, "tenant", "name"),
}

// problemSchema is that of a [Problem].
var problemSchema = having(`"type":{"type":"string","format":"uri-reference"},"title":{"type":"string"},"status":{"type":"integer","minimum":400,"maximum":599},
	"detail":{"type":"string"},"errors":{"type":"array","items":`+string(having(`"pointer":{"type":"string","description":"a JSON Pointer into the body, or a parameter behind a ?"},
	"detail":{"type":"string"},"remedy":{"type":"string"}`, "pointer", "detail"))+`},
	"verification":{"$ref":"#/components/schemas/Verification"},"oldest":{"type":"string","description":"the first cursor from which the feed can be read"}`,
	"type", "title", "status")

// Parts of schemas.
const (
	texts         = `{"type":"object","additionalProperties":{"type":"string"}}`
	textsOrNull   = `{"type":["object","null"],"additionalProperties":{"type":["string","null"]}}`
	moment        = `{"type":"string","format":"date-time"}`
	listedMembers = `"id":{"type":"string"},"webhook_id":{"type":"string"},"type":{"type":"string"},"object":{"type":"string"},"sequence":{"type":"integer","minimum":0},
		"op":{"type":"string"},"time":` + moment + `,"freshness":{"type":"string"},"content_type":{"type":"string"}`
	whyMembers = `"verdict":{"enum":["delivered","pending","paused","dead","superseded","cancelled","expired","filtered","type","older","feed","unrouted","snapshot"]},
		"detail":{"type":"string"},"remedy":{"type":"string"},"delivery":{"type":"string"},"filter":{"type":"string"}`
	payloadMembers = `"format":{"type":"string"},"binary":{"type":"boolean"},"source":{"type":"string"},"url":{"type":"string"},"previous":{"type":"boolean"}`
)

// What requests say of endpoints, and of fields in their payloads.
var (
	endpointMembers = `"label":{"type":["string","null"],"maxLength":256},"url":{"type":["string","null"],"maxLength":2048},
		"events":{"type":["array","null"],"items":{"type":["string","null"]},"maxItems":64,"description":"types of events, and groups as items.*; none is all"},
		"payload":{"anyOf":[{"type":"null"},{"$ref":"#/components/schemas/PayloadChange"}]},
		"signature":{"type":["string","null"],"description":"standard, rfc9421, none, or x-signature with one of the styles ` + strings.Join(sign.Presets(), ", ") + `"},
		"auth":{"anyOf":[{"type":"null"},{"$ref":"#/components/schemas/AuthChange"}]},"rate":{"type":["string","null"],"examples":["10/s"]},
		"order":{"enum":["object","endpoint","none","",null]},"headers":` + textsOrNull + `,"metadata":` + textsOrNull + `,
		"filter":{"type":["string","null"],"maxLength":4096,"examples":["object.amount > 100"]},"status":{"enum":["active","paused","",null]},
		"begin":{"type":["string","null"],"description":"what a new endpoint begins with: now, snapshot, a cursor of a feed, or a time"}`
	// secretMember is theirs to say where the operator lets them.
	secretMember = `,"secret":{"type":["string","null"],"maxLength":512,"writeOnly":true,"description":"what signs from now on; null for one that is made here"}`
	fieldsOrNull = `{"type":["array","null"],"maxItems":` + fmt.Sprint(payload.MaxFields) + `,"items":{"type":"object","additionalProperties":false,
		"properties":{"name":{"type":["string","null"]},"path":{"type":["string","null"]}}}}`
)

// schemas returns the schemas of bodies as this server has them.
func (s *Server) schemas() map[string]json.RawMessage {
	if !s.options.Policy.Offer.OwnSecret {
		return components
	}
	own := maps.Clone(components)
	own["EndpointChange"] = exactly(endpointMembers + secretMember)
	return own
}

// having returns the schema of an object that an answer has.
func having(members string, required ...string) json.RawMessage {
	text := `{"type":"object","properties":{` + members + `}`
	if len(required) > 0 {
		text += `,"required":["` + strings.Join(required, `","`) + `"]`
	}
	return json.RawMessage(text + `}`)
}

// exactly returns the schema of an object that a request sends.
func exactly(members string) json.RawMessage {
	return json.RawMessage(`{"type":"object","additionalProperties":false,"properties":{` + members + `}}`)
}
