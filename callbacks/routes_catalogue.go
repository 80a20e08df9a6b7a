// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"encoding/json"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
)

// catalogueRoutes are those that tell what there is.
var catalogueRoutes = []route{
	{"/types", map[string]operation{http.MethodGet: {listTypes, about{
		id: "listTypes", summary: "List the types of events, with their schemas.", parameters: paging, answers: listed("Types and groups, by name.", "Type"),
	}}}},
	{"/types/{type}", map[string]operation{http.MethodGet: {showType, about{
		id: "showType", summary: "Show a type of event.", answers: answers(http.StatusOK, "The type.", "Type"),
	}}}},
	{"/types/{type}/echo", map[string]operation{http.MethodPost: {echoType, about{
		id: "echoType", summary: "Send a payload of your own as an event to your endpoints that ask for the type.",
		text:       "It must fit the type's schema, goes the way of all events, and is marked with `webhook-op: test`.",
		parameters: []catalogue.Parameter{waiting}, body: &catalogue.Content{Schema: json.RawMessage(`{"type":"object"}`)},
		answers: answers(http.StatusAccepted, "It is on its way.", "Simulated"), problems: bodyProblems,
	}}}},
	{"/addresses", map[string]operation{http.MethodGet: {showAddresses, about{
		id: "showAddresses", summary: "Say from which addresses deliveries come.", answers: answers(http.StatusOK, "The addresses to let in.", "Addresses"),
	}}}},
	{"/public-keys", map[string]operation{http.MethodGet: {showPublicKeys, about{
		id: "showPublicKeys", summary: "List the public keys that verify what is sent to your endpoints.",
		text:    "It is a JSON Web Key Set (RFC 7517). Endpoints that sign with a shared secret have none.",
		answers: answers(http.StatusOK, "The keys.", "PublicKeys"),
	}}}},
	{"/openapi.json", map[string]operation{http.MethodGet: {showOpenAPI, about{
		id: "describeAPI", summary: "Describe this API.", answers: []catalogue.Answer{{Status: http.StatusOK, Text: "This document.", Body: &catalogue.Content{}}},
	}}}},
}
