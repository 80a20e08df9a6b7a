// SPDX-License-Identifier: Apache-2.0

package callbacks

import (
	"net/http"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/callbacks/catalogue"
)

// accountRoutes are those about the caller itself.
var accountRoutes = []route{
	{"/keys", map[string]operation{
		http.MethodGet: {listKeys, about{id: "listKeys", summary: "List your API keys.", parameters: paging, answers: listed("Your keys, by id.", "Key")}},
		http.MethodPost: {once(createKey), about{
			id: "createKey", summary: "Make an API key.", text: "A key that ends makes none that ends later.",
			parameters: []catalogue.Parameter{idempotencyKey}, body: sends("KeyChange", true),
			answers:  answers(http.StatusCreated, "The key, which is shown this once.", "Key", "Location", "Idempotency-Replayed"),
			problems: slices.Concat(bodyProblems, []int{http.StatusConflict}),
		}},
	}},
	{"/keys/{id}", map[string]operation{
		http.MethodGet: {showKey, about{id: "showKey", summary: "Show an API key.", answers: answers(http.StatusOK, "The key, without what it is sent as.", "Key")}},
		http.MethodDelete: {deleteKey, about{
			id: "deleteKey", summary: "End an API key.", answers: answers(http.StatusNoContent, "It is no key any more.", ""), problems: []int{http.StatusConflict},
		}},
	}},
	{"/audit", map[string]operation{http.MethodGet: {listAudit, about{
		id: "listAudit", summary: "List who has changed what.", parameters: paging, answers: listed("Newest first.", "Audited"),
	}}}},
	{"/me", map[string]operation{http.MethodGet: {showMe, about{
		id: "showMe", summary: "Say who you are.", answers: answers(http.StatusOK, "You.", "Me"),
	}}}},
}
